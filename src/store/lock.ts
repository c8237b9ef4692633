import { constants, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { MxtokenError, systemReason } from "../errors.ts";
import type { World } from "../world/world.ts";
import { OpenFile } from "./open-file.ts";
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
 * @param stop ends the wait, and keeps the work from being begun
 * @throws MxtokenError `unreachable` when it is held for over 90 s, `unwritable` when there can be
 * no lock file; Interrupted
 */
export async function withLock<T>(
  world: World,
  tokenFile: string,
  onWait: () => void,
  work: () => Promise<T>,
  stop: AbortSignal = world.interrupted,
): Promise<T> {
  const path = lockPath(tokenFile);
  const { tryLock, unlock } = await nativeLocks();
  const file = await openLockFile(world, path);
  const lock = () => {
    try {
      return tryLock(file.fd);
    } catch (error) {
      throw new MxtokenError("unwritable", `cannot lock ${path}: ${systemReason(error)}`, {
        cause: error,
        hint: "does this file system know locks?",
      });
    }
  };
  try {
    const end = world.now() + patience;
    for (let waited = false; !lock(); waited = true) {
      if (!waited) onWait();
      if (world.now() >= end) {
        throw new MxtokenError("unreachable", `another process holds the lock of ${tokenFile}`, {
          hint: "nothing was lost; try again when the other one is done",
        });
      }
      await world.sleep(pollInterval, stop);
    }
    stop.throwIfAborted();
    world.trace(`holding the lock of ${tokenFile}`);
    try {
      return await work();
    } finally {
      unlock(file.fd);
    }
  } finally {
    file.close();
  }
}

let locks: Promise<typeof import("fs-native-extensions")> | undefined;

/** Loaded once: even to find out that it is loaded already takes its time. */
function nativeLocks(): Promise<typeof import("fs-native-extensions")> {
  locks ??= import("fs-native-extensions").catch((error) => {
    throw new MxtokenError("unwritable", "file locks are not available on this platform", {
      cause: error,
    });
  });
  return locks;
}

function lockPath(tokenFile: string): string {
  return join(dirname(tokenFile), `.${basename(tokenFile)}.lock`);
}

async function openLockFile(world: World, path: string): Promise<OpenFile> {
  const { O_RDWR, O_CREAT, O_NOFOLLOW } = constants;
  try {
    // O_NOFOLLOW does not exist on Windows, where it is undefined and counts as 0.
    const file =
      OpenFile.openExisting(path, O_RDWR | O_NOFOLLOW) ??
      (await OpenFile.open(path, O_RDWR | O_CREAT | O_NOFOLLOW, 0o600));
    if (world.user?.uid === 0) {
      // What root leaves in somebody's directory must not lock its owner out.
      const { uid, gid } = statSync(dirname(path));
      const now = file.stat();
      if (now.uid !== uid || now.gid !== gid) await file.chown(uid, gid);
    }
    return file;
  } catch (error) {
    throw unwritable(path, error);
  }
}
