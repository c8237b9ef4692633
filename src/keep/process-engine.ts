import { pause } from "../world/waiting.ts";
import type { Clock } from "../world/world.ts";
import {
  type AccountKey,
  type AccountState,
  clockWasSetBack,
  expired,
  isRefreshDue,
  nextAt,
  type Settled,
  tryAgain,
} from "./account-state.ts";
import type { Engine, Worker } from "./engine.ts";
import { longestNap, napUntil } from "./schedule.ts";
import { type Begun, TurnQueue } from "./turn-queue.ts";

/** Why a nap ends; Node's own reason would hold a stack trace, for every turn. */
const woken = "woken";

/** How many accounts in a row are looked at, or begun, before whatever else waits goes before. */
const pauseEvery = 50;

/** A clock is set right by less all the time; ms. */
const clockTolerance = 1000;

interface Account {
  state: AccountState;
  /** since when a turn is under way, or about to be; ms since 1970 */
  busySince?: number | undefined;
}

/** Whose work it is, and until when. */
interface Job {
  readonly worker: Worker;
  readonly stop: AbortSignal;
}

/**
 * Works accounts off in this process: hands out the turns that are due, as many at once as are allowed,
 * and naps until the next one.
 */
export class ProcessEngine implements Engine {
  readonly #clock: Clock;
  readonly #accounts = new Map<AccountKey, Account>();
  readonly #queue: TurnQueue<Account>;
  readonly #running = new Set<Promise<void>>();
  /** ends the nap */
  #alarm = new AbortController();
  /** nothing is to be done before something happens */
  #isAtRest = false;
  /** are told when that is so */
  readonly #waiting = new Set<() => void>();
  /** when the next account has to be looked at */
  #lookAt = 0;
  /** when the files of refused accounts have to be looked at */
  #lookAtFilesAt = 0;
  /** the time when it was looked at last */
  #seen = Number.NEGATIVE_INFINITY;
  /** how many turns have begun since others went before */
  #begunInARow = 0;

  /** @param concurrency how many turns may be under way at one authorization server */
  constructor(clock: Clock, concurrency: number) {
    this.#clock = clock;
    this.#queue = new TurnQueue(concurrency);
  }

  async put(state: AccountState): Promise<void> {
    const account = this.#accounts.get(state.key);
    if (account === undefined) this.#accounts.set(state.key, { state });
    else account.state = state;
    this.#lookAtAll();
    this.wake();
  }

  async drop(key: AccountKey): Promise<void> {
    this.#accounts.delete(key);
  }

  state(key: AccountKey): AccountState | undefined {
    return this.#accounts.get(key)?.state;
  }

  wake(): void {
    this.#alarm.abort(woken);
  }

  async idle(): Promise<void> {
    for (;;) {
      // What has just been woken has its turn first.
      await pause();
      const isPausing = this.#begunInARow >= pauseEvery;
      if (this.#isAtRest && this.#running.size === 0 && !isPausing) return;
      await new Promise<void>((resolve) => this.#waiting.add(resolve));
    }
  }

  async work(worker: Worker, stop: AbortSignal): Promise<void> {
    const job = { worker, stop };
    const wake = () => this.wake();
    stop.addEventListener("abort", wake);
    try {
      while (!stop.aborted) {
        // Whatever wakes from here on must not be slept over.
        this.#alarm = new AbortController();
        if (this.#now(job) >= this.#lookAt) await this.#look(job);
        this.#begin(job);
        await worker.tick?.();
        await this.#nap(job);
      }
    } finally {
      stop.removeEventListener("abort", wake);
      // Whatever ends the loop, what is on the wire is saved.
      await Promise.allSettled(this.#running);
    }
  }

  /** The time; and whether the clock was set back since it was looked at. */
  #now({ worker }: Job): number {
    const now = this.#clock.now();
    const back = this.#seen - now;
    this.#seen = now;
    if (back <= clockTolerance) return now;
    worker.clockSet(-back);
    this.#queue.releaseAll();
    for (const account of this.#accounts.values()) {
      account.state = clockWasSetBack(account.state, back);
      if (account.busySince !== undefined) account.busySince -= back;
    }
    this.#lookAtAll();
    return now;
  }

  #lookAtAll(): void {
    this.#lookAt = 0;
    this.#lookAtFilesAt = 0;
  }

  /** Finds what is due, and when the next one is. */
  async #look(job: Job): Promise<void> {
    await this.#lookAtFiles(job);
    const now = this.#now(job);
    let next = this.#lookAtFilesAt;
    const due: Account[] = [];
    for (const account of this.#accounts.values()) {
      this.#settle(account, expired(account.state, now, account.busySince), job);
      if (account.busySince !== undefined) continue;
      const at = nextAt(account.state) ?? Number.POSITIVE_INFINITY;
      if (at <= now) due.push(account);
      else next = Math.min(next, at);
    }
    this.#lookAt = next;
    await this.#queueAll(due, now, job);
  }

  #settle(account: Account, settled: Settled, { worker }: Job): void {
    account.state = settled.event === undefined ? settled.state : worker.tell(settled);
  }

  /** Tokens before proofs, and whose token ends first comes first. */
  async #queueAll(due: readonly Account[], now: number, job: Job): Promise<void> {
    const rank = ({ state }: Account) => (isRefreshDue(state, now) ? 0 : 1);
    const expiresAt = ({ state }: Account) => state.life?.expiresAt ?? 0;
    const sorted = due.toSorted(
      (one, other) => rank(one) - rank(other) || expiresAt(one) - expiresAt(other),
    );
    for (const [index, account] of sorted.entries()) {
      const { key, server = await job.worker.serverOf(key) } = account.state;
      if (server !== account.state.server) account.state = { ...account.state, server };
      if (index % pauseEvery === pauseEvery - 1) await pause();
      if (job.stop.aborted) return;
      account.busySince = this.#clock.now();
      this.#queue.add(account, server ?? "");
      if (index % pauseEvery === 0) this.#begin(job);
    }
  }

  /** A new content of its file makes a refused account worth another try now. */
  async #lookAtFiles(job: Job): Promise<void> {
    const now = this.#now(job);
    if (now < this.#lookAtFilesAt) return;
    this.#lookAtFilesAt = now + longestNap;
    // A turn that is under way may change it itself.
    const refused = [...this.#accounts.values()].filter(
      ({ state, busySince }) => state.refused !== undefined && busySince === undefined,
    );
    for (const [index, account] of refused.entries()) {
      if (index % pauseEvery === pauseEvery - 1) await pause();
      if (!(await job.worker.isWorthATry(account.state))) continue;
      this.#settle(account, tryAgain(account.state, this.#now(job)), job);
    }
  }

  /** Begins as many turns as there is room for. */
  #begin(job: Job): void {
    if (job.stop.aborted || this.#begunInARow >= pauseEvery) return;
    for (const begun of this.#queue.begin(this.#clock.now())) {
      if (this.#accounts.get(begun.one.state.key) !== begun.one) {
        begun.leave();
        continue;
      }
      this.#run(begun, job);
      this.#begunInARow += 1;
      if (this.#begunInARow >= pauseEvery) {
        // A turn that finds nothing to do ends without waiting for anything, and begins the next one.
        void pause().then(() => this.#beginAgain(job));
        return;
      }
    }
  }

  #beginAgain(job: Job): void {
    this.#begunInARow = 0;
    this.#begin(job);
    this.#tellWaiting();
  }

  #run({ one: account, isCrowded, ...place }: Begun<Account>, job: Job): void {
    // What is about to be sent or stored goes before the next one.
    const thenBegin = (left: () => void) => () => {
      left();
      queueMicrotask(() => this.#begin(job));
    };
    const taken = job.worker.take({
      get state() {
        return account.state;
      },
      isCrowded,
      now: () => this.#now(job),
      onReady: thenBegin(place.onReady),
      onLastAnswer: thenBegin(place.onLastAnswer),
    });
    const turn = taken
      .then(({ state, pause: ms = 0 }) => {
        account.state = state;
        if (ms > 0) this.#queue.hold(state.server ?? "", this.#clock.now() + ms);
      })
      .finally(() => {
        account.busySince = undefined;
        this.#running.delete(turn);
        place.leave();
        this.#lookAt = Math.min(this.#lookAt, nextAt(account.state) ?? this.#lookAt);
        this.#begin(job);
        this.wake();
      });
    this.#running.add(turn);
  }

  async #nap(job: Job): Promise<void> {
    const before = this.#now(job);
    const next = Math.min(this.#lookAt, this.#queue.nextRelease(before));
    const ms = napUntil(next, before, job.worker.longestNap?.());
    if (job.stop.aborted) return;
    const nap = this.#clock.sleep(ms, this.#alarm.signal).catch(() => undefined);
    this.#isAtRest = true;
    this.#tellWaiting();
    await nap;
    this.#isAtRest = false;
    const ahead = this.#now(job) - (before + ms);
    if (ahead <= longestNap) return;
    job.worker.clockSet(ahead);
    this.#lookAtAll();
  }

  #tellWaiting(): void {
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
  }
}
