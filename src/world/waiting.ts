import { Interrupted } from "../errors.ts";
import type {
  Clock,
  CommandResult,
  Host,
  Runnable,
  RunOptions,
  SignalName,
  Stop,
} from "./world.ts";

/** Lets whatever else waits go before: for work that is done in steps because it is long. */
export function pause(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Resolves when the signal aborts, at once if it has already. */
export function whenAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

/** The longest piece of a deadline, ms. */
const longestPiece = 1000;

/**
 * Runs something when a deadline is over. It counts the time in which this process runs: one that was
 * stopped, or slept with its machine, had no chance to read what has arrived meanwhile. And whatever has
 * arrived is read before it is over.
 *
 * @returns what cancels it
 */
export function after(ms: number, run: () => void): () => void {
  let isCancelled = false;
  let timer: NodeJS.Timeout | undefined;
  const count = (left: number) => {
    const piece = Math.min(left, longestPiece);
    const next = left - piece > 0 ? () => count(left - piece) : () => afterReading(end);
    timer = setTimeout(next, piece).unref();
  };
  const end = () => {
    if (!isCancelled) run();
  };
  count(ms);
  return () => {
    isCancelled = true;
    clearTimeout(timer);
  };
}

/** The same as a signal, which takes longer to make than most of what it is made for. */
export function deadline(ms: number, cancel?: AbortSignal): AbortSignal {
  const controller = new AbortController();
  const forget = after(ms, () => controller.abort());
  if (cancel?.aborted === true) forget();
  else cancel?.addEventListener("abort", forget, { once: true });
  return controller.signal;
}

/** Timers come before what the network has brought; one turn of the event loop begins to read it. */
function afterReading(work: () => void, turns = 4): void {
  setImmediate(() => (turns > 1 ? afterReading(work, turns - 1) : work()));
}

/** Something that changes again and again, and that one waits for at a time. */
export class Changes {
  #tell: (() => void) | undefined;

  tell(): void {
    this.#tell?.();
  }

  /** Resolves at the next change, and when the signal aborts. */
  next(stop: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        stop.removeEventListener("abort", done);
        this.#tell = undefined;
        resolve();
      };
      this.#tell = done;
      stop.addEventListener("abort", done, { once: true });
    });
  }
}

/**
 * Does what must end in time, and at once when the process is asked to end.
 *
 * @param ms how long it may take
 * @param work must fail when the signal aborts
 * @param late says what comes of work that was too slow
 * @throws Interrupted; what the work throws by itself, and what `late` throws
 */
export async function within<Done, Late>(
  world: Clock & Stop,
  ms: number,
  work: (stop: AbortSignal) => Promise<Done>,
  late: () => Late,
): Promise<Done | Late> {
  const { interrupted } = world;
  interrupted.throwIfAborted();
  // A deadline that nobody cancels is kept in memory until it is over.
  const ended = new AbortController();
  const deadline = world.deadline(ms, ended.signal);
  try {
    return await work(AbortSignal.any([deadline, interrupted]));
  } catch (error) {
    interrupted.throwIfAborted();
    if (deadline.aborted) return late();
    throw error;
  } finally {
    // With a reason of our own: Node's would hold a stack trace.
    ended.abort("ended");
  }
}

/**
 * Runs a command, for so many ms at most.
 *
 * @param env as {@link RunOptions} has it
 * @returns undefined where it did not end in time; then it is ended
 * @throws Interrupted, or why it could not be run
 */
export function runWithin(
  world: Clock & Host & Stop,
  command: Runnable,
  ms: number,
  env: RunOptions["env"] = {},
): Promise<CommandResult | undefined> {
  const run = (stop: AbortSignal) => world.run(command, { stop, env });
  return within(world, ms, run, () => undefined);
}

/** A process that is asked to end by nobody but the program itself. */
export function leaveSignals(): Stop {
  const controller = new AbortController();
  // Every request that is under way hears of it, and Node would take many of them for a leak.
  process.getBuiltinModule("node:events").setMaxListeners(0, controller.signal);
  return {
    interrupted: controller.signal,
    interrupt: (name) => controller.abort(new Interrupted(name)),
    onSignal: () => () => undefined,
  };
}

/**
 * Ctrl-C, `kill` and a closed terminal ask the program to end. They never end it at once: a
 * refresh that is on the wire must be saved first, so a second signal changes nothing either.
 */
export function takeSignals(): Stop {
  const stop = leaveSignals();
  const takers = new Map<SignalName, () => void>();
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(name, () => (takers.get(name) ?? (() => stop.interrupt(name)))());
  }
  return {
    ...stop,
    onSignal(name, listener) {
      const isEnding = name === "SIGINT" || name === "SIGTERM" || name === "SIGHUP";
      if (isEnding) takers.set(name, listener);
      else process.on(name, listener);
      return () => {
        if (isEnding) takers.delete(name);
        else process.off(name, listener);
      };
    },
  };
}

/**
 * An error that nobody waits for (a socket that fails after it was given up) must not end the
 * program before a token is saved. Only its name and place are told: its message may quote one.
 * The status is a defect's unless the program still comes to an end of its own.
 */
export function surviveBackgroundErrors(): void {
  // What begins by itself and then leaves it to the program has done it already.
  if (process.listenerCount("uncaughtException") > 0) return;
  const tell = (error: unknown) => {
    const name = error instanceof Error ? error.name : typeof error;
    const stack = error instanceof Error ? (error.stack ?? "") : "";
    const frames = stack.split("\n").filter((line) => /^\s+at /.test(line));
    process.exitCode = 70;
    process.stderr.write(`mxtoken: a defect in the background: ${name}\n${frames.join("\n")}\n`);
  };
  process.on("unhandledRejection", tell);
  process.on("uncaughtException", tell);
}
