import type { Ending, RunOptions, SignalName, World } from "../../src/world/world.ts";
import { type TestWorld, testWorld } from "./world.ts";

/** A command that ends when the test says so. */
export interface ScriptedChild {
  readonly file: string;
  readonly args: readonly string[];
  readonly env: RunOptions["env"];
  /** when it was started, ms since 1970 */
  readonly startedAt: number;
  /** what was sent to it */
  readonly signals: readonly SignalName[];
  end(how: number | NodeJS.Signals): void;
}

/** A world whose clock stands until it is moved, and whose commands are scripted. */
export interface CommandWorld extends TestWorld {
  /** whether there is no such program any more */
  isGone: boolean;
  /** every command that was started */
  readonly children: readonly ScriptedChild[];
  /** resolves when so many have been started */
  started(count: number): Promise<ScriptedChild>;
  /** moves the clock, and wakes whoever has slept for long enough */
  move(ms: number): void;
  /** resolves when somebody has begun to sleep so many times more */
  napped(count: number): Promise<void>;
  /** resolves when standard error holds the text so many times */
  said(text: string, count?: number): Promise<void>;
}

/** How long something may take that needs no clock, ms. */
const patience = 60_000;

export function commandWorld(cwd: string): CommandWorld {
  const world = testWorld({ cwd, now: Date.now() });
  const children: ScriptedChild[] = [];
  let naps = 0;
  const sleepers = new Set<{ at: number; wake: () => void }>();
  const until = async (isThere: () => boolean) => {
    const deadline = performance.now() + patience;
    while (!isThere()) {
      // A wait that nobody listens to any more must end as well, or its file never does.
      if (performance.now() > deadline) throw new Error("what was waited for did not come");
      // What it waits for is another process's, or the network's.
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  };
  const start: World["start"] = async (file, args, env) => {
    if (scripted.isGone) throw Object.assign(new Error("spawn"), { code: "ENOENT" });
    const signals: SignalName[] = [];
    let settle: (how: Ending) => void = () => {};
    const ended = new Promise<Ending>((resolve) => {
      settle = resolve;
    });
    const end = (how: number | NodeJS.Signals) =>
      settle(typeof how === "number" ? { status: how } : { signal: how });
    children.push({ file, args, env, startedAt: world.now(), signals, end });
    return { ended, kill: (name) => void signals.push(name) };
  };
  const sleep: World["sleep"] = (ms, stop = world.interrupted) =>
    new Promise((resolve, reject) => {
      naps += 1;
      const sleeper = { at: world.now() + ms, wake: () => end(resolve) };
      const giveUp = () => end(() => reject(stop.reason));
      const end = (how: () => void) => {
        sleepers.delete(sleeper);
        stop.removeEventListener("abort", giveUp);
        how();
      };
      sleepers.add(sleeper);
      stop.addEventListener("abort", giveUp);
      if (stop.aborted) giveUp();
      else if (ms <= 0) setImmediate(sleeper.wake);
    });
  const scripted: CommandWorld = Object.assign(world, {
    isGone: false,
    start,
    isProgram: async () => true,
    sleep,
    children,
    async started(count: number) {
      await until(() => children.length >= count);
      return children[count - 1] as ScriptedChild;
    },
    move(ms: number) {
      world.advance(ms);
      for (const sleeper of [...sleepers]) if (sleeper.at <= world.now()) sleeper.wake();
    },
    napped(count: number) {
      const before = naps;
      return until(() => naps >= before + count);
    },
    said: (text: string, count = 1) => until(() => world.written.stderr.split(text).length > count),
  });
  return scripted;
}
