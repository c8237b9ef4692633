import type { CommandResult, Runnable, RunOptions, World } from "./world.ts";

/**
 * Runs a command, for so many ms at most.
 *
 * @param env as {@link RunOptions} has it
 * @returns undefined where it did not end in time; then it is ended
 * @throws Interrupted, or why it could not be run
 */
export async function runWithin(
  world: World,
  command: Runnable,
  ms: number,
  env: RunOptions["env"] = {},
): Promise<CommandResult | undefined> {
  const ended = new AbortController();
  const deadline = world.deadline(ms, ended.signal);
  const stop = AbortSignal.any([deadline, world.interrupted]);
  try {
    return await world.run(command, { stop, env });
  } catch (error) {
    world.interrupted.throwIfAborted();
    if (deadline.aborted) return undefined;
    throw error;
  } finally {
    ended.abort("ended");
  }
}
