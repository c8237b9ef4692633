import { pause } from "../world/waiting.ts";
import type { Clock } from "../world/world.ts";

/** How many servers may have all of their places taken at once. */
const serversAtOnce = 4;

/** As many times the places of one are all that there are: each turn takes files and connections. */
const placesOfAll = 16;

/**
 * How many accounts of a server are made ready at once. With more of them, each one's request would only
 * leave when all of them are ready, and then all answers would come at once too.
 */
const madeReadyAtOnce = 8;

/** How many turns begin in a row before whatever else waits goes before. */
const pauseEvery = 50;

/** The place that a turn takes up. */
export interface Place {
  /** others at its server wait for a place, and perhaps for their token */
  readonly isCrowded: boolean;
  /** everything that has to be read is read, and somebody is asked */
  onReady(): void;
  /** the server has answered for the last time, and what is left is to be stored */
  onLastAnswer(): void;
}

type Turn = (place: Place) => Promise<void>;

/** How full a server is. */
interface Places {
  asking: number;
  /** of these, those that are not ready to ask */
  preparing: number;
  /** until when nothing is begun there because it has asked for that, ms since 1970 */
  heldUntil: number;
}

/**
 * Begins the turns that wait, by the authorization server that they ask; "" for all of whom nobody knows
 * yet. A server has as many places as are allowed at once; while its answer is being stored, an account
 * takes up none of them.
 */
export class TurnQueue {
  readonly #clock: Clock;
  readonly #concurrency: number;
  readonly #running = new Set<Promise<void>>();
  #begunInARow = 0;
  #isStopped = false;
  readonly #waiting = new Map<string, Turn[]>();
  readonly #places = new Map<string, Places>();
  #storing = 0;
  #underWay = 0;

  /** @param concurrency how many may be under way at one server */
  constructor(clock: Clock, concurrency: number) {
    this.#clock = clock;
    this.#concurrency = concurrency;
  }

  /** Whether whatever else waits goes before the next turn. */
  get isPausing(): boolean {
    return this.#begunInARow >= pauseEvery;
  }

  /** Whether no turn is under way, and none could begin. */
  get isAtRest(): boolean {
    return this.#running.size === 0 && !this.isPausing;
  }

  /** Begins no more. Resolves when every turn has come to its end. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.allSettled(this.#running);
  }

  add(server: string, turn: Turn): void {
    const waiting = this.#waiting.get(server);
    if (waiting === undefined) this.#waiting.set(server, [turn]);
    else waiting.push(turn);
  }

  /** Begins nothing at a server before a time in ms since 1970. */
  hold(server: string, until: number): void {
    this.#placesAt(server).heldUntil = until;
  }

  releaseAll(): void {
    for (const places of this.#places.values()) places.heldUntil = 0;
  }

  /** When the next server that is waited for may be asked again, ms since 1970. */
  nextRelease(now: number): number {
    const times = [...this.#waiting.keys()].map((server) => this.#placesAt(server).heldUntil);
    return Math.min(Number.POSITIVE_INFINITY, ...times.filter((time) => time > now));
  }

  /** Begins as many as there is room for, one from each server after the other. */
  fill(): void {
    for (let isBegun = true; isBegun; ) {
      isBegun = false;
      for (const [server, waiting] of this.#waiting) {
        if (this.#isStopped || this.isPausing) return;
        const places = this.#placesAt(server);
        if (!this.#hasRoom(places)) continue;
        const isCrowded = waiting.length > this.#concurrency - places.asking;
        const turn = waiting.shift();
        if (waiting.length === 0) this.#waiting.delete(server);
        if (turn === undefined) continue;
        isBegun = true;
        this.#begin(turn, places, isCrowded);
      }
    }
  }

  #begin(turn: Turn, places: Places, isCrowded: boolean): void {
    const { onReady, onLastAnswer, leave } = this.#enter(places);
    // What is about to be sent or stored goes before the next one.
    const thenFill = (left: () => void) => () => {
      left();
      queueMicrotask(() => this.fill());
    };
    const place = { isCrowded, onReady: thenFill(onReady), onLastAnswer: thenFill(onLastAnswer) };
    const running = turn(place).finally(() => {
      this.#running.delete(running);
      leave();
      this.fill();
    });
    this.#running.add(running);
    this.#begunInARow += 1;
    // A turn that finds nothing to do ends without waiting for anything, and begins the next one.
    if (this.isPausing) void pause().then(() => this.#fillAgain());
  }

  #fillAgain(): void {
    this.#begunInARow = 0;
    this.fill();
  }

  #placesAt(server: string): Places {
    const known = this.#places.get(server);
    if (known !== undefined) return known;
    const places = { asking: 0, preparing: 0, heldUntil: 0 };
    this.#places.set(server, places);
    return places;
  }

  #hasRoom({ asking, preparing, heldUntil }: Places): boolean {
    if (heldUntil > this.#clock.now() || preparing >= madeReadyAtOnce) return false;
    // Servers that do not answer must leave every other one its place.
    const many = this.#concurrency * (asking > 0 ? serversAtOnce : placesOfAll);
    const isRoom = asking < this.#concurrency && this.#storing < this.#concurrency;
    return isRoom && this.#underWay < many;
  }

  #enter(places: Places): Record<"onReady" | "onLastAnswer" | "leave", () => void> {
    let state: "preparing" | "asking" | "storing" | "left" = "preparing";
    this.#underWay += 1;
    places.asking += 1;
    places.preparing += 1;
    const onReady = () => {
      if (state !== "preparing") return;
      places.preparing -= 1;
      state = "asking";
    };
    const onLastAnswer = () => {
      onReady();
      if (state !== "asking") return;
      places.asking -= 1;
      this.#storing += 1;
      state = "storing";
    };
    const leave = () => {
      onLastAnswer();
      if (state !== "storing") return;
      this.#storing -= 1;
      this.#underWay -= 1;
      state = "left";
    };
    return { onReady, onLastAnswer, leave };
  }
}
