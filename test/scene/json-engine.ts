import assert from "node:assert/strict";
import type { AccountState } from "../../src/keep/account-state.ts";
import type { Engine, MakeEngine, Worker } from "../../src/keep/engine.ts";
import { ProcessEngine } from "../../src/keep/process-engine.ts";

/** What is left of a state that was written down and read again; fails where something gets lost. */
export function copied(state: AccountState): AccountState {
  const text = JSON.stringify(state, (name, value) => {
    const isPlain = Object(value) !== value || Array.isArray(value) || isRecord(value);
    assert.ok(isPlain && typeof value !== "function", `${name} is no data`);
    assert.ok(typeof value !== "number" || Number.isFinite(value), `${name} is ${value}`);
    return value;
  });
  return JSON.parse(text) as AccountState;
}

function isRecord(value: object): boolean {
  return Object.getPrototypeOf(value) === Object.prototype;
}

/** Hands accounts out and takes them back as another process would: written down and read again. */
export const jsonEngine: MakeEngine = (clock, concurrency) => {
  const engine = new ProcessEngine(clock, concurrency);
  const written = (worker: Worker): Worker => ({
    async take(turn) {
      const handed = Object.defineProperty({ ...turn }, "state", { get: () => copied(turn.state) });
      const { state, pause } = await worker.take(handed);
      return { state: copied(state), pause };
    },
    foresee: (key) => worker.foresee(key),
    isWorthATry: (state) => worker.isWorthATry(copied(state)),
    tell: ({ state, event }) => copied(worker.tell({ state: copied(state), event })),
    clockSet: (ms) => worker.clockSet(ms),
    tick: async () => worker.tick?.(),
    longestNap: () => worker.longestNap?.(),
  });
  return {
    put: (state) => engine.put(copied(state)),
    drop: (key) => engine.drop(key),
    state: (key) => engine.state(key),
    work: (worker, stop) => engine.work(written(worker), stop),
    wake: () => engine.wake(),
    idle: () => engine.idle(),
  } satisfies Engine;
};
