import { MxtokenError } from "../errors.ts";
import type { Event } from "../events.ts";
import { identityIn } from "../store/read.ts";
import { type Turn, takeTurn } from "../tasks/turn.ts";
import { pause, withOwnSignal } from "../world/waiting.ts";
import type { World } from "../world/world.ts";
import type { KeptAccount, Moment } from "./account.ts";
import type { AccountEvent, AccountPicture, KeepEvent } from "./events.ts";
import { longestNap, napUntil, type Policy } from "./schedule.ts";
import { type Begun, TurnQueue } from "./turn-queue.ts";

/** Why a nap ends; Node's own reason would hold a stack trace, for every turn. */
const woken = "woken";

/** How the work is to be done. */
export interface KeeperOptions {
  readonly policy: Policy;
  /** how many turns may be under way at one authorization server */
  readonly concurrency: number;
  /** whether it goes on when at its beginning somebody has to do something for every account */
  readonly outlivesRefusals?: boolean;
  /** ends it: nothing new is begun, and what is under way comes to its end */
  readonly stop: AbortSignal;
  /** ms, for whoever has to hear of it more often than once a minute */
  longestNap?(): number;
}

/** Who is told what happens. */
export interface Audience {
  event(event: KeepEvent, account: KeptAccount | undefined): void;
  /** a step of a turn */
  detail(account: KeptAccount, event: Event): void;
  /** between two naps */
  tick?(): Promise<void>;
}

/** How many accounts in a row are looked at, or begun, before whatever else waits goes before. */
const pauseEvery = 50;

/** A clock is set right by less all the time; ms. */
const clockTolerance = 1000;

/** A single account's Retry-After does not keep the others of its server waiting for longer. */
const longestHold = 5 * 60_000;

/**
 * Keeps accounts fresh: takes the turns that are due, as many at once as are allowed, and naps until
 * the next one. No turn ever ends it, whatever happens in it.
 */
export class Keeper {
  readonly #world: World;
  readonly #options: KeeperOptions;
  readonly #audience: Audience;
  #accounts: readonly KeptAccount[] = [];
  readonly #queue: TurnQueue;
  readonly #running = new Set<Promise<void>>();
  /** ends the nap */
  #alarm = new AbortController();
  /** when the next account has to be looked at */
  #lookAt = 0;
  /** the time when it was looked at last */
  #seen = Number.NEGATIVE_INFINITY;
  /** when the files of refused accounts have to be looked at */
  #lookAtFilesAt = 0;
  /** at least one account did not need somebody */
  #isAnyAlive = false;
  /** how many turns have begun since others went before */
  #begunInARow = 0;

  constructor(world: World, options: KeeperOptions, audience: Audience) {
    this.#world = world;
    this.#options = options;
    this.#audience = audience;
    this.#queue = new TurnQueue(options.concurrency);
    options.stop.addEventListener("abort", () => this.#alarm.abort(woken));
  }

  /** How many turns are under way. */
  get inFlight(): number {
    return this.#running.size;
  }

  get accounts(): readonly KeptAccount[] {
    return this.#accounts;
  }

  pictures(): AccountPicture[] {
    const now = this.#world.now();
    return this.#accounts.map((account) => account.picture(now));
  }

  /** Keeps these accounts from now on; one that is kept already keeps its state. */
  keep(accounts: readonly KeptAccount[]): void {
    this.#accounts = accounts;
    for (const account of this.#queue.clear()) account.busySince = undefined;
    this.wake();
  }

  /** Lets everything be looked at now instead of after the nap. */
  wake(): void {
    this.#lookAt = 0;
    this.#lookAtFilesAt = 0;
    this.#alarm.abort(woken);
  }

  /** Gives accounts that were refused another try. */
  tryAgain(isTried: (account: KeptAccount) => boolean): void {
    const moment = this.moment();
    for (const account of this.#accounts) {
      if (account.isRefused && isTried(account)) this.#tell(account, account.tryAgain(moment));
    }
    this.wake();
  }

  /**
   * @returns when it was stopped and every turn has come to its end; or when after the first round there
   * is no account for which nobody has to do something
   */
  async run(): Promise<"stopped" | "nothing alive"> {
    const { stop } = this.#options;
    try {
      while (!stop.aborted) {
        // Whatever wakes from here on must not be slept over.
        this.#alarm = new AbortController();
        if (this.#now() >= this.#lookAt) await this.#look();
        this.#begin();
        await this.#audience.tick?.();
        if (this.#isNothingAlive()) return "nothing alive";
        await this.#nap();
      }
    } finally {
      // Whatever ends the loop, what is on the wire is saved.
      await Promise.allSettled(this.#running);
    }
    await this.#audience.tick?.();
    return "stopped";
  }

  moment(): Moment {
    const { policy } = this.#options;
    return { now: this.#now(), policy, random: () => this.#world.random() };
  }

  /** The time; and whether the clock was set back since it was looked at. */
  #now(): number {
    const now = this.#world.now();
    const back = this.#seen - now;
    this.#seen = now;
    if (back > clockTolerance) this.#clockWasSetBack(back);
    return now;
  }

  /** Later, whatever is refused may be taken again, and whoever is to see to it may not be there yet. */
  #isNothingAlive(): boolean {
    const isWithout = this.#accounts.length === 0 || this.#options.outlivesRefusals === true;
    if (this.#running.size > 0 || isWithout || this.#isAnyAlive) return false;
    return this.#accounts.every(({ isRefused }) => isRefused);
  }

  /** Finds what is due, and when the next one is. */
  async #look(): Promise<void> {
    await this.#lookAtFiles();
    const moment = this.moment();
    let next = this.#lookAtFilesAt;
    const due: KeptAccount[] = [];
    for (const account of this.#accounts) {
      const expired = account.expired(moment);
      if (expired !== undefined) this.#tell(account, expired);
      if (account.busySince !== undefined) continue;
      if (account.nextAt <= moment.now) due.push(account);
      else next = Math.min(next, account.nextAt);
    }
    this.#lookAt = next;
    await this.#queueAll(due);
  }

  /** Tokens before proofs, and whose token ends first comes first. */
  async #queueAll(due: readonly KeptAccount[]): Promise<void> {
    const moment = this.moment();
    const rank = (account: KeptAccount) => (account.isRefreshDue(moment) ? 0 : 1);
    const sorted = due.toSorted(
      (one, other) => rank(one) - rank(other) || one.expiresAt - other.expiresAt,
    );
    for (const [index, account] of sorted.entries()) {
      await account.findServer(this.#world);
      if (index % pauseEvery === pauseEvery - 1) await pause();
      if (this.#options.stop.aborted) return;
      account.busySince = this.#world.now();
      this.#queue.add(account);
      if (index % pauseEvery === 0) this.#begin();
    }
  }

  /** A new content of its file makes a refused account worth another try now. */
  async #lookAtFiles(): Promise<void> {
    const now = this.#now();
    if (now < this.#lookAtFilesAt) return;
    this.#lookAtFilesAt = now + longestNap;
    // A turn that is under way may change it itself.
    const refused = this.#accounts.filter(
      ({ isRefused, busySince }) => isRefused && busySince === undefined,
    );
    for (const [index, account] of refused.entries()) {
      if (index % pauseEvery === pauseEvery - 1) await pause();
      const { tokenFile } = account;
      if (tokenFile === undefined) continue;
      // A file that cannot be read now has not changed as far as anybody knows.
      const isChanged = await identityIn(tokenFile).then(
        (tokens) => account.isWorthATry(tokens),
        () => false,
      );
      if (!isChanged) continue;
      this.#tell(account, account.tryAgain(this.moment()));
    }
  }

  /** Begins as many turns as there is room for. */
  #begin(): void {
    if (this.#options.stop.aborted || this.#begunInARow >= pauseEvery) return;
    for (const begun of this.#queue.begin(this.#world.now())) {
      this.#run(begun);
      this.#begunInARow += 1;
      if (this.#begunInARow >= pauseEvery) {
        // A turn that finds nothing to do ends without waiting for anything, and begins the next one.
        void pause().then(() => this.#beginAgain());
        return;
      }
    }
  }

  #beginAgain(): void {
    this.#begunInARow = 0;
    this.#begin();
  }

  #run(begun: Begun): void {
    const { account } = begun;
    // What is about to be sent or stored goes before the next one.
    const thenBegin = (left: () => void) => () => {
      left();
      queueMicrotask(() => this.#begin());
    };
    const onReady = thenBegin(begun.onReady);
    const onLastAnswer = thenBegin(begun.onLastAnswer);
    const turn = this.#take({ ...begun, onReady, onLastAnswer }).finally(() => {
      account.busySince = undefined;
      this.#running.delete(turn);
      begun.leave();
      this.#lookAt = Math.min(this.#lookAt, account.nextAt);
      this.#begin();
      this.#alarm.abort(woken);
    });
    this.#running.add(turn);
  }

  async #take({ account, isCrowded, onReady, onLastAnswer }: Begun): Promise<void> {
    const moment = this.moment();
    const due = account.turn(moment);
    // A login may take long; it has time until everybody has a token.
    const proves = due.proves && !(isCrowded && account.isRefreshDue(moment));
    const tell = (event: Event) => {
      if (event.is !== "providerFound") onReady();
      this.#audience.detail(account, event);
    };
    const turn = await withOwnSignal(this.#world, (world) =>
      takeTurn(world, { ...due, proves, onLastAnswer }, tell),
    );
    const event = account.settle(turn, this.moment());
    if (!account.isRefused) this.#isAnyAlive = true;
    this.#holdServer(turn, account);
    if (event !== undefined) this.#tell(account, event);
  }

  /** What one account was asked to wait for, the others need not find out one by one. */
  #holdServer({ error, findings }: Turn, { server }: KeptAccount): void {
    if (!(error instanceof MxtokenError) || error.retryAfter === undefined) return;
    // A mail server means this mailbox.
    if (findings !== undefined) return;
    const ms = Math.min(error.retryAfter * 1000, longestHold);
    this.#queue.hold(server, this.#world.now() + ms);
  }

  #tell(account: KeptAccount, event: AccountEvent): void {
    this.#audience.event({ ...event, label: account.toKeep.label }, account);
  }

  async #nap(): Promise<void> {
    const { stop } = this.#options;
    const before = this.#now();
    const next = Math.min(this.#lookAt, this.#queue.nextRelease(before));
    const ms = napUntil(next, before, this.#options.longestNap?.());
    if (stop.aborted) return;
    try {
      await this.#world.sleep(ms, this.#alarm.signal);
    } catch {
      // Woken.
    }
    const ahead = this.#now() - (before + ms);
    if (ahead <= longestNap) return;
    // The clock was set, or the machine slept.
    this.#audience.event({ is: "clockSet", ms: ahead }, undefined);
    this.#lookAt = 0;
    this.#lookAtFilesAt = 0;
  }

  #clockWasSetBack(ms: number): void {
    this.#audience.event({ is: "clockSet", ms: -ms }, undefined);
    this.#queue.releaseAll();
    for (const account of this.#accounts) account.clockWasSetBack(ms);
    this.#lookAt = 0;
    this.#lookAtFilesAt = 0;
  }
}
