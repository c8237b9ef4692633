/** How many servers may have all of their places taken at once. */
const serversAtOnce = 4;

/** As many times the places of one are all that there are: each turn takes files and connections. */
const placesOfAll = 16;

/**
 * How many accounts of a server are made ready at once. With more of them, each one's request would only
 * leave when all of them are ready, and then all answers would come at once too.
 */
const madeReadyAtOnce = 8;

/** One whose turn it is, and the place that it takes up. */
export interface Begun<T> {
  readonly one: T;
  /** others at its server wait for a place, and perhaps for their token */
  readonly isCrowded: boolean;
  /** everything that has to be read is read, and somebody is asked */
  onReady(): void;
  /** the server has answered for the last time, and what is left is to be stored */
  onLastAnswer(): void;
  /** the turn has come to its end */
  leave(): void;
}

/** How full a server is. */
interface Places {
  asking: number;
  /** of these, those that are not ready to ask */
  preparing: number;
  /** until when nothing is begun there because it has asked for that, ms since 1970 */
  heldUntil: number;
}

/**
 * Those that are due, by the authorization server that they ask; "" for all of whom nobody knows yet.
 * A server has as many places as are allowed at once; while its answer is being stored, an account takes
 * up none of them.
 */
export class TurnQueue<T> {
  readonly #concurrency: number;
  readonly #waiting = new Map<string, T[]>();
  readonly #places = new Map<string, Places>();
  #storing = 0;
  #underWay = 0;

  constructor(concurrency: number) {
    this.#concurrency = concurrency;
  }

  add(one: T, server: string): void {
    const waiting = this.#waiting.get(server);
    if (waiting === undefined) this.#waiting.set(server, [one]);
    else waiting.push(one);
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

  /** All for whom there is a place now, one from each server after the other. */
  *begin(now: number): Generator<Begun<T>> {
    for (let isBegun = true; isBegun; ) {
      isBegun = false;
      for (const [server, waiting] of this.#waiting) {
        const places = this.#placesAt(server);
        if (!this.#hasRoom(places, now)) continue;
        const isCrowded = waiting.length > this.#concurrency - places.asking;
        const one = waiting.shift();
        if (waiting.length === 0) this.#waiting.delete(server);
        if (one === undefined) continue;
        isBegun = true;
        yield { one, isCrowded, ...this.#enter(places) };
      }
    }
  }

  #placesAt(server: string): Places {
    const known = this.#places.get(server);
    if (known !== undefined) return known;
    const places = { asking: 0, preparing: 0, heldUntil: 0 };
    this.#places.set(server, places);
    return places;
  }

  #hasRoom({ asking, preparing, heldUntil }: Places, now: number): boolean {
    if (heldUntil > now || preparing >= madeReadyAtOnce) return false;
    // Servers that do not answer must leave every other one its place.
    const many = this.#concurrency * (asking > 0 ? serversAtOnce : placesOfAll);
    const isRoom = asking < this.#concurrency && this.#storing < this.#concurrency;
    return isRoom && this.#underWay < many;
  }

  #enter(places: Places): Omit<Begun<T>, "one" | "isCrowded"> {
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
