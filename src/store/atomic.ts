import { closeSync, constants, lstatSync, openSync } from "node:fs";
import { rename, stat, unlink, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { systemCode } from "../system-error.ts";
import type { Clock, Host } from "../world/world.ts";
import { checkTarget, OpenFile, refused, renameOver, syncDirectory, unwritable } from "./disk.ts";
import { type HeldLock, unlocked } from "./lock.ts";
import { temporaryPath } from "./places.ts";
import { type FormerFile, keepOwner, requireTrustedOwner } from "./rights.ts";

/** Leaves an empty temporary file, where there is none: the next run then looks for what is kept elsewhere. */
export function markTrouble(path: string): void {
  try {
    closeSync(openSync(temporaryPath(path), "wx", 0o600));
  } catch {
    // There is one; or nothing can be made, and a person has to do what the error says.
  }
}

/** A file that is about to be replaced, under its lock. */
export interface Replaced {
  readonly path: string;
  /** the group that shall be able to read; undefined keeps what the file has */
  readonly gid?: number | undefined;
  readonly lock?: HeldLock;
  /**
   * whose file it becomes: the former one's, with its rights, or, where root writes into another
   * user's directory, the directory's, and private
   */
  readonly owner?: "as before" | "of the directory";
}

/** Makes the temporary file with this content, on the disk; when that fails, nothing is left behind. */
export async function prepareFile(
  world: Host,
  { path, gid, owner = "as before" }: Replaced,
  content: Buffer,
): Promise<OpenFile> {
  const target = await checkTarget(path);
  if (target !== undefined) await requireTrustedOwner(world, path, target);
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
  return file;
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
async function privateOf(world: Host, directory: string): Promise<FormerFile | undefined> {
  if (world.user?.uid !== 0) return undefined;
  const { uid, gid } = await stat(directory);
  return { uid, gid, mode: 0o600 };
}

/**
 * Replaces the file by its own content, under its lock. A file that cannot be replaced (mounted
 * alone into a container, immutable) must fail here, and not when the only good refresh token is
 * in memory. Does nothing where there is no file.
 *
 * @throws MxtokenError `unwritable`
 */
export async function replaceByItself(world: Clock & Host, replaced: Replaced): Promise<void> {
  const { path, lock = unlocked } = replaced;
  if ((await checkTarget(path)) === undefined) return;
  const content = contentOf(path, lock) ?? Buffer.alloc(0);
  const temporary = temporaryPath(path);
  const file = await prepareFile(world, replaced, content);
  try {
    lock.hold(file);
    await renameOver(world, temporary, path);
  } catch (error) {
    await unlink(temporary).catch(() => undefined);
    const hint = "is it mounted alone into a container, or immutable?";
    throw unwritable(path, error, "replace", hint);
  }
}

/**
 * Renames the temporary file over the file that it replaces, and makes that last.
 *
 * @throws MxtokenError `unwritable`; it stays where it is then
 */
export async function putInPlace(world: Clock & Host, path: string): Promise<void> {
  const temporary = temporaryPath(path);
  await renameOver(world, temporary, path).catch((error) => {
    const hint = `its new content is in ${temporary}: the next run puts it in its place, if it can`;
    throw unwritable(path, error, "replace", hint);
  });
  await syncDirectory(world, dirname(path)).catch((error) => {
    throw unwritable(path, error);
  });
}

/**
 * Replaces a file that holds no secret and can be made anew: a reader sees the old content or the new,
 * never a mixture. It is not forced to the disk, and only one process may do it.
 *
 * @throws MxtokenError `unwritable`
 */
export async function replaceFile(path: string, content: string): Promise<void> {
  await checkTarget(path);
  const temporary = temporaryPath(path);
  try {
    await unlink(temporary).catch((error) => {
      if (systemCode(error) !== "ENOENT") throw error;
    });
    await writeFile(temporary, content, { flag: "wx", mode: 0o644 });
    await rename(temporary, path);
  } catch (error) {
    await unlink(temporary).catch(() => undefined);
    throw unwritable(path, error);
  }
}

/** No file that is written here is that large. */
const writtenLimit = 2 * 1024 * 1024;

/**
 * What a file of ours holds; a link is not followed.
 *
 * @param lock of that file, where it is held
 * @returns undefined where there is none
 * @throws MxtokenError `unwritable`, also for what is no regular file
 */
export function contentOf(path: string, lock: HeldLock = unlocked): Buffer | undefined {
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;
  let opened: OpenFile | undefined;
  try {
    const there = lstatSync(path, { throwIfNoEntry: false });
    const held = there && lock.fileOf(there);
    if (held === undefined) {
      opened = OpenFile.openExisting(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    }
    const file = held ?? opened;
    if (file === undefined) return undefined;
    const found = held === undefined ? file.stat() : (there ?? file.stat());
    if (!found.isFile()) throw refused(path, "is not a regular file");
    if (found.size > writtenLimit) throw refused(path, "is over 2 MiB large");
    return file.read(found.size);
  } catch (error) {
    if (systemCode(error) === "ENOENT") return undefined;
    throw unwritable(path, error);
  } finally {
    opened?.close();
  }
}
