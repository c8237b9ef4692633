import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { MxtokenError } from "../errors.ts";
import type { World } from "../world/world.ts";
import { unwritable } from "./unwritable.ts";

// Longer than another process may hold it: a refresh takes 60 s at most.
const patience = 90_000;
const pollInterval = 100;

/**
 * Runs `work` while no other process holds the lock of this token file. The kernel drops the lock
 * with the process that holds it, so nothing goes stale and nothing has to be stolen. The lock
 * file `.NAME.lock` stays: removing it would let two processes lock two different files.
 *
 * @param onWait called once when another process holds the lock
 * @throws MxtokenError `unreachable` when it is held for over 90 s, `unwritable` when there can be
 * no lock file; Interrupted
 */
export async function withLock<T>(
  world: World,
  tokenFile: string,
  onWait: () => void,
  work: () => Promise<T>,
): Promise<T> {
  const { tryLock, unlock } = await import("fs-native-extensions");
  const file = await openLockFile(lockPath(tokenFile));
  try {
    const end = world.now() + patience;
    for (let waited = false; !tryLock(file.fd); waited = true) {
      if (!waited) onWait();
      if (world.now() >= end) {
        throw new MxtokenError("unreachable", `another process holds the lock of ${tokenFile}`, {
          hint: "nothing was lost; try again when the other one is done",
        });
      }
      await world.sleep(pollInterval);
    }
    world.interrupted.throwIfAborted();
    world.trace(`holding the lock of ${tokenFile}`);
    try {
      return await work();
    } finally {
      unlock(file.fd);
    }
  } finally {
    await file.close();
  }
}

export function lockPath(tokenFile: string): string {
  return join(dirname(tokenFile), `.${basename(tokenFile)}.lock`);
}

async function openLockFile(path: string): Promise<FileHandle> {
  const { O_RDWR, O_CREAT, O_NOFOLLOW } = constants;
  try {
    // O_NOFOLLOW does not exist on Windows, where it is undefined and counts as 0.
    return await open(path, O_RDWR | O_CREAT | O_NOFOLLOW, 0o600);
  } catch (error) {
    throw unwritable(path, error);
  }
}
