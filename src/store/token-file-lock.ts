import { dirname } from "node:path";
import type { Tell } from "../events.ts";
import type { TokenRecord } from "../token.ts";
import type { World } from "../world/world.ts";
import { isLeftBeside } from "./atomic.ts";
import { makeDirectory } from "./directory.ts";
import { withLock } from "./lock.ts";
import { readTokenFile } from "./read.ts";
import { restore } from "./restore.ts";

/** A token file that this process is about to use. */
export interface UsedTokenFile {
  readonly world: World;
  /** absolute */
  readonly tokenFile: string;
  /** the group that shall be able to read it */
  readonly gid: number | undefined;
  readonly tell: Tell;
}

/**
 * Runs `work` under the lock of the token file.
 *
 * @param work is told whether tokens were put in the file that another process had left beside it
 * @param stop ends the wait; by default the signals that ask the process to end
 * @throws MxtokenError `unwritable`, `unreachable`; Interrupted
 */
export async function withTokenFileLock<T>(
  { world, tokenFile, gid, tell }: UsedTokenFile,
  work: (isRestored: boolean) => Promise<T>,
  stop?: AbortSignal,
): Promise<T> {
  await makeDirectory(dirname(tokenFile), gid);
  const onWait = () => tell({ is: "waitingForLock", tokenFile });
  const restoreAndWork = async () => {
    const restored = await restore(world, tokenFile);
    if (restored?.is === "restored") tell({ is: "tokensRestored", tokenFile });
    if (restored?.is === "kept") tell({ is: "tokensKeptBeside", tokenFile, path: restored.path });
    return work(restored?.is === "restored");
  };
  return withLock(world, tokenFile, onWait, restoreAndWork, stop);
}

/**
 * Reads a token file. Where there is none, the tokens of a first sign-in may wait beside it, whose
 * process died before they had their place.
 *
 * @throws MxtokenError `unreadable`, `unwritable`, `unreachable`; Interrupted
 */
export async function readOrRestore(
  file: UsedTokenFile,
  damaged: "refused" | "replaceable",
): Promise<TokenRecord | undefined> {
  const { tokenFile } = file;
  const record = await readTokenFile(tokenFile, damaged);
  if (record !== undefined || !isLeftBeside(tokenFile)) return record;
  return withTokenFileLock(file, () => readTokenFile(tokenFile, damaged));
}
