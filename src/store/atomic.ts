import { closeSync, constants, existsSync, lstatSync, openSync, readFileSync } from "node:fs";
import { stat, unlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { MxtokenError, systemCode, systemReason } from "../errors.ts";
import type { World } from "../world/world.ts";
import { type FormerFile, keepOwner, requireTrustedOwner } from "./keep-owner.ts";
import { holdToo } from "./lock.ts";
import { OpenFile } from "./open-file.ts";
import { renameOver } from "./rename.ts";
import { syncDirectory } from "./sync-directory.ts";
import { checkTarget } from "./target.ts";
import { unwritable } from "./unwritable.ts";

/** Room for the longest tokens seen, several times over. */
const blank = Buffer.alloc(32 * 1024, "\n");

/** A place on the disk that is already ours: what follows cannot fail for want of space or rights. */
export interface Reservation {
  /** Puts the content on the disk, beside the target; what fails leaves there what it can. */
  fill(content: string): Promise<void>;
  /** Replaces the target by it; a reader sees the old content or the new, never a mixture. */
  replace(): Promise<void>;
  /** Whether the content still stands where it was put, or has its place already. */
  isThere(): boolean;
  /** Gives it another name instead, in the same directory. */
  keepAs(path: string): Promise<void>;
  /** Gives the place back. Does nothing after something was put there. */
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
  return new PlaceOnDisk(world, path, temporary, file);
}

/** Where the next content of a file is prepared. */
export function temporaryPath(path: string): string {
  return join(dirname(path), `.${basename(path)}.tmp`);
}

/** Leaves an empty temporary file, where there is none: the next run then looks for what is kept elsewhere. */
export function markTrouble(path: string): void {
  try {
    closeSync(openSync(temporaryPath(path), "wx", 0o600));
  } catch {
    // There is one; or nothing can be made, and a person has to do what the error says.
  }
}

/** Whether something is there, of a process that is at work or that died. */
export function isLeftBeside(path: string): boolean {
  return existsSync(temporaryPath(path));
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

class PlaceOnDisk implements Reservation {
  readonly #world: World;
  readonly #path: string;
  readonly #temporary: string;
  readonly #file: OpenFile;
  readonly #inode: number;
  #state: "empty" | "in use" | "replaced" | "released" = "empty";

  constructor(world: World, path: string, temporary: string, file: OpenFile) {
    this.#world = world;
    this.#path = path;
    this.#temporary = temporary;
    this.#file = file;
    this.#inode = file.stat().ino;
  }

  async fill(content: string): Promise<void> {
    // From here on it may be all that there is of it, and is not given up whatever happens.
    this.#state = "in use";
    try {
      const bytes = Buffer.from(content);
      await this.#file.write(bytes);
      await this.#file.truncate(bytes.length);
      await this.#file.sync();
    } catch (error) {
      throw unwritable(this.#path, error);
    } finally {
      holdToo(this.#world, this.#path, this.#file);
    }
  }

  async replace(): Promise<void> {
    this.#requireThere();
    await putInPlace(this.#world, this.#temporary, this.#path);
    this.#state = "replaced";
  }

  isThere(): boolean {
    if (this.#state === "replaced") return true;
    return [this.#temporary, this.#path].some((path) => inodeOf(path) === this.#inode);
  }

  /** Somebody who knows nothing of this may have removed it, or put something else there. */
  #requireThere(): void {
    if (inodeOf(this.#temporary) === this.#inode) return;
    throw new MxtokenError("unwritable", `somebody has removed ${this.#temporary}`);
  }

  async keepAs(path: string): Promise<void> {
    this.#requireThere();
    await renameOver(this.#world, this.#temporary, path).catch((error) => {
      throw cannotReplace(path, error, `it is in ${this.#temporary}`);
    });
    await syncDirectory(this.#world, dirname(path)).catch(() => undefined);
  }

  async release(): Promise<void> {
    if (this.#state !== "empty") return;
    this.#state = "released";
    try {
      this.#file.close();
    } finally {
      await unlink(this.#temporary).catch(() => undefined);
    }
  }
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
  if ((await checkTarget(path)) === undefined) return;
  const content = contentOf(path) ?? Buffer.alloc(0);
  const { temporary, file } = await place(world, path, gid, "as before", content);
  try {
    holdToo(world, path, file);
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

function inodeOf(path: string): number | undefined {
  try {
    return lstatSync(path, { throwIfNoEntry: false })?.ino;
  } catch {
    return undefined;
  }
}

/** No file that is written here is that large. */
const sizeLimit = 2 * 1024 * 1024;

/**
 * What a file holds.
 *
 * @returns undefined where there is none
 * @throws MxtokenError `unwritable`, also for what is no regular file
 */
export function contentOf(path: string): Buffer | undefined {
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;
  let file: OpenFile | undefined;
  try {
    file = OpenFile.openExisting(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    if (file === undefined) return undefined;
    const found = file.stat();
    if (!found.isFile())
      throw new MxtokenError("unwritable", `${path} is not a regular file`, { facts: { path } });
    if (found.size > sizeLimit)
      throw new MxtokenError("unwritable", `${path} is over 2 MiB large`, { facts: { path } });
    return readFileSync(file.fd);
  } catch (error) {
    if (systemCode(error) === "ENOENT") return undefined;
    throw unwritable(path, error);
  } finally {
    file?.close();
  }
}

function cannotReplace(path: string, error: unknown, hint: string): MxtokenError {
  return new MxtokenError("unwritable", `cannot replace ${path}: ${systemReason(error)}`, {
    facts: { path, code: systemCode(error) },
    cause: error,
    hint,
  });
}
