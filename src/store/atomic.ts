import { constants, readFileSync } from "node:fs";
import { rename, stat, unlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { MxtokenError, systemCode, systemReason } from "../errors.ts";
import type { World } from "../world/world.ts";
import { type FormerFile, keepOwner } from "./keep-owner.ts";
import { OpenFile } from "./open-file.ts";
import { syncDirectory } from "./sync-directory.ts";
import { checkTarget } from "./target.ts";
import { unwritable } from "./unwritable.ts";

/** Room for the longest tokens seen, several times over. */
const blank = Buffer.alloc(32 * 1024, "\n");

/** Windows refuses to replace a file while a reader or a virus scanner has it open. */
const renamePatience = 2000;
const renameInterval = 50;

/** A place on the disk that is already ours: what follows cannot fail for want of space or rights. */
export interface Reservation {
  /** Replaces the target; a reader sees the old content or the new, never a mixture. */
  commit(content: string): Promise<void>;
  /** Gives the place back. Does nothing after the target was replaced. */
  release(): Promise<void>;
}

/**
 * Reserves the place for the next content of `path`: a temporary file in the same directory, 0600,
 * filled and on the disk. Must be called under the lock of `path`, and also removes what processes
 * that died under it left behind: what counted of that was put in its place before (`restore.ts`).
 *
 * The usual packages for atomic writes write through symbolic links and do not sync the directory.
 *
 * @param gid the group that shall be able to read; undefined keeps what the file has
 * @param owner whose file it becomes: the former one's, with its rights, or, where root writes
 * into another user's directory, the directory's, and private
 * @throws MxtokenError `unwritable`
 */
export async function reserve(
  world: World,
  path: string,
  gid: number | undefined,
  owner: "as before" | "of the directory" = "as before",
): Promise<Reservation> {
  const { temporary, file } = await place(world, path, gid, owner, blank);
  return reservation(world, path, temporary, file);
}

/** Where the next content of a file is prepared. */
export function temporaryPath(path: string): string {
  return join(dirname(path), `.${basename(path)}.tmp`);
}

/** Makes the temporary file with this content, on the disk; when that fails, nothing is left behind. */
async function place(
  world: World,
  path: string,
  gid: number | undefined,
  owner: "as before" | "of the directory",
  content: Buffer,
): Promise<{ temporary: string; file: OpenFile }> {
  const target = await checkTarget(path);
  const former = owner === "as before" ? target : await privateOf(world, dirname(path));
  // Whoever holds the lock is alone here: what has this name was left by a process that died.
  const temporary = temporaryPath(path);
  let file: OpenFile | undefined;
  try {
    file = await makeFile(temporary);
    await keepOwner(file, former, world, gid);
    await file.write(content);
    await file.sync();
  } catch (error) {
    file?.close();
    await unlink(temporary).catch(() => undefined);
    throw unwritable(path, error);
  }
  return { temporary, file };
}

/** Makes a file that is there for nobody else; what has its name already is removed. */
async function makeFile(path: string): Promise<OpenFile> {
  const { O_RDWR, O_CREAT, O_EXCL } = constants;
  const make = () => OpenFile.open(path, O_RDWR | O_CREAT | O_EXCL, 0o600);
  return make().catch(async (error) => {
    if (systemCode(error) !== "EEXIST") throw error;
    await unlink(path);
    return make();
  });
}

/** Owner and rights of a file that belongs to the directory's owner alone. */
async function privateOf(world: World, directory: string): Promise<FormerFile | undefined> {
  if (world.user?.uid !== 0) return undefined;
  const { uid, gid } = await stat(directory);
  return { uid, gid, mode: 0o600 };
}

function reservation(world: World, path: string, temporary: string, file: OpenFile): Reservation {
  let done = false;
  let isOpen = true;
  const close = () => {
    if (!isOpen) return;
    isOpen = false;
    file.close();
  };
  const fill = async (content: string) => {
    try {
      const bytes = Buffer.from(content);
      await file.write(bytes);
      await file.truncate(bytes.length);
      await file.sync();
      close();
    } catch (error) {
      throw unwritable(path, error);
    }
  };
  return {
    async commit(content) {
      await fill(content);
      // From here on the content is on the disk, and is not given up whatever happens.
      done = true;
      await putInPlace(world, temporary, path);
    },
    async release() {
      if (done) return;
      done = true;
      try {
        close();
      } finally {
        await unlink(temporary).catch(() => undefined);
      }
    },
  };
}

/**
 * Tries everything that a later replacement needs, under the lock: the room, and that the file can be
 * replaced at all. Where there is no file yet, only its place is tried.
 *
 * @throws MxtokenError `unwritable`
 */
export async function rehearseReplacement(
  world: World,
  path: string,
  gid: number | undefined,
): Promise<void> {
  const reservation = await reserve(world, path, gid);
  await reservation.release();
  await replaceByItself(world, path, gid);
}

/**
 * Replaces the file by its own content, under its lock. A file that cannot be replaced (mounted
 * alone into a container, immutable) must fail here, and not when the only good refresh token is
 * in memory. Does nothing where there is no file.
 *
 * @throws MxtokenError `unwritable`
 */
export async function replaceByItself(
  world: World,
  path: string,
  gid: number | undefined,
): Promise<void> {
  const content = contentOf(path);
  if (content === undefined) return;
  const { temporary, file } = await place(world, path, gid, "as before", content);
  try {
    file.close();
    await renameOver(world, temporary, path);
  } catch (error) {
    await unlink(temporary).catch(() => undefined);
    throw cannotReplace(path, error, "is it mounted alone into a container, or immutable?");
  }
}

/**
 * Renames what is on the disk over the file that it replaces, and makes that last.
 *
 * @throws MxtokenError `unwritable`; it stays where it is then
 */
export async function putInPlace(world: World, temporary: string, path: string): Promise<void> {
  await renameOver(world, temporary, path).catch((error) => {
    const hint = `its new content is in ${temporary}: the next run puts it in its place, if it can`;
    throw cannotReplace(path, error, hint);
  });
  await syncDirectory(world, dirname(path)).catch((error) => {
    throw unwritable(path, error);
  });
}

/** What a file holds; undefined where there is none. @throws MxtokenError `unwritable` */
export function contentOf(path: string): Buffer | undefined {
  try {
    return readFileSync(path);
  } catch (error) {
    if (systemCode(error) === "ENOENT") return undefined;
    throw unwritable(path, error);
  }
}

function cannotReplace(path: string, error: unknown, hint: string): MxtokenError {
  return new MxtokenError("unwritable", `cannot replace ${path}: ${systemReason(error)}`, {
    cause: error,
    hint,
  });
}

async function renameOver(world: World, from: string, to: string): Promise<void> {
  const end = world.now() + renamePatience;
  for (;;) {
    try {
      return await rename(from, to);
    } catch (error) {
      const code = systemCode(error);
      const busy = code === "EPERM" || code === "EACCES" || code === "EBUSY";
      if (world.platform !== "win32" || !busy || world.now() >= end) throw error;
    }
    // A new refresh token is waiting to be saved: nothing may cut this short.
    await world.sleep(renameInterval, new AbortController().signal);
  }
}
