import { type Stop, withWorld } from "./world.ts";

/** How many pieces of work have a signal in common, which takes longer to make than to use. */
const sharedBy = 16;

/** A signal that several pieces of work have, one after the other or at once. */
interface SharedSignal<W> {
  readonly world: W;
  begun: number;
  underWay: number;
  leave(): void;
}

/**
 * Gives pieces of work signals that soon are over, which the world's passes on to. What is combined with
 * one that lives for months (`AbortSignal.any`) is never given back by Node, neither by version 20 nor by
 * 24.
 */
export class ShortSignals<W extends Stop> {
  readonly #world: W;
  #current: SharedSignal<W> | undefined;

  constructor(world: W) {
    this.#world = world;
  }

  async with<T>(work: (world: W) => Promise<T>): Promise<T> {
    const shared = this.#next();
    try {
      return await work(shared.world);
    } finally {
      shared.underWay -= 1;
      if (shared.underWay === 0) this.#giveBack(shared);
    }
  }

  #next(): SharedSignal<W> {
    const known = this.#current;
    const shared = known === undefined || known.begun >= sharedBy ? share(this.#world) : known;
    this.#current = shared;
    shared.begun += 1;
    shared.underWay += 1;
    return shared;
  }

  #giveBack(shared: SharedSignal<W>): void {
    shared.leave();
    if (this.#current === shared) this.#current = undefined;
  }
}

function share<W extends Stop>(world: W): SharedSignal<W> {
  const { interrupted } = world;
  const own = new AbortController();
  process.getBuiltinModule("node:events").setMaxListeners(0, own.signal);
  const pass = () => own.abort(interrupted.reason);
  interrupted.addEventListener("abort", pass);
  if (interrupted.aborted) pass();
  return {
    world: withWorld(world, { interrupted: own.signal }),
    begun: 0,
    underWay: 0,
    leave: () => interrupted.removeEventListener("abort", pass),
  };
}
