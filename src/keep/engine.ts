import type { Clock } from "../world/world.ts";
import type { AccountState, Settled } from "./account-state.ts";
import type { AccountKey } from "./events.ts";
import type { Place } from "./turn-queue.ts";

/** An account whose turn it is. */
export interface Due extends Place {
  /** as it stands now, also in the middle of its turn */
  readonly state: AccountState;
  /** ms since 1970, by the clock that the engine goes by */
  now(): number;
}

/** What has come of a turn. */
export interface Taken {
  readonly state: AccountState;
  /** how long everybody at its server is to wait, because that has asked for it; ms */
  readonly pause?: number | undefined;
}

/** What is known of an account that nobody has looked at yet. */
export interface Foreseen {
  /** whom it will ask for tokens */
  readonly server: string | undefined;
  /** when the stored token ends, ms since 1970 */
  readonly expiresAt: number | undefined;
}

/** Who does the work that an engine hands out. Whatever happens to an account, nothing is thrown. */
export interface Worker {
  take(due: Due): Promise<Taken>;
  /** what can be told of an account before its first turn */
  foresee(key: AccountKey): Promise<Foreseen>;
  /** whether somebody has done something about an account that is refused */
  isWorthATry(state: AccountState): Promise<boolean>;
  /** tells what there is to tell, if anything, and notes that it is told */
  tell(settled: Settled): AccountState;
  /** the clock was set, or the machine slept: by so many ms ahead, or back where it is under 0 */
  clockSet(ms: number): void;
  /** whatever else is to be done now and then */
  tick?(): Promise<void>;
  /** ms until `tick` wants to be called again */
  longestNap?(): number | undefined;
}

/**
 * Who works accounts off and when: one process for all of them, or many that share a queue. Accounts go in
 * and out as data; their settings and credentials are the worker's to look up by their keys.
 */
export interface Engine {
  /** Works an account off from now on, or lets it stand otherwise than it did. */
  put(state: AccountState): Promise<void>;
  /** Leaves an account alone from now on; a turn that is under way comes to its end. */
  drop(key: AccountKey): Promise<void>;
  /** How an account stands, as far as this process knows. */
  state(key: AccountKey): AccountState | undefined;
  /** Hands out what is due, until it is stopped and every turn has come to its end. Once per engine. */
  work(worker: Worker, stop: AbortSignal): Promise<void>;
  /** Has the worker's `tick` called soon. */
  wake(): void;
  /** Resolves when at this time nothing is due or under way; never, once the work is over. */
  idle(): Promise<void>;
}

/** @param concurrency how many turns may be under way at one authorization server */
export type MakeEngine = (clock: Clock, concurrency: number) => Engine;
