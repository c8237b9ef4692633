import { ofAccount, type Told } from "../events.ts";
import type { AccountPicture, KeepEvent, Trouble } from "../keep/events.ts";
import type { KeepReport } from "../keep/keep.ts";
import type { Counts } from "../keep/status-file.ts";
import { isoSeconds } from "../token.ts";
import type { Clock, Host, Terminal } from "../world/world.ts";
import { familyOf, keepTellings, sentenceOfMany } from "./keep-tellings.ts";
import { type Output, remedy, type Screen } from "./line.ts";
import { tableOf } from "./live-table.ts";
import { Families, isTold, levelOf, linesOf, type ReportOptions, type Telling } from "./telling.ts";
import { tellings } from "./tellings.ts";
import { summary, timeOf } from "./words.ts";

/** How often the table is drawn anew when nothing happens, and at most when much does; ms. */
const drawnEvery = 10_000;
const drawnAtMostEvery = 250;

/** In less room a table leaves pieces of itself behind. */
const leastRows = 12;
const leastColumns = 40;

/** Who reads it, and what else there is to be read. */
interface KeepReader {
  readonly audience: "person" | "bystander";
  /** as it was given */
  readonly statusFile: string | undefined;
}

/** Tells of `mxtoken keep`: a line for every event, and a table where there is a terminal. */
export class KeepReporter implements KeepReport {
  readonly #world: Clock & Terminal;
  readonly #options: ReportOptions;
  readonly #screen: Screen;
  readonly #output: Output;
  readonly #audience: "person" | "bystander";
  readonly #isTable: boolean;
  readonly #families: Families<KeepEvent>;
  /** where all accounts are named */
  readonly #whole: string;
  #drawnAt = Number.NEGATIVE_INFINITY;
  /** whether something has happened that the table does not show yet */
  #isBehind = false;

  constructor(
    world: Clock & Host & Terminal,
    options: ReportOptions,
    { screen, output }: { screen: Screen; output: Output },
    { audience, statusFile }: KeepReader,
  ) {
    this.#world = world;
    this.#options = options;
    this.#screen = screen;
    this.#output = output;
    this.#audience = audience;
    this.#families = new Families(() => world.now());
    this.#whole =
      statusFile === undefined
        ? "--verbose tells of each, and --status-file FILE writes down all of them"
        : `all of them are in ${statusFile}`;
    const { stderr, env } = world;
    const isTerminal = stderr.isTTY === true && env["TERM"] !== "dumb";
    this.#isTable = isTerminal && !options.json && !options.quiet && audience === "person";
  }

  get interval(): number | undefined {
    const drawing = this.#isBehind ? drawnAtMostEvery : drawnEvery;
    const { wait } = this.#families;
    if (!this.#isTable) return wait;
    return Math.min(drawing, wait ?? drawing);
  }

  describe(event: KeepEvent): string {
    const lines = linesOf(tellingOf(event), event, { now: this.#world.now() });
    return lines.map((line) => ("say" in line ? line.say : "")).join("; ");
  }

  summary(counts: Counts): string {
    return summary(counts);
  }

  event(event: KeepEvent, picture: AccountPicture | undefined): void {
    this.#isBehind = true;
    const reader = { now: this.#world.now() };
    if (this.#options.json) this.#output.line(this.#document(event, picture));
    const telling = tellingOf(event);
    if (!isTold(levelOf(telling, event, reader), this.#audience, this.#options)) return;
    if (this.#isKeptBack(event)) return;
    const { hint, commands } = troubleOf(event) ?? {};
    const lines = linesOf(telling, event, reader, labelOf(event));
    this.#screen.say([...lines, ...remedy(hint, commands)]);
  }

  /** Whoever wants to hear of everything, does. */
  #isKeptBack(event: KeepEvent): boolean {
    const label = labelOf(event);
    if (label === undefined || this.#options.verbose) return false;
    // What is news by now comes after what was.
    if (this.#families.holds(label)) this.flush();
    const family = familyOf(event);
    return family !== undefined && !this.#families.isAlone(family, event, label);
  }

  flush(isAll = true): void {
    const lines = this.#families
      .take(isAll)
      .map((alike) => ({ say: sentenceOfMany(alike, this.#whole) }));
    if (lines.length > 0) this.#screen.say(lines);
  }

  detail(told: Told): void {
    if (!isTold("detail", this.#audience, this.#options)) return;
    const telling: Telling<Told> = tellings[told.is];
    this.#screen.say(linesOf(telling, told, { now: this.#world.now() }, told.of));
  }

  show(pictures: () => readonly AccountPicture[]): void {
    this.flush(false);
    if (!this.#isTable) return;
    const now = this.#world.now();
    if (Math.abs(now - this.#drawnAt) < drawnAtMostEvery) return;
    this.#drawnAt = now;
    this.#isBehind = false;
    const { columns = 80, rows = 24 } = this.#world.stderr;
    const isRoom = rows >= leastRows && columns >= leastColumns;
    this.#screen.foot(isRoom ? ["", ...tableOf(pictures(), now, { columns, rows })] : []);
  }

  #document(event: KeepEvent, picture: AccountPicture | undefined): string {
    const facts = Object.entries(event).filter(([name]) => !inOtherWords.has(name));
    const { code, reason, hint, commands } = troubleOf(event) ?? {};
    return JSON.stringify({
      time: isoSeconds(this.#world.now()),
      event: event.is,
      account: picture?.address,
      provider: picture?.provider,
      tokenFile: picture?.tokenFile,
      state: picture?.state,
      expires: timeOf(picture?.expiresAt),
      next: timeOf(picture?.nextAt),
      ...Object.fromEntries(facts),
      message: ofAccount(labelOf(event), this.describe(event)),
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

function tellingOf(event: KeepEvent): Telling<KeepEvent> {
  return keepTellings[event.is];
}

function labelOf(event: KeepEvent): string | undefined {
  return "label" in event ? event.label : undefined;
}

function troubleOf(event: KeepEvent): Trouble | undefined {
  return "trouble" in event ? event.trouble : undefined;
}
