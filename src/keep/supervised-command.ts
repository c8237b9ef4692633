import { Interrupted, MxtokenError } from "../errors.ts";
import type { Tell, Told } from "../events.ts";
import type { Entry } from "../store/entry.ts";
import { tokenFiles } from "../store/token-file-store.ts";
import { systemCode, systemReason } from "../system-error.ts";
import type { TokenRecord } from "../token.ts";
import { signalNumber } from "../world/builtins.ts";
import { type Child, type SignalName, type World, withWorld } from "../world/world.ts";
import type { AccountPicture, AccountToKeep, KeepEvent, Trouble } from "./events.ts";
import { Keeper, type Keeping } from "./keeper.ts";
import { afterEnd, cannotStart, type RestartPolicy, type RunEvent } from "./schedule.ts";

/** Who is told what happens. */
export interface RunAudience {
  /** while the first tokens are got */
  readonly tell: Tell;
  event(event: RunEvent): void;
  /** @returns the same in words */
  keeping(event: KeepEvent): string;
  detail(told: Told): void;
}

/** What the command is to be supervised with. */
export interface Supervision extends Keeping {
  readonly accounts: readonly AccountToKeep[];
  readonly restart: RestartPolicy;
}

/** Between a refresh that failed and an end that it may be the reason of. */
const suspicious = 60_000;
/** One that ends sooner is of no use to a command that is about to start, unless it lives no longer. */
const leastLife = 60_000;
const pollInterval = 1000;

const passedOn = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2"] as const;
const ending: ReadonlySet<SignalName> = new Set(["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"]);

/** A command that has its tokens: it lives while they are kept fresh. */
export class SupervisedCommand {
  readonly #world: World;
  readonly #supervision: Supervision;
  readonly #audience: RunAudience;
  readonly #entries: readonly Entry[];
  readonly #keeper: Keeper;
  readonly #pool: ReturnType<World["httpPool"]>;
  /** ends the refreshing; signals do not, they are the command's */
  readonly #over = new AbortController();
  #child: Child | undefined;
  /** by a signal, ms since 1970; for ever where the signal leaves no doubt */
  #askedToEndAt = Number.NEGATIVE_INFINITY;
  /** a signal that came while no command ran */
  #pending: SignalName | undefined;
  readonly #failures = new Map<string, { at: number } & Pick<Trouble, "reason" | "commands">>();
  /** when each account got its last token, ms since 1970 */
  readonly #renewedAt = new Map<string, number>();

  constructor(
    world: World,
    supervision: Supervision,
    audience: RunAudience,
    places: readonly string[],
  ) {
    this.#world = world;
    this.#supervision = supervision;
    this.#audience = audience;
    this.#entries = supervision.accounts.map(({ settings }, index) =>
      tokenFiles(world, { ...settings, tokenFile: places[index] }, audience.tell).entry(),
    );
    this.#pool = world.httpPool();
    const its = { interrupted: this.#over.signal, http: this.#pool.http };
    this.#keeper = new Keeper(withWorld(world, its), supervision, {
      event: (event) => this.#heard(event),
      detail: (told) => audience.detail(told),
    });
  }

  async run(file: string, args: readonly string[]): Promise<number> {
    const releases = passedOn.map((name) => this.#world.onSignal(name, () => this.#passOn(name)));
    await this.#keeper.keep(this.#supervision.accounts, this.#world.now());
    const keeping = this.#keeper.work(this.#over.signal);
    try {
      return await this.#runUntilOver(file, args);
    } finally {
      this.#over.abort(new Interrupted("SIGTERM"));
      await keeping;
      await this.#pool.close();
      for (const release of releases) release();
    }
  }

  async #runUntilOver(file: string, args: readonly string[]): Promise<number> {
    let last = 0;
    for (let restarts = 0; ; restarts += 1) {
      const before = await this.#tokens();
      const startedAt = this.#world.now();
      const status = await this.#runOnce(file, args, restarts).catch((error) => {
        if (!(error instanceof MxtokenError) || restarts === 0) throw error;
        this.#audience.event({ is: "notStartedAgain", file, reason: error.message });
        return undefined;
      });
      if (status === undefined) return last;
      last = status;
      const endedAt = this.#world.now();
      const after = await this.#tokens();
      const isTokenReplaced = after.some(
        (record, index) => record?.accessToken?.equals(before[index]?.accessToken) === false,
      );
      const isTokenOver = before.some((record) => (record?.notes.expiresAt ?? endedAt) < endedAt);
      const isAskedToEnd = endedAt - this.#askedToEndAt < suspicious;
      const decision = afterEnd(
        { status, startedAt, endedAt, isTokenReplaced, isTokenOver, isAskedToEnd, restarts },
        this.#supervision.restart,
      );
      this.#tellWithoutToken(file, status, endedAt);
      if (decision === "over") return status;
      this.#audience.event({ is: "ended", file, status, decision, isTokenReplaced });
      if (decision !== "restart") return status;
      const areThere = await this.#waitForTokens(endedAt);
      if (this.#pending !== undefined) return 128 + signalNumber(this.#pending);
      if (!areThere) return status;
    }
  }

  async #runOnce(file: string, args: readonly string[], restarts: number): Promise<number> {
    const env = Object.fromEntries(
      this.#entries.map(({ place }, index) => [`MXTOKEN_TOKEN_FILE_${index + 1}`, place]),
    );
    if (this.#pending !== undefined) return 128 + signalNumber(this.#pending);
    this.#audience.event({ is: "started", file, restarts });
    try {
      this.#child = await this.#world.start(file, args, env);
      if (this.#pending !== undefined) this.#child.kill(this.#pending);
      const end = await this.#child.ended;
      return end.signal === undefined ? end.status : 128 + signalNumber(end.signal);
    } catch (error) {
      if (systemCode(error) === undefined) throw error;
      const reason = systemCode(error) === "ENOENT" ? "it is not found" : systemReason(error);
      throw cannotStart(file, reason, error);
    } finally {
      this.#child = undefined;
    }
  }

  /**
   * A terminal sends what its keys mean to every process that is at work there; to pass that on would
   * be to send it twice, which imapsync takes for something else.
   */
  #passOn(name: SignalName): void {
    if (ending.has(name)) {
      // At a Ctrl-C, imapsync only connects again.
      const at = name === "SIGINT" ? this.#world.now() : Number.POSITIVE_INFINITY;
      this.#askedToEndAt = Math.max(this.#askedToEndAt, at);
      if (this.#child === undefined) this.#pending = name;
    }
    const isOfTerminal = name === "SIGINT" || name === "SIGQUIT";
    if (isOfTerminal && this.#world.isInForeground()) return;
    this.#child?.kill(name);
  }

  #heard(event: KeepEvent): string {
    if (event.is === "unreachable" || event.is === "failed" || event.is === "refused") {
      const { reason, commands } = event.trouble;
      this.#failures.set(event.label, { at: this.#world.now(), reason, commands });
    }
    if (event.is === "worksAgain" || event.is === "proven") this.#failures.delete(event.label);
    if (event.is === "refreshed" || event.is === "refreshedElsewhere") {
      this.#failures.delete(event.label);
      this.#renewedAt.set(event.label, this.#world.now());
    }
    return this.#audience.keeping(event);
  }

  /** The command may have ended for want of a token that could not be had. */
  #tellWithoutToken(file: string, status: number, now: number): void {
    if (status === 0) return;
    for (const { label, state } of this.#keeper.pictures()) {
      const failure = this.#failures.get(label);
      if (failure === undefined) continue;
      // A failure is told once, however often it comes again.
      const isOngoing = ["retrying", "expired", "refused"].includes(state);
      if (!isOngoing && now - failure.at > suspicious) continue;
      const { reason } = failure;
      this.#audience.event({ is: "endedWithoutToken", file, status, label, reason });
    }
  }

  /** What is stored for every account. */
  #tokens(): Promise<(TokenRecord | undefined)[]> {
    return Promise.all(this.#entries.map((entry) => entry.peek().catch(() => undefined)));
  }

  /**
   * @param endedAt when the command ended, ms since 1970
   * @returns false when there will be none without somebody, or the end was asked for
   */
  async #waitForTokens(endedAt: number): Promise<boolean> {
    for (let isTold = false; ; isTold = true) {
      const now = this.#world.now();
      const pictures = this.#keeper.pictures();
      if (this.#pending !== undefined) return false;
      const isGood = ({ label, expiresAt = Number.POSITIVE_INFINITY }: AccountPicture) =>
        expiresAt - now > leastLife || (this.#renewedAt.get(label) ?? 0) >= endedAt;
      if (pictures.every(isGood)) return true;
      // It is tried again, but rarely, and whoever has started the command is told now.
      const refused = pictures.find(({ state }) => state === "refused");
      if (refused !== undefined) {
        const { label } = refused;
        const commands = this.#failures.get(label)?.commands ?? [];
        this.#audience.event({ is: "noFreshToken", label, commands });
        return false;
      }
      if (!isTold) this.#audience.event({ is: "waitingForToken" });
      await this.#world.sleep(pollInterval, this.#over.signal);
    }
  }
}
