import type { Event } from "../events.ts";
import type { AccountPicture, KeepEvent } from "../keep/events.ts";
import type { KeepReport } from "../keep/keep.ts";
import type { Counts } from "../keep/status-file.ts";
import { isoSeconds } from "../token.ts";
import type { World } from "../world/world.ts";
import { describeKeepEvent, summary, troubleOf } from "./keep-sentences.ts";
import { tableOf } from "./live-table.ts";
import type { ReportOptions } from "./options.ts";
import { describe } from "./sentences.ts";

/** What goes wrong: told also with --quiet, and by `mxtoken run`, whose terminal is another's. */
const troubles: ReadonlySet<KeepEvent["is"]> = new Set([
  "unproven",
  "partlyRefused",
  "unreachable",
  "failed",
  "expired",
  "refused",
  "listNotRead",
  "statusNotWritten",
  "commandFailed",
]);

/** How often the table is drawn anew when nothing happens, and at most when much does; ms. */
const drawnEvery = 10_000;
const drawnAtMostEvery = 250;

/** In less room a table leaves pieces of itself behind. */
const leastRows = 12;
const leastColumns = 40;

/** Where sentences and lines of data go. */
export interface Outlet {
  say(lines: readonly string[]): void;
  /** one line on standard output */
  data(line: string): void;
  /** puts other lines at the foot of standard error */
  foot(lines: readonly string[]): void;
}

/** Tells of `mxtoken keep`: a line for every event, and a table where there is a terminal. */
export class KeepReporter implements KeepReport {
  readonly #world: World;
  readonly #options: ReportOptions;
  readonly #outlet: Outlet;
  readonly #isTroubleOnly: boolean;
  readonly #isTable: boolean;
  #drawnAt = Number.NEGATIVE_INFINITY;
  /** whether something has happened that the table does not show yet */
  #isBehind = false;

  /** @param isTroubleOnly the terminal is somebody else's, and only what goes wrong is told */
  constructor(world: World, options: ReportOptions, outlet: Outlet, isTroubleOnly: boolean) {
    this.#world = world;
    this.#options = options;
    this.#outlet = outlet;
    this.#isTroubleOnly = (options.quiet || isTroubleOnly) && !options.verbose;
    const { stderr, env } = world;
    const isTerminal = stderr.isTTY === true && env["TERM"] !== "dumb";
    this.#isTable = isTerminal && !options.json && !options.quiet && !isTroubleOnly;
  }

  get interval(): number | undefined {
    if (!this.#isTable) return undefined;
    return this.#isBehind ? drawnAtMostEvery : drawnEvery;
  }

  describe(event: KeepEvent): string {
    return describeKeepEvent(event, this.#world.now());
  }

  summary(counts: Counts): string {
    return summary(counts);
  }

  event(event: KeepEvent, picture: AccountPicture | undefined, message: string): void {
    this.#isBehind = true;
    if (this.#options.json) this.#outlet.data(this.#document(event, picture, message));
    // The error that it ends with says that.
    if (event.is === "nothingAlive") return;
    if (this.#isTroubleOnly && !troubles.has(event.is)) return;
    const { hint, commands = [] } = troubleOf(event) ?? {};
    this.#outlet.say([
      `mxtoken: ${message}`,
      ...(hint === undefined ? [] : [`mxtoken: hint: ${hint}`]),
      ...commands.map((command) => `  ${command}`),
    ]);
  }

  detail(label: string, event: Event): void {
    if (!this.#options.verbose) return;
    const lines = describe(event).map((line) => line.replace(/^mxtoken: /, `mxtoken: ${label}: `));
    this.#outlet.say(lines);
  }

  show(pictures: () => readonly AccountPicture[]): void {
    if (!this.#isTable) return;
    const now = this.#world.now();
    if (Math.abs(now - this.#drawnAt) < drawnAtMostEvery) return;
    this.#drawnAt = now;
    this.#isBehind = false;
    const { columns = 80, rows = 24 } = this.#world.stderr;
    const isRoom = rows >= leastRows && columns >= leastColumns;
    this.#outlet.foot(isRoom ? ["", ...tableOf(pictures(), now, { columns, rows })] : []);
  }

  #document(event: KeepEvent, picture: AccountPicture | undefined, message: string): string {
    const facts = Object.entries(event).filter(([name]) => !inOtherWords.has(name));
    const { code, reason, hint, commands } = troubleOf(event) ?? {};
    return JSON.stringify({
      time: isoSeconds(this.#world.now()),
      event: event.is,
      account: picture?.address,
      provider: picture?.provider,
      tokenFile: picture?.tokenFile,
      state: picture?.state,
      expires: time(picture?.expiresAt),
      next: time(picture?.nextAt),
      ...Object.fromEntries(facts),
      message,
      error: code && { code, message: reason, hint, commands },
    });
  }
}

/** Parts of an event that its line tells otherwise. */
const inOtherWords: ReadonlySet<string> = new Set([
  "is",
  "label",
  "life",
  "trouble",
  "nextAt",
  "expiresAt",
]);

function time(ms: number | undefined): string | undefined {
  return ms === undefined ? undefined : isoSeconds(ms);
}
