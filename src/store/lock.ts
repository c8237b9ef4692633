import { constants, type Stats, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { MxtokenError } from "../errors.ts";
import type { Clock, Host, World } from "../world/world.ts";
import { OpenFile, unwritable } from "./disk.ts";
import { type KernelLocks, kernelLocks } from "./kernel-locks.ts";

// Longer than another process may hold it: a refresh takes 60 s at most.
const patience = 90_000;
const pollInterval = 100;

/** A lock that this process holds. */
export interface HeldLock {
  /**
   * The file itself, which is locked too: whoever reads it so need not open it again.
   *
   * @returns undefined where that is another one than what is there now, or none is held
   */
  fileOf(found: Stats): OpenFile | undefined;
  /** Locks what is about to take the file's place as well, until the lock is given back. */
  hold(next: OpenFile): void;
}

/** Nothing is held, and what is done is done once. */
export const unlocked: HeldLock = {
  fileOf: () => undefined,
  hold: (next) => next.close(),
};

/** How the lock is waited for. */
interface LockWait {
  /** called once when another process holds it */
  onWait(): void;
  /** ends the wait, and keeps the work from being begun; by default the signals that ask the process to end */
  readonly stop?: AbortSignal | undefined;
}

/**
 * Runs `work` while no other process holds the lock of this file. The kernel drops the lock with the
 * process that holds it, so nothing goes stale and nothing has to be stolen. The lock file
 * `.NAME.lock` stays: removing it would let two processes lock two different files. Where somebody
 * removes it all the same, the file itself, which is locked too, keeps them apart; only where there is
 * none yet nothing does.
 *
 * @throws MxtokenError `unreachable` when it is held for over 90 s, `unwritable` when there can be
 * no lock file; Interrupted
 */
export async function withLock<T>(
  world: World,
  path: string,
  { onWait, stop = world.interrupted }: LockWait,
  work: (lock: HeldLock) => Promise<T>,
): Promise<T> {
  const locks = await kernelLocks();
  const wait = waiter(world, path, onWait, stop);
  const lockFile = await locks.openLockFile(world, join(dirname(path), `.${basename(path)}.lock`));
  const own: OwnFile[] = [];
  try {
    await wait(() => lockFile.tryLock());
    const lock = isTargetLocked(world) ? locks.tryLock : undefined;
    const target = lock && (await lockTarget(path, (found) => wait(() => lock(found, path))));
    if (target !== undefined) own.push(ownFile(target));
    stop.throwIfAborted();
    world.trace(`holding the lock of ${path}`);
    return await work(heldLock(lock, own));
  } finally {
    // The lock goes with the last descriptor of its file; the lock file's goes last.
    for (const { file } of own.reverse()) file.close();
    lockFile.close();
  }
}

/** An open file and which one that is, which stays so for as long as it is open. */
interface OwnFile extends Pick<Stats, "ino" | "dev"> {
  readonly file: OpenFile;
}

function ownFile(file: OpenFile): OwnFile {
  const { ino, dev } = file.stat();
  return { file, ino, dev };
}

/** @param lock undefined where files are not locked themselves */
function heldLock(lock: KernelLocks["tryLock"], own: OwnFile[]): HeldLock {
  if (lock === undefined) return unlocked;
  return {
    fileOf: ({ ino, dev }) => own.find((each) => each.ino === ino && each.dev === dev)?.file,
    hold(next) {
      // Closed with the others in any case; without a lock, the lock file's has to do.
      own.push(ownFile(next));
      try {
        lock(next);
      } catch {
        // What is to be stored now is stored all the same.
      }
    },
  };
}

/** On Windows a lock keeps readers out as well, and an open file cannot be replaced. */
function isTargetLocked({ platform }: Host): boolean {
  return platform !== "win32";
}

/** Waits for what another process holds, for 90 s in all. */
function waiter(world: Clock, tokenFile: string, onWait: () => void, stop: AbortSignal) {
  const end = world.now() + patience;
  let isTold = false;
  return async (lock: () => boolean): Promise<void> => {
    while (!lock()) {
      if (!isTold) onWait();
      isTold = true;
      if (world.now() >= end) {
        throw new MxtokenError("unreachable", `another process holds the lock of ${tokenFile}`, {
          facts: { path: tokenFile },
          hint: "nothing was lost; try again when the other one is done",
        });
      }
      await world.sleep(pollInterval, stop);
    }
  };
}

/** @returns undefined where there is none, or none that this user may open for writing */
async function lockTarget(
  path: string,
  lock: (found: OpenFile) => Promise<void>,
): Promise<OpenFile | undefined> {
  for (;;) {
    const file = openTarget(path);
    if (file === undefined) return undefined;
    try {
      await lock(file);
    } catch (error) {
      file.close();
      throw error;
    }
    // Whoever held it has put another file in its place.
    if (isStill(path, file)) return file;
    file.close();
  }
}

function openTarget(path: string): OpenFile | undefined {
  const { O_RDWR, O_NOFOLLOW, O_NONBLOCK } = constants;
  try {
    return OpenFile.openExisting(path, O_RDWR | O_NOFOLLOW | O_NONBLOCK);
  } catch {
    // What is wrong with it, reading and writing will tell.
    return undefined;
  }
}

function isStill(path: string, file: OpenFile): boolean {
  try {
    const now = statSync(path, { throwIfNoEntry: false });
    const { dev, ino } = file.stat();
    return now !== undefined && now.ino === ino && now.dev === dev;
  } catch (error) {
    throw unwritable(path, error);
  }
}
