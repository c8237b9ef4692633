import { EventEmitter, once } from "node:events";
import { pause } from "../world/waiting.ts";
import type { Clock } from "../world/world.ts";
import {
  type AccountState,
  clockWasSetBack,
  expired,
  inOneShape,
  nextAt,
  tryAgain,
} from "./account-state.ts";
import type { Engine, Worker } from "./engine.ts";
import type { AccountKey } from "./events.ts";
import { longestNap, napUntil } from "./schedule.ts";
import { type Place, TurnQueue } from "./turn-queue.ts";
import { type Account, comesBefore, inSteps, isEnded } from "./waiting-accounts.ts";

/** Why a nap ends; Node's own reason would hold a stack trace, for every turn. */
const woken = "woken";

/** A clock is set right by less all the time; ms. */
const clockTolerance = 1000;

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
  readonly #queue: TurnQueue;
  /** ends the nap */
  #alarm = new AbortController();
  #isNapping = false;
  /** tells of every `nap` */
  readonly #events = new EventEmitter();
  /** when the next account has to be looked at, and the files of those that are refused */
  #lookAt = 0;
  #lookAtFilesAt = 0;
  /** the time when it was looked at last */
  #seen = Number.NEGATIVE_INFINITY;

  /** @param concurrency how many turns may be under way at one authorization server */
  constructor(clock: Clock, concurrency: number) {
    this.#clock = clock;
    this.#queue = new TurnQueue(clock, concurrency);
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
    // What has just been woken has its turn first.
    await pause();
    while (!this.#isNapping || !this.#queue.isAtRest) {
      if (!this.#queue.isPausing) await once(this.#events, "nap");
      await pause();
    }
  }

  async work(worker: Worker, stop: AbortSignal): Promise<void> {
    const job = { worker, stop };
    const onStop = () => {
      void this.#queue.stop();
      this.wake();
    };
    stop.addEventListener("abort", onStop);
    try {
      while (!stop.aborted) {
        // Whatever wakes from here on must not be slept over.
        this.#alarm = new AbortController();
        if (this.#now(job) >= this.#lookAt) await this.#look(job);
        this.#queue.fill();
        await worker.tick?.();
        await this.#nap(job);
      }
    } finally {
      stop.removeEventListener("abort", onStop);
      // Whatever ends the loop, what is on the wire is saved.
      await this.#queue.stop();
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
    this.#lookAt = this.#lookAtFilesAt;
    const due: Account[] = [];
    for (const account of this.#accounts.values()) {
      account.state = job.worker.tell(expired(account.state, now, account.busySince));
      if (account.busySince !== undefined) continue;
      const next = nextAt(account.state);
      if (next !== undefined && next <= now) due.push(account);
      else this.#lookAt = Math.min(this.#lookAt, next ?? this.#lookAt);
    }
    due.sort((one, other) => comesBefore(one, other, now));
    // Somebody may be waiting for a token that has ended: these go before all that are only looked at.
    const rest: Account[] = [];
    const beginSome = () => {
      this.#queue.fill();
      return !job.stop.aborted;
    };
    await inSteps(
      due,
      async (account) => {
        if (await isEnded(account, job.worker, now)) this.#enqueue(account, job);
        else rest.push(account);
      },
      beginSome,
    );
    rest.sort((one, other) => comesBefore(one, other, now));
    await inSteps(rest, async (account) => this.#enqueue(account, job), beginSome);
  }

  #enqueue(account: Account, job: Job): void {
    account.busySince = this.#clock.now();
    const server = account.state.server ?? "";
    this.#queue.add(server, (place) => this.#take(account, place, job));
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
    await inSteps(refused, async (account) => {
      if (!(await job.worker.isWorthATry(account.state))) return;
      account.state = job.worker.tell(tryAgain(account.state, this.#now(job)));
    });
  }

  async #take(account: Account, place: Place, job: Job): Promise<void> {
    try {
      // Somebody may have dropped it while it waited.
      if (this.#accounts.get(account.state.key) !== account) return;
      const { state, pause: ms = 0 } = await job.worker.take({
        ...place,
        get state() {
          return account.state;
        },
        now: () => this.#now(job),
      });
      account.state = inOneShape(state);
      if (ms > 0) this.#queue.hold(state.server ?? "", this.#clock.now() + ms);
    } finally {
      account.busySince = undefined;
      this.#lookAt = Math.min(this.#lookAt, nextAt(account.state) ?? this.#lookAt);
      this.wake();
    }
  }

  async #nap(job: Job): Promise<void> {
    const before = this.#now(job);
    const next = Math.min(this.#lookAt, this.#queue.nextRelease(before));
    const ms = napUntil(next, before, job.worker.longestNap?.());
    if (job.stop.aborted) return;
    const nap = this.#clock.sleep(ms, this.#alarm.signal).catch(() => undefined);
    this.#isNapping = true;
    this.#events.emit("nap");
    await nap;
    this.#isNapping = false;
    const ahead = this.#now(job) - (before + ms);
    if (ahead <= longestNap) return;
    job.worker.clockSet(ahead);
    this.#lookAtAll();
  }
}
