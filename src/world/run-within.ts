import type { CommandResult, Runnable, World } from "./world.ts";

/**
 * Runs a command, for so many ms at most.
 *
 * @returns undefined where it did not end in time; then it is ended
 * @throws Interrupted, or why it could not be run
 */
export async function runWithin(
  world: World,
  command: Runnable,
  ms: number,
): Promise<CommandResult | undefined> {
  const ended = new AbortController();
  const deadline = world.deadline(ms, ended.signal);
  const stop = AbortSignal.any([deadline, world.interrupted]);
  try {
    return await world.run(command, { stop });
  } catch (error) {
    world.interrupted.throwIfAborted();
    if (deadline.aborted) return undefined;
    throw error;
  } finally {
    ended.abort("ended");
  }
}
