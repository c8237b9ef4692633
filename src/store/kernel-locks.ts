import { constants, lstatSync, type Stats, statSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname } from "node:path";
import { MxtokenError } from "../errors.ts";
import { systemCode, systemReason } from "../system-error.ts";
import { sqlite } from "../world/builtins.ts";
import type { Host } from "../world/world.ts";
import { OpenFile, unwritable } from "./disk.ts";

// Locks that the kernel drops with the process that holds them. Node has none; a native addon has, and where
// there is no binary of it (musl, the BSDs, processors of other kinds), SQLite does, which newer versions of Node
// bring along. On Linux both lock the same bytes of the same file (fcntl(2)), so they keep each other out, as
// when a container of another kind works at the same files.

/** A lock file, whose lock may be had. */
export interface LockFile {
  /** @throws MxtokenError `unwritable` where the file system knows no locks */
  tryLock(): boolean;
  close(): void;
}

export interface KernelLocks {
  /** @throws MxtokenError `unwritable` */
  openLockFile(world: Host, path: string): Promise<LockFile>;
  /** Locks another file, by its open descriptor; undefined where only lock files can be locked. */
  readonly tryLock: ((file: OpenFile, path?: string) => boolean) | undefined;
}

let loading: Promise<KernelLocks> | undefined;

/**
 * Those of this machine. Loaded once: even to find out that they are loaded already takes its time.
 *
 * @throws MxtokenError `unwritable` where there are none
 */
export function kernelLocks(): Promise<KernelLocks> {
  loading ??= loadAddon().then(nativeLocks, sqliteLocks);
  return loading;
}

/** What of the addon is used, as its binary has it; it throws EAGAIN where another has the lock. */
interface Addon {
  tryLock(fd: number, offset: number, length: number, isExclusive: boolean): void;
}

/** By the path of its binary: the package's own search for it takes longer than the rest of a refresh. */
async function loadAddon(): Promise<Addon> {
  const load: (name: string) => Addon = createRequire(import.meta.url);
  const { platform, arch } = process;
  try {
    return load(`fs-native-extensions/prebuilds/${platform}-${arch}/fs-native-extensions.node`);
  } catch {
    return load("fs-native-extensions/binding.js");
  }
}

function nativeLocks(addon: Addon): KernelLocks {
  const tryLock = (file: OpenFile, path = "") => {
    try {
      addon.tryLock(file.fd, 0, 0, true);
      return true;
    } catch (error) {
      if (systemCode(error) === "EAGAIN") return false;
      throw cannotLock(path, error);
    }
  };
  return {
    tryLock,
    async openLockFile(world, path) {
      const file = await openOrMake(world, path);
      return { tryLock: () => tryLock(file, path), close: () => file.close() };
    },
  };
}

/** @param reason why there is no addon */
function sqliteLocks(reason: unknown): KernelLocks {
  const DatabaseSync = sqlite()?.DatabaseSync;
  if (DatabaseSync === undefined) {
    throw new MxtokenError(
      "unwritable",
      "there are no file locks here: the package fs-native-extensions has none for this platform, and this Node has no node:sqlite",
      { cause: reason, hint: "use Node 22.13 or newer" },
    );
  }
  return {
    // What is no database cannot be locked by it.
    tryLock: undefined,
    async openLockFile(world, path) {
      await makeLockFile(world, path);
      const database = new DatabaseSync(path, { timeout: 0 });
      const tryLock = () => {
        try {
          // An empty file is an empty database, and stays empty: nothing is written.
          database.exec("BEGIN EXCLUSIVE");
          return true;
        } catch (error) {
          if (isBusy(error)) return false;
          throw cannotLock(path, error);
        }
      };
      return { tryLock, close: () => database.close() };
    },
  };
}

/** SQLITE_BUSY */
function isBusy(error: unknown): boolean {
  return error instanceof Error && "errcode" in error && Number(error.errcode) % 256 === 5;
}

function cannotLock(path: string, error: unknown): MxtokenError {
  return new MxtokenError("unwritable", `cannot lock ${path}: ${systemReason(error)}`, {
    cause: error,
    hint: "keep the tokens on a local disk, by --home DIRECTORY",
  });
}

/** A descriptor of ours on a file that SQLite has locked must not be closed: the lock would go with it. */
async function makeLockFile(world: Host, path: string): Promise<void> {
  try {
    const found = lstatSync(path, { throwIfNoEntry: false });
    if (found === undefined) (await makeNew(world, path))?.close();
    else if (!isOurs(found)) throw notOurs(path);
  } catch (error) {
    throw unwritable(path, error);
  }
}

/** @returns undefined where another process has made it meanwhile */
async function makeNew(world: Host, path: string): Promise<OpenFile | undefined> {
  const { O_RDWR, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
  // O_NOFOLLOW does not exist on Windows, where it is undefined and counts as 0.
  const flags = O_RDWR | O_NOFOLLOW | O_CREAT | O_EXCL;
  try {
    const made = await OpenFile.open(path, flags, 0o600);
    await giveToDirectory(world, path, made);
    return made;
  } catch (error) {
    if (systemCode(error) === "EEXIST") return undefined;
    throw error;
  }
}

async function openOrMake(world: Host, path: string): Promise<OpenFile> {
  try {
    const open = () => OpenFile.openExisting(path, constants.O_RDWR | constants.O_NOFOLLOW);
    const file = open() ?? (await makeNew(world, path)) ?? open();
    if (file !== undefined) return requireLockFile(path, file);
  } catch (error) {
    throw unwritable(path, error);
  }
  throw new MxtokenError("unwritable", `${path} was removed as soon as it was made`);
}

/** What has this name may have been put there by somebody who wants something of ours for it. */
function requireLockFile(path: string, file: OpenFile): OpenFile {
  if (isOurs(file.stat())) return file;
  file.close();
  throw notOurs(path);
}

function isOurs(found: Stats): boolean {
  return found.isFile() && found.nlink === 1;
}

function notOurs(path: string): MxtokenError {
  const hint = "it is another file's name; remove it";
  return new MxtokenError("unwritable", `${path} is not a lock file of ours`, { hint });
}

/** What root leaves in somebody's directory must not lock its owner out. */
async function giveToDirectory(world: Host, path: string, made: OpenFile): Promise<void> {
  if (world.user?.uid !== 0) return;
  const { uid, gid } = statSync(dirname(path));
  const now = made.stat();
  if (now.uid !== uid || now.gid !== gid) await made.chown(uid, gid);
}
