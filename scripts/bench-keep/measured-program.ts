// A program that bench-keep.ts watches: how much it has used, and which tokens it tells to be new.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { before } from "../measure.ts";
import type { Command } from "./scene.ts";

/** 10 ms are how often the event loop is looked at, and count as none of its delay */
const resolution = 10;

/** What is asked of the program: how it is, or to have the clock go ahead by an hour and a bit. */
type Asked = "usage" | "hour";

/**
 * Makes the program tell how it is, in a line on file descriptor 3, whenever it is asked and at its end;
 * the stall since it told before. Its clock can be put ahead, and whatever it naps for then is over.
 */
const watched = (watchesLoop: boolean, chance: number | undefined) =>
  before(`
    import { readFileSync, writeSync } from "node:fs";
    import { monitorEventLoopDelay } from "node:perf_hooks";
    const loop = monitorEventLoopDelay({ resolution: ${resolution} });
    if (${watchesLoop}) loop.enable();
    const mainThread = () => {
      try {
        return Number(readFileSync("/proc/self/task/" + process.pid + "/schedstat", "utf8").split(" ")[0]) / 1000;
      } catch {
        return Number.NaN;
      }
    };
    const tell = () => {
      writeSync(3, JSON.stringify({
        cpu: process.cpuUsage(),
        main: mainThread(),
        rss: process.memoryUsage.rss(),
        peak: process.resourceUsage().maxRSS * 1024,
        stall: Math.max(0, loop.max / 1e6 - ${resolution}),
      }) + "\\n");
      loop.reset();
    };
    let ahead = 0;
    const { now } = Date;
    Date.now = () => now() + ahead;
    if (${chance !== undefined}) Math.random = () => ${chance};
    const naps = new Map();
    const { setTimeout: set, clearTimeout: clear } = globalThis;
    globalThis.setTimeout = (run, ms, ...args) => {
      const timer = set(run, ms, ...args);
      if (ms > 5000) naps.set(timer, run);
      return timer;
    };
    globalThis.clearTimeout = (timer) => {
      naps.delete(timer);
      clear(timer);
    };
    process.on("message", (asked) => {
      if (asked === "usage") return tell();
      ahead += 3_700_000;
      const all = [...naps];
      naps.clear();
      for (const [timer, run] of all) {
        clear(timer);
        run();
      }
    });
    process.channel.unref();
    process.on("exit", tell);`);

export interface Usage {
  /** microseconds */
  readonly cpu: { readonly user: number; readonly system: number };
  /** of the main thread, microseconds; NaN where the system does not tell */
  readonly main: number;
  /** bytes */
  readonly rss: number;
  readonly peak: number;
  /** ms */
  readonly stall: number;
}

/** microseconds */
export function cpuOf({ cpu }: Usage): number {
  return cpu.user + cpu.system;
}

/** A child process that tells of every new token on its standard error. */
export class MeasuredProgram {
  readonly #child: ChildProcess;
  readonly #usages: ((usage: Usage) => void)[] = [];
  #last: Usage | undefined;
  #lines = 0;
  #rest = "";
  #written = "";
  #onLine: () => void = () => undefined;

  /** @param chance what the program takes for random, from 0 up to 1 */
  constructor(
    { args, env }: Command,
    {
      watchesLoop = true,
      nodeFlags = [],
      chance,
    }: { watchesLoop?: boolean; nodeFlags?: readonly string[]; chance?: number } = {},
  ) {
    this.#child = spawn(
      process.execPath,
      [...nodeFlags, "--import", watched(watchesLoop, chance), ...args],
      { stdio: ["ignore", "ignore", "pipe", "pipe", "ipc"], env },
    );
    this.#child.stderr?.setEncoding("utf8").on("data", (chunk: string) => {
      const lines = (this.#rest + chunk).split("\n");
      this.#rest = lines.pop() ?? "";
      this.#written = lines.at(-1) ?? this.#written;
      this.#lines += lines.filter((line) => line.includes(": a new token, ")).length;
      this.#onLine();
    });
    let told = "";
    this.#child.stdio[3]?.on("data", (chunk: Buffer) => {
      told += chunk;
      const lines = told.split("\n");
      told = lines.pop() ?? "";
      for (const line of lines) {
        this.#last = JSON.parse(line) as Usage;
        this.#usages.shift()?.(this.#last);
      }
    });
  }

  /** Resolves when it has told of as many new tokens in all; with the time, ms since 1970. */
  async refreshed(count: number): Promise<number> {
    await new Promise<void>((resolve, reject) => {
      this.#onLine = () => {
        if (this.#lines >= count) resolve();
      };
      this.#child.once("exit", () => reject(new Error(`it ended: ${this.#written}`)));
      this.#onLine();
    });
    return Date.now();
  }

  /** Resolves when it has begun. */
  async begun(): Promise<void> {
    if (this.#written === "") await once(this.#child.stderr ?? this.#child, "data");
  }

  async usage(): Promise<Usage> {
    const usage = new Promise<Usage>((resolve) => this.#usages.push(resolve));
    this.#send("usage");
    return usage;
  }

  /** Resolves when, for a second, it has done next to nothing; with what it had used by then. */
  async quiet(): Promise<Usage> {
    let used = await this.usage();
    for (;;) {
      await new Promise((resolve) => setTimeout(resolve, 1000));
      const now = await this.usage();
      const isQuiet = cpuOf(now) - cpuOf(used) < 20_000;
      used = now;
      if (isQuiet) return used;
    }
  }

  /** Lets an hour pass for it. */
  passHour(): void {
    this.#send("hour");
  }

  hangUp(): void {
    this.#child.kill("SIGHUP");
  }

  /** Ends it at once, whatever it is about; does nothing after its end. */
  kill(): void {
    this.#child.kill("SIGKILL");
  }

  /** @returns what it had used by its end */
  async stop(): Promise<Usage> {
    const closed = once(this.#child, "close");
    this.#child.kill("SIGTERM");
    await closed;
    if (this.#last === undefined) throw new Error(`it told nothing: ${this.#written}`);
    return this.#last;
  }

  #send(asked: Asked): void {
    this.#child.send(asked);
  }
}
