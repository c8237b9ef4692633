import { execFileSync } from "node:child_process";
import { closeSync, existsSync, openSync, readFileSync, writeFileSync, writeSync } from "node:fs";
import { constants } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { temporaryDirectory } from "./certificates.ts";

/** A system call, by what it is for: `truncate` is ftruncate(2), `sync` fsync(2), `lock` fcntl(2). */
export type Call =
  | "open"
  | "read"
  | "write"
  | "truncate"
  | "sync"
  | "rename"
  | "link"
  | "unlink"
  | "mkdir"
  | "close"
  | "lock"
  | "chmod"
  | "chown"
  | "stat"
  | "access";

/**
 * What happens in place of a call, or with `-after` when it has been made: an error such as `EIO`, a
 * SIGKILL or SIGSTOP of the process by itself. `short` does half of what is to be read or written,
 * `kill-within` writes half and kills. `log` changes nothing.
 */
export type Action =
  | "log"
  | "short"
  | "kill"
  | "kill-after"
  | "kill-within"
  | "stop"
  | "stop-after"
  | ErrorName
  | `${ErrorName}-after`;

export type ErrorName = keyof typeof constants.errno;

/** What shall happen to calls of the program. */
export interface FaultRule {
  /** `*`: each of them */
  readonly call: Call | "*";
  /** the whole path, with `*` for anything, also for slashes; of a socket it is `socket:[…]` */
  readonly path: string;
  readonly action: Action;
  /** how many such calls are let pass first; by default none */
  readonly after?: number;
  /** how many are acted upon then; by default all */
  readonly times?: number;
}

/** A call that a rule has acted upon. */
export interface LoggedCall {
  /** ns by the machine's monotonic clock, as process.hrtime.bigint() */
  readonly at: bigint;
  readonly pid: number;
  readonly call: string;
  readonly action: string;
  /** what the program was told; undefined where it was killed or stopped */
  readonly result: number | undefined;
  /** the error number that it was told, or 0 */
  readonly error: number;
  readonly path: string;
  /** of rename and link: the new name */
  readonly second: string;
}

/** Where the faults of a process are prepared and told. */
export interface FaultOptions {
  /** a file that every call is told to that a rule acts upon */
  readonly log?: string;
  readonly clock?: MovedClock;
}

/**
 * The environment of a child process to which these faults happen, and to its own children.
 *
 * @throws Error when the shim cannot be compiled
 */
export function faultEnvironment(
  rules: readonly FaultRule[],
  { log, clock }: FaultOptions = {},
): Record<string, string> {
  const lines = rules.map(({ call, path, action, after = 0, times = -1 }) =>
    [call, path, numbered(action), after, times].join("\t"),
  );
  return {
    LD_PRELOAD: compiledShim(),
    FAULT_RULES: lines.join("\n"),
    // What is called that way passes no function of the C library.
    UV_USE_IO_URING: "0",
    ...(log === undefined ? {} : { FAULT_LOG: log }),
    ...(clock === undefined ? {} : { FAULT_CLOCK: clock.path }),
  };
}

/** With the number of an error in place of its name. */
function numbered(action: Action): string {
  return action.replace(/^E[A-Z0-9]+/, (name) => `E${Reflect.get(constants.errno, name)}`);
}

let compiled: string | undefined;

/** Compiled once; the compiler's own words are the error. */
function compiledShim(): string {
  if (compiled !== undefined) return compiled;
  const source = fileURLToPath(new URL("fault-shim.c", import.meta.url));
  const path = join(temporaryDirectory(), "fault-shim.so");
  execFileSync("cc", [
    "-shared",
    "-fPIC",
    "-O1",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-o",
    path,
    source,
  ]);
  compiled = path;
  return path;
}

/** The calls that a log tells, in the order in which they ended. */
export function loggedCalls(log: string): LoggedCall[] {
  if (!existsSync(log)) return [];
  // A process that is killed leaves no half line: each is one write.
  const lines = readFileSync(log, "utf8").split("\n").slice(0, -1);
  return lines.map((line) => {
    const [at = "0", pid, call = "", action = "", result, error, path = "", second = ""] =
      line.split("\t");
    return {
      at: BigInt(at),
      pid: Number(pid),
      call,
      action,
      result: result === "-" ? undefined : Number(result),
      error: Number(error),
      path,
      second,
    };
  });
}

/** The clocks of child processes, which may be ahead of the machine's and jump at any moment. */
export class MovedClock {
  readonly path: string;

  /** @param path a file that is made for it */
  constructor(path: string) {
    this.path = path;
    writeFileSync(path, Buffer.alloc(16), { flag: "wx" });
  }

  /**
   * @param ahead seconds, from the machine's clocks; `realTime` is the time of day, `monotonic` what
   * timers go by
   */
  set(ahead: { realTime: number; monotonic: number }): void {
    const offsets = new BigInt64Array(
      [ahead.realTime, ahead.monotonic].map((seconds) => BigInt(Math.round(seconds * 1e9))),
    );
    const file = openSync(this.path, "r+");
    writeSync(file, new Uint8Array(offsets.buffer), 0, 16, 0);
    closeSync(file);
  }
}

/** Resolves when a process stands still (SIGSTOP); rejects when there is none of that number. */
export async function hasStopped(pid: number): Promise<void> {
  const isStopped = () => / T \d+ /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  while (!isStopped()) await new Promise((resolve) => setTimeout(resolve, 1));
}

/**
 * Lets a process stand still for so many seconds by its own clocks, which takes no time.
 *
 * @param meanwhile what happens in these seconds
 */
export async function standStill(
  pid: number,
  clock: MovedClock,
  seconds: number,
  meanwhile: () => void | Promise<void> = () => undefined,
): Promise<void> {
  process.kill(pid, "SIGSTOP");
  await hasStopped(pid);
  try {
    await meanwhile();
    clock.set({ realTime: seconds, monotonic: seconds });
  } finally {
    process.kill(pid, "SIGCONT");
  }
}
