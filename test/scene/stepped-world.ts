import { main } from "../../src/cli/main.ts";
import type { Engine, MakeEngine } from "../../src/keep/engine.ts";
import { ProcessEngine } from "../../src/keep/process-engine.ts";
import type { Result } from "./scene.ts";
import { type TestWorld, testWorld } from "./world.ts";

/**
 * A world in which `mxtoken keep` naps until the test lets time pass. Naps and deadlines go by the time
 * for which the machine is awake, as timers do; the clock may be set, and the machine may sleep.
 */
export interface SteppedWorld extends TestWorld {
  /** lets time pass: whatever becomes due is begun at its very moment, and comes to its end */
  step(ms: number): Promise<void>;
  /** lets time pass without waiting for anything to come to its end */
  tick(ms: number): void;
  /** resolves when the engine has nothing to do at this time, or when the program has ended */
  idle(): Promise<void>;
  /** resolves when something has come about without any time passing */
  until(isSo: () => boolean): Promise<void>;
  /** puts the machine to sleep: the clock goes on, and nothing else does */
  suspend(ms: number): void;
  /** sets the clock, by mistake or to mend one */
  setClock(ms: number): void;
  /** the time as it really is, whatever the clock says; ms since 1970 */
  trueNow(): number;
  /** runs the program in this process, with an engine that works accounts off in it */
  begin(args: readonly string[], engineOf?: MakeEngine): Running;
}

/** A program that runs in this process. */
export interface Running {
  readonly ended: Promise<Result>;
  /** undefined while it runs */
  readonly result: Result | undefined;
}

interface Alarm {
  readonly due: number;
  ring(): void;
}

export function steppedWorld(options: Parameters<typeof testWorld>[0]): SteppedWorld {
  const start = options.now ?? Date.now();
  const world = testWorld({ ...options, now: start });
  const advance = world.advance.bind(world);
  const alarms = new Set<Alarm>();
  let engine: Promise<Engine> | undefined;
  const random = dice();
  let awake = 0;
  let asleep = 0;
  let program: Promise<Result> | undefined;
  let result: Result | undefined;

  const setAlarm = (ms: number, ring: () => void) => {
    const alarm = { due: awake + ms, ring };
    alarms.add(alarm);
    return () => alarms.delete(alarm);
  };
  const tick = (ms: number) => {
    awake += ms;
    advance(ms);
    for (const alarm of alarms) {
      if (alarm.due > awake) continue;
      alarms.delete(alarm);
      alarm.ring();
    }
  };
  const idle = async () => {
    await Promise.race([program, engine?.then((begun) => begun.idle())]);
  };

  return Object.assign(world, {
    random,
    tick,
    idle,
    async step(ms: number) {
      const end = awake + ms;
      await idle();
      while (awake < end && result === undefined) {
        const next = Math.min(end, ...[...alarms].map(({ due }) => due));
        tick(Math.max(0, next - awake));
        await idle();
      }
    },
    async until(isSo: () => boolean) {
      while (!isSo()) await new Promise((resolve) => setImmediate(resolve));
    },
    suspend(ms: number) {
      asleep += ms;
      advance(ms);
    },
    setClock: advance,
    trueNow: () => start + awake + asleep,
    sleep(ms: number, stop = world.interrupted) {
      return new Promise<void>((resolve, reject) => {
        const end = () => {
          cancel();
          stop.removeEventListener("abort", giveUp);
        };
        const giveUp = () => {
          end();
          reject(stop.reason);
        };
        const cancel = setAlarm(ms, () => {
          end();
          resolve();
        });
        if (stop.aborted) giveUp();
        else stop.addEventListener("abort", giveUp);
      });
    },
    after: setAlarm,
    deadline(ms: number, cancel?: AbortSignal) {
      const controller = new AbortController();
      const forget = setAlarm(ms, () => controller.abort());
      cancel?.addEventListener("abort", forget, { once: true });
      return controller.signal;
    },
    begin(args: readonly string[], engineOf: MakeEngine = inProcess) {
      if (!world.stdin.writableEnded) world.stdin.end();
      let isMade = (_made: Engine) => {};
      engine = new Promise((resolve) => {
        isMade = resolve;
      });
      const ended = main(args, world, (clock, concurrency) => {
        const made = engineOf(clock, concurrency);
        isMade(made);
        return made;
      }).then((status) => {
        result = { status, ...world.written };
        return result;
      });
      program = ended;
      return {
        ended,
        get result() {
          return result;
        },
      };
    },
  });
}

const inProcess: MakeEngine = (world, concurrency) => new ProcessEngine(world, concurrency);

/** Numbers that look random, and are the same in every run (mulberry32). */
function dice(): () => number {
  let state = 7;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
