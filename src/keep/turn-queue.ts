import type { KeptAccount } from "./account.ts";

/** How many servers may have all of their places taken at once. */
const serversAtOnce = 4;

/** As many times the places of one are all that there are: each turn takes files and connections. */
const placesOfAll = 16;

/**
 * How many accounts of a server are made ready at once. With more of them, each one's request would only
 * leave when all of them are ready, and then all answers would come at once too.
 */
const madeReadyAtOnce = 8;

/** An account whose turn it is, and the place that it takes up. */
export interface Begun {
  readonly account: KeptAccount;
  /** others at its server wait for a place, and perhaps for their token */
  readonly isCrowded: boolean;
  /** everything that has to be read is read, and somebody is asked */
  onReady(): void;
  /** the server has answered for the last time, and what is left is to be stored */
  onLastAnswer(): void;
  /** the turn has come to its end */
  leave(): void;
}

/**
 * Accounts that are due, by the authorization server that they ask. A server has as many places as are
 * allowed at once; while its answer is being stored, an account takes up none of them.
 */
export class TurnQueue {
  readonly #concurrency: number;
  readonly #ready = new Map<string, KeptAccount[]>();
  readonly #asking = new Map<string, number>();
  /** of these, those that are not ready to ask */
  readonly #preparing = new Map<string, number>();
  #storing = 0;
  #underWay = 0;
  /** until when nothing is begun at a server that has asked for it, ms since 1970 */
  readonly #heldUntil = new Map<string, number>();

  constructor(concurrency: number) {
    this.#concurrency = concurrency;
  }

  add(account: KeptAccount): void {
    const ready = this.#ready.get(account.server);
    if (ready === undefined) this.#ready.set(account.server, [account]);
    else ready.push(account);
  }

  /** @returns those that have not begun, and do not wait here any more */
  clear(): KeptAccount[] {
    const waiting = [...this.#ready.values()].flat();
    this.#ready.clear();
    return waiting;
  }

  /** Begins nothing at a server before a time in ms since 1970. */
  hold(server: string, until: number): void {
    this.#heldUntil.set(server, until);
  }

  releaseAll(): void {
    this.#heldUntil.clear();
  }

  /** When the next server that is waited for may be asked again, ms since 1970. */
  nextRelease(now: number): number {
    const times = [...this.#ready.keys()].map((server) => this.#heldUntil.get(server) ?? 0);
    return Math.min(Number.POSITIVE_INFINITY, ...times.filter((time) => time > now));
  }

  /** All for whom there is a place now, one from each server after the other. */
  *begin(now: number): Generator<Begun> {
    for (let isBegun = true; isBegun; ) {
      isBegun = false;
      for (const [server, ready] of this.#ready) {
        if (!this.#hasRoom(server, now)) continue;
        const isCrowded = ready.length > this.#concurrency - this.#askingAt(server);
        const account = ready.shift();
        if (ready.length === 0) this.#ready.delete(server);
        if (account === undefined) continue;
        isBegun = true;
        yield this.#enter(account, server, isCrowded);
      }
    }
  }

  #hasRoom(server: string, now: number): boolean {
    const asking = this.#askingAt(server);
    const isHeld = (this.#heldUntil.get(server) ?? 0) > now;
    // Servers that do not answer must leave every other one its place.
    const many = this.#concurrency * (asking > 0 ? serversAtOnce : placesOfAll);
    const isFull = this.#underWay >= many;
    const isRoom = asking < this.#concurrency && this.#storing < this.#concurrency;
    if ((this.#preparing.get(server) ?? 0) >= madeReadyAtOnce) return false;
    return !isHeld && !isFull && isRoom;
  }

  #askingAt(server: string): number {
    return this.#asking.get(server) ?? 0;
  }

  #enter(account: KeptAccount, server: string, isCrowded: boolean): Begun {
    let state: "asking" | "storing" | "left" = "asking";
    let isReady = false;
    this.#underWay += 1;
    add(this.#asking, server, 1);
    add(this.#preparing, server, 1);
    const onReady = () => {
      if (!isReady) add(this.#preparing, server, -1);
      isReady = true;
    };
    const answered = () => {
      onReady();
      if (state === "asking") add(this.#asking, server, -1);
    };
    return {
      account,
      isCrowded,
      onReady,
      onLastAnswer: () => {
        answered();
        if (state === "asking") this.#storing += 1;
        state = "storing";
      },
      leave: () => {
        answered();
        if (state === "storing") this.#storing -= 1;
        if (state !== "left") this.#underWay -= 1;
        state = "left";
      },
    };
  }
}

function add(counts: Map<string, number>, server: string, by: number): void {
  counts.set(server, (counts.get(server) ?? 0) + by);
}
