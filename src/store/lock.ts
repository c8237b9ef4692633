import { constants, type Stats, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { MxtokenError, systemCode, systemReason } from "../errors.ts";
import type { Clock, Host, World } from "../world/world.ts";
import { OpenFile, unwritable } from "./disk.ts";

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
  const locks = await nativeLocks();
  const lockFile = join(dirname(path), `.${basename(path)}.lock`);
  const take = taker(world, path, locks, { onWait, stop });
  const file = await openLockFile(world, lockFile);
  const own = [file];
  try {
    await take(file, lockFile);
    const target = await lockTarget(world, path, take);
    if (target !== undefined) own.push(target);
    stop.throwIfAborted();
    world.trace(`holding the lock of ${path}`);
    return await work(heldLock(world, locks, own));
  } finally {
    // The lock goes with the last descriptor of its file; the lock file's goes last.
    for (const each of own.reverse()) each.close();
  }
}

function heldLock(world: Host, locks: Locks, own: OpenFile[]): HeldLock {
  return {
    fileOf: (found) => own.slice(1).find((file) => isOf(file, found)),
    hold(next) {
      if (!isTargetLocked(world)) {
        next.close();
        return;
      }
      // Closed with the others in any case; without a lock, the lock file's has to do.
      own.push(next);
      try {
        locks.tryLock(next.fd);
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

type Locks = typeof import("fs-native-extensions");

/** Locks a file of this name. */
type Take = (file: OpenFile, path: string) => Promise<void>;

function isLocked({ tryLock }: Locks, { fd }: OpenFile, path: string): boolean {
  try {
    return tryLock(fd);
  } catch (error) {
    const details = { cause: error, hint: "does this file system know locks?" };
    throw new MxtokenError("unwritable", `cannot lock ${path}: ${systemReason(error)}`, details);
  }
}

/** Waits for what another process holds, for 90 s in all. */
function taker(world: Clock, tokenFile: string, locks: Locks, { onWait, stop }: LockWait): Take {
  const end = world.now() + patience;
  let isTold = false;
  return async (file, path) => {
    while (!isLocked(locks, file, path)) {
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
async function lockTarget(world: Host, path: string, take: Take): Promise<OpenFile | undefined> {
  while (isTargetLocked(world)) {
    const file = openTarget(path);
    if (file === undefined) return undefined;
    try {
      await take(file, path);
    } catch (error) {
      file.close();
      throw error;
    }
    // Whoever held it has put another file in its place.
    if (isStill(path, file)) return file;
    file.close();
  }
  return undefined;
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
    return now !== undefined && isOf(file, now);
  } catch (error) {
    throw unwritable(path, error);
  }
}

function isOf(file: OpenFile, { dev, ino }: Stats): boolean {
  const own = file.stat();
  return own.ino === ino && own.dev === dev;
}

let loading: Promise<Locks> | undefined;

/** Loaded once: even to find out that it is loaded already takes its time. */
function nativeLocks(): Promise<Locks> {
  loading ??= import("fs-native-extensions").catch((error) => {
    const message = "file locks are not available on this platform";
    throw new MxtokenError("unwritable", message, { cause: error });
  });
  return loading;
}

async function openLockFile(world: Host, path: string): Promise<OpenFile> {
  const { O_RDWR, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
  // O_NOFOLLOW does not exist on Windows, where it is undefined and counts as 0.
  const flags = O_RDWR | O_NOFOLLOW;
  try {
    const existing = OpenFile.openExisting(path, flags);
    if (existing !== undefined) return requireLockFile(path, existing);
    const made = await OpenFile.open(path, flags | O_CREAT | O_EXCL, 0o600);
    await giveToDirectory(world, path, made);
    return made;
  } catch (error) {
    // Another process has made it meanwhile.
    const other = systemCode(error) === "EEXIST" ? OpenFile.openExisting(path, flags) : undefined;
    if (other !== undefined) return requireLockFile(path, other);
    throw unwritable(path, error);
  }
}

/** What has this name may have been put there by somebody who wants something of ours for it. */
function requireLockFile(path: string, file: OpenFile): OpenFile {
  const found = file.stat();
  if (found.isFile() && found.nlink === 1) return file;
  file.close();
  const hint = "it is another file's name; remove it";
  throw new MxtokenError("unwritable", `${path} is not a lock file of ours`, { hint });
}

/** What root leaves in somebody's directory must not lock its owner out. */
async function giveToDirectory(world: Host, path: string, made: OpenFile): Promise<void> {
  if (world.user?.uid !== 0) return;
  const { uid, gid } = statSync(dirname(path));
  const now = made.stat();
  if (now.uid !== uid || now.gid !== gid) await made.chown(uid, gid);
}
