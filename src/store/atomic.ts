import { randomBytes } from "node:crypto";
import { constants } from "node:fs";
import { type FileHandle, open, readFile, rename, stat, unlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { MxtokenError, systemCode, systemReason } from "../errors.ts";
import type { World } from "../world/world.ts";
import { type FormerFile, keepOwner } from "./keep-owner.ts";
import { checkTarget } from "./target.ts";
import { unwritable } from "./unwritable.ts";

/** Room for the longest tokens seen, several times over. */
const reservedBytes = 32 * 1024;

/** Windows refuses to replace a file while a reader or a virus scanner has it open. */
const renamePatience = 2000;
const renameInterval = 50;

/** A place on the disk that is already ours: what follows cannot fail for want of space or rights. */
export interface Reservation {
  /** Replaces the target; a reader sees the old content or the new, never a mixture. */
  commit(content: string): Promise<void>;
  /** Replaces the target by what it holds already; when that fails, nothing is left behind. */
  rehearse(content: Buffer): Promise<void>;
  /** Gives the place back. Does nothing after the target was replaced. */
  release(): Promise<void>;
}

/**
 * Reserves the place for the next content of `path`: a temporary file in the same directory, 0600,
 * filled and on the disk. Must be called under the lock of `path`, and also removes what processes
 * that died under it left behind.
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
  const target = await checkTarget(path);
  const former = owner === "as before" ? target : await privateOf(world, dirname(path));
  // Whoever holds the lock is alone here: what has this name was left by a process that died.
  const temporary = join(dirname(path), `.${basename(path)}.tmp`);
  let file: FileHandle | undefined;
  try {
    await unlink(temporary).catch(unlessMissing);
    const { O_RDWR, O_CREAT, O_EXCL } = constants;
    file = await open(temporary, O_RDWR | O_CREAT | O_EXCL, 0o600);
    await keepOwner(file, former, world, gid);
    await writeAll(file, Buffer.alloc(reservedBytes, "\n"));
    await file.sync();
  } catch (error) {
    await file?.close();
    await unlink(temporary).catch(() => undefined);
    throw unwritable(path, error);
  }
  return reservation(world, path, temporary, file);
}

function unlessMissing(error: unknown): void {
  if (systemCode(error) !== "ENOENT") throw error;
}

/** Owner and rights of a file that belongs to the directory's owner alone. */
async function privateOf(world: World, directory: string): Promise<FormerFile | undefined> {
  if (world.user?.uid !== 0) return undefined;
  const { uid, gid } = await stat(directory);
  return { uid, gid, mode: 0o600 };
}

function reservation(world: World, path: string, temporary: string, file: FileHandle): Reservation {
  let done = false;
  const fill = async (content: string | Buffer) => {
    try {
      const bytes = Buffer.from(content);
      await writeAll(file, bytes);
      await file.truncate(bytes.length);
      await file.sync();
      await file.close();
    } catch (error) {
      throw unwritable(path, error);
    }
  };
  return {
    async commit(content) {
      await fill(content);
      // From here on the content is on the disk, and is not given up whatever happens.
      done = true;
      await renameOver(world, temporary, path).catch(async (error) => {
        throw await rescued(path, temporary, error);
      });
      await syncDirectory(world, dirname(path)).catch((error) => {
        throw unwritable(path, error);
      });
    },
    async rehearse(content) {
      await fill(content);
      await renameOver(world, temporary, path).catch((error) => {
        throw cannotReplace(path, error, "is it mounted alone into a container, or immutable?");
      });
      done = true;
    },
    async release() {
      if (done) return;
      done = true;
      // After a failed commit the file may be closed already.
      await file.close().catch(() => undefined);
      await unlink(temporary).catch(() => undefined);
    },
  };
}

/**
 * Replaces the file by its own content, under its lock. A file that cannot be replaced (mounted
 * alone into a container, immutable) must fail here, and not when the only good refresh token is
 * in memory. Where there is no file yet, only its place is tried.
 *
 * @throws MxtokenError `unwritable`
 */
export async function rehearseReplacement(
  world: World,
  path: string,
  gid: number | undefined,
): Promise<void> {
  const reservation = await reserve(world, path, gid);
  try {
    const content = await readFile(path).catch((error) => {
      if (systemCode(error) === "ENOENT") return undefined;
      throw error;
    });
    if (content !== undefined) await reservation.rehearse(content);
  } catch (error) {
    throw unwritable(path, error);
  } finally {
    await reservation.release();
  }
}

/** FileHandle.write may write less than it was given, on a disk that is nearly full for example. */
async function writeAll(file: FileHandle, bytes: Buffer): Promise<void> {
  for (let position = 0; position < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, position, bytes.length - position, position);
    position += bytesWritten;
  }
}

/** Keeps what could not be put in its place under a name that no later run removes. */
async function rescued(path: string, temporary: string, error: unknown): Promise<MxtokenError> {
  const safe = `${temporary.replace(/tmp$/, randomBytes(8).toString("hex"))}.rescued`;
  const kept = await rename(temporary, safe).then(
    () => safe,
    () => temporary,
  );
  return cannotReplace(
    path,
    error,
    `its new content is in ${kept}: move that file over it, or the tokens are lost`,
  );
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

/** A rename is only on the disk when its directory is. Windows knows no such thing. */
export async function syncDirectory(world: World, path: string): Promise<void> {
  if (world.platform === "win32") return;
  const directory = await open(path, constants.O_RDONLY);
  try {
    await directory.sync();
  } catch (error) {
    // Some network file systems cannot; the new content is in place all the same.
    const code = systemCode(error);
    if (code !== "EINVAL" && code !== "ENOTSUP") throw error;
  } finally {
    await directory.close();
  }
}
