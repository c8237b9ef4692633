import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type AccountState, newState, nextAt, type Settled } from "../../src/keep/account-state.ts";
import type { Due, Foreseen, MakeEngine, Taken, Worker } from "../../src/keep/engine.ts";
import { ProcessEngine } from "../../src/keep/process-engine.ts";
import type { Clock } from "../../src/world/world.ts";
import { jsonEngine } from "../scene/json-engine.ts";

const second = 1000;
const minute = 60 * second;
const start = Date.parse("2026-11-20T12:00:00Z");

/** A clock that stands until it is moved, or set. */
class StandingClock implements Clock {
  time = start;
  #awake = 0;
  readonly #sleepers = new Set<{ at: number; wake: () => void }>();

  now(): number {
    return this.time;
  }

  random(): number {
    return 0.5;
  }

  after(): () => void {
    return () => undefined;
  }

  deadline(): AbortSignal {
    return new AbortController().signal;
  }

  sleep(ms: number, stop?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const sleeper = { at: this.#awake + ms, wake: resolve };
      this.#sleepers.add(sleeper);
      const giveUp = () => {
        this.#sleepers.delete(sleeper);
        reject(stop?.reason);
      };
      if (stop?.aborted === true) giveUp();
      else stop?.addEventListener("abort", giveUp);
    });
  }

  pass(ms: number): void {
    this.time += ms;
    this.#awake += ms;
    for (const sleeper of this.#sleepers) {
      if (sleeper.at > this.#awake) continue;
      this.#sleepers.delete(sleeper);
      sleeper.wake();
    }
  }
}

/** A worker whose turns end when the test says so, or at once, and are due again after an hour. */
class ScriptedWorker implements Worker {
  readonly turns: (Due & { end(taken?: Partial<Taken>): void })[] = [];
  readonly told: Settled[] = [];
  readonly clock: number[] = [];
  readonly changed = new Set<string>();
  /** when tokens end that nobody has looked at yet, ms since 1970 */
  readonly ends = new Map<string, number>();
  waits = false;

  take(due: Due): Promise<Taken> {
    return new Promise((resolve) => {
      const end = (taken: Partial<Taken> = {}) =>
        resolve({ state: later(due, 60 * minute), ...taken });
      // A copy of what is handed out would not show what it is by now.
      this.turns.push(Object.assign(Object.create(due) as Due, { end }));
      due.onReady();
      if (!this.waits) end();
    });
  }

  get keys(): string[] {
    return this.turns.map(({ state }) => state.key);
  }

  async foresee(key: string): Promise<Foreseen> {
    return { server: key.split("@")[1], expiresAt: this.ends.get(key) };
  }

  async isWorthATry({ key }: AccountState): Promise<boolean> {
    return this.changed.has(key);
  }

  tell(settled: Settled): AccountState {
    if (settled.event !== undefined) this.told.push(settled);
    return settled.state;
  }

  clockSet(ms: number): void {
    this.clock.push(ms);
  }
}

function later({ state, now }: Due, ms: number): AccountState {
  return { ...state, refreshAt: now() + ms, proveAt: now() + ms, isLookedAt: true };
}

const refused = { kind: "signInNeeded", times: 1, isByMailServer: false };

/** The same for whoever works accounts off. */
function suite(name: string, makeEngine: MakeEngine): void {
  describe(name, () => {
    async function begin(keys: readonly string[], concurrency = 2, worker = new ScriptedWorker()) {
      const clock = new StandingClock();
      const engine = makeEngine(clock, concurrency);
      const stop = new AbortController();
      for (const key of keys) await engine.put(newState(key));
      const work = engine.work(worker, stop.signal);
      const turns = async (count: number) => {
        while (worker.turns.length < count) await new Promise((resolve) => setImmediate(resolve));
      };
      const end = async () => {
        stop.abort();
        for (const turn of worker.turns) turn.end();
        await work;
      };
      return { clock, engine, worker, turns, stop, work, end };
    }

    test("is idle when everybody has had a turn, and not before", async () => {
      const { engine, worker, turns, end } = await begin(["1@a", "2@a", "3@a", "1@b"]);
      await engine.idle();
      assert.deepEqual(worker.keys.toSorted(), ["1@a", "1@b", "2@a", "3@a"]);
      worker.waits = true;
      await engine.put(newState("4@a"));
      let isIdle = false;
      const idle = engine.idle().then(() => {
        isIdle = true;
      });
      await turns(5);
      assert.equal(isIdle, false);
      worker.turns[4]?.end();
      await idle;
      await end();
    });

    test("begins with what has ended, and goes on with what ends first", async () => {
      const worker = new ScriptedWorker();
      worker.ends.set("1@a", start + 60 * minute).set("2@a", start + minute);
      worker.ends.set("3@a", start - 2 * minute).set("4@a", start - minute);
      const { engine, end } = await begin(["1@a", "2@a", "3@a", "4@a"], 1, worker);
      await engine.idle();
      assert.deepEqual(worker.keys, ["3@a", "4@a", "2@a", "1@a"]);
      await end();
    });

    test("hands out what is due at its time", async () => {
      const { clock, engine, worker, end } = await begin(["1@a"]);
      await engine.idle();
      assert.equal(nextAt(engine.state("1@a") ?? newState("")), start + 60 * minute);
      for (let passed = 0; passed < 59; passed += 1) {
        clock.pass(minute);
        await engine.idle();
      }
      assert.equal(worker.turns.length, 1);
      clock.pass(minute);
      await engine.idle();
      assert.equal(worker.turns.length, 2);
      await end();
    });

    test("no more at one server than are allowed, and the others go on", async () => {
      const worker = new ScriptedWorker();
      worker.waits = true;
      const { turns, engine, end } = await begin(["1@a", "2@a", "3@a", "1@b"], 2, worker);
      await turns(3);
      assert.deepEqual(worker.keys.toSorted(), ["1@a", "1@b", "2@a"]);
      worker.turns[0]?.onLastAnswer();
      await turns(4);
      for (const turn of worker.turns) turn.end();
      await engine.idle();
      await end();
    });

    test("nobody at a server that has asked for patience, until that is over", async () => {
      const worker = new ScriptedWorker();
      worker.waits = true;
      const { clock, turns, engine, end } = await begin(["1@a", "2@a", "1@b"], 1, worker);
      await turns(2);
      worker.waits = false;
      for (const turn of worker.turns) turn.end(turn.state.key === "1@a" ? { pause: minute } : {});
      await engine.idle();
      assert.deepEqual(worker.keys, ["1@a", "1@b"]);
      clock.pass(minute);
      await engine.idle();
      assert.deepEqual(worker.keys, ["1@a", "1@b", "2@a"]);
      await end();
    });

    test("one that was put otherwise is due as that says; one that was dropped never", async () => {
      const { clock, engine, worker, end } = await begin(["1@a", "2@a"]);
      await engine.idle();
      await engine.drop("1@a");
      await engine.put({ ...(engine.state("2@a") ?? newState("2@a")), refreshAt: clock.now() });
      clock.pass(second);
      await engine.idle();
      assert.deepEqual(worker.keys.slice(2), ["2@a"]);
      assert.equal(engine.state("1@a"), undefined);
      await end();
    });

    test("a refused one whose file has changed within a minute", async () => {
      const { clock, engine, worker, end } = await begin([]);
      await engine.put({ ...newState("1@a"), refreshAt: undefined, proveAt: undefined, refused });
      clock.pass(minute);
      await engine.idle();
      assert.equal(worker.turns.length, 0);
      worker.changed.add("1@a");
      clock.pass(minute);
      await engine.idle();
      assert.deepEqual(worker.keys, ["1@a"]);
      assert.deepEqual(
        worker.told.map(({ event }) => event?.is),
        ["triedAgain"],
      );
      await end();
    });

    test("after the clock was set back, everything after as much time as before", async () => {
      const { clock, engine, worker, end } = await begin(["1@a"]);
      await engine.idle();
      clock.time -= 10 * 60 * minute;
      clock.pass(minute);
      await engine.idle();
      assert.deepEqual(worker.clock, [-(10 * 60 - 1) * minute]);
      for (let passed = 0; passed < 60; passed += 1) {
        clock.pass(minute);
        await engine.idle();
      }
      assert.equal(worker.turns.length, 2);
      await end();
    });

    test("also in the middle of a turn, whose end is settled by the clock as it is by then", async () => {
      const worker = new ScriptedWorker();
      worker.waits = true;
      const { clock, engine, turns, end } = await begin(["1@a"], 1, worker);
      await turns(1);
      clock.time -= 60 * minute;
      worker.turns[0]?.end({ state: later(worker.turns[0], minute) });
      await engine.idle();
      assert.deepEqual(worker.clock, [-60 * minute]);
      assert.equal(nextAt(engine.state("1@a") ?? newState("")), clock.now() + minute);
      await end();
    });

    test("nothing once it is stopped, and what is under way comes to its end", async () => {
      const worker = new ScriptedWorker();
      worker.waits = true;
      const { turns, stop, work } = await begin(["1@a", "2@a"], 1, worker);
      await turns(1);
      stop.abort();
      worker.turns[0]?.end();
      await work;
      assert.deepEqual(worker.keys, ["1@a"]);
    });
  });
}

suite("the engine of one process", (clock, concurrency) => new ProcessEngine(clock, concurrency));
suite("the same where accounts are written down and read again", jsonEngine);
