import {
  type Clock,
  type CommandResult,
  type Host,
  type Runnable,
  type RunOptions,
  type Stop,
  withWorld,
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

/**
 * Gives a piece of work a signal of its own, which the world's passes on to. What is combined with one
 * that lives for months (`AbortSignal.any`) is never given back by Node, neither by version 20 nor by
 * 24.
 */
export async function withOwnSignal<W extends Stop, T>(
  world: W,
  work: (world: W) => Promise<T>,
): Promise<T> {
  const { interrupted } = world;
  const own = new AbortController();
  const pass = () => own.abort(interrupted.reason);
  interrupted.addEventListener("abort", pass);
  if (interrupted.aborted) pass();
  try {
    return await work(withWorld(world, { interrupted: own.signal }));
  } finally {
    interrupted.removeEventListener("abort", pass);
  }
}
