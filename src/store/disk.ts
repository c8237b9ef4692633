import * as fs from "node:fs";
import { realpath, rename } from "node:fs/promises";
import { promisify } from "node:util";
import { MxtokenError } from "../errors.ts";
import { systemCode, systemReason } from "../system-error.ts";
import type { Clock, Host } from "../world/world.ts";

/** A failed write as the error that the person sees, with the place and the reason. */
export function unwritable(
  path: string,
  error: unknown,
  what: "write" | "replace" = "write",
  hint?: string,
): MxtokenError {
  if (error instanceof MxtokenError) return error;
  const details = { facts: { path, code: systemCode(error) }, cause: error, hint };
  return new MxtokenError("unwritable", `cannot ${what} ${path}: ${systemReason(error)}`, details);
}

/** What is never written to, or taken for ours. */
export function refused(path: string, why: string, hint?: string): MxtokenError {
  return new MxtokenError("unwritable", `${path} ${why}`, { facts: { path }, hint });
}

const open = promisify(fs.open);
const write = promisify(fs.write);
const chown = promisify(fs.fchown);
const chmod = promisify(fs.fchmod);
const truncate = promisify(fs.ftruncate);
const sync = promisify(fs.fsync);

/**
 * An open file. What may wait for the disk is left to another thread; that takes longer than most of
 * what a system is asked for, so the rest is done at once.
 */
export class OpenFile {
  readonly fd: number;

  private constructor(fd: number) {
    this.fd = fd;
  }

  /** As open(2). */
  static async open(path: string, flags: number, mode?: number): Promise<OpenFile> {
    return new OpenFile(await open(path, flags, mode));
  }

  /** As open(2), and at once, where there is a file; else undefined. */
  static openExisting(path: string, flags: number): OpenFile | undefined {
    // An error takes longer to make than a second look. What cannot be looked at is not nothing.
    const isThere = fs.statSync(path, { throwIfNoEntry: false }) !== undefined;
    return isThere ? new OpenFile(fs.openSync(path, flags)) : undefined;
  }

  stat(): fs.Stats {
    return fs.fstatSync(this.fd);
  }

  chown(uid: number, gid: number): Promise<void> {
    return chown(this.fd, uid, gid);
  }

  chmod(mode: number): Promise<void> {
    return chmod(this.fd, mode);
  }

  /** From the beginning on. A disk that is nearly full for example takes less at once than it is given. */
  async write(bytes: Buffer): Promise<void> {
    for (let position = 0; position < bytes.length; ) {
      const rest = bytes.length - position;
      const { bytesWritten } = await write(this.fd, bytes, position, rest, position);
      position += bytesWritten;
    }
  }

  /** Makes this all that it holds; resolves when it is on the disk. */
  async fill(content: string): Promise<void> {
    const bytes = Buffer.from(content);
    await this.write(bytes);
    await truncate(this.fd, bytes.length);
    await this.sync();
  }

  /**
   * All that it holds, wherever it was read before; it is known to be small.
   *
   * @param size octets, where that is known
   */
  read(size = this.stat().size): Buffer {
    const bytes = Buffer.alloc(size);
    let length = 0;
    while (length < bytes.length) {
      const count = fs.readSync(this.fd, bytes, length, bytes.length - length, length);
      if (count === 0) break;
      length += count;
    }
    return bytes.subarray(0, length);
  }

  /** Resolves when everything is on the disk. */
  sync(): Promise<void> {
    return sync(this.fd);
  }

  /** What has to be on the disk was synced before; the descriptor is gone whatever the disk says. */
  close(): void {
    try {
      fs.closeSync(this.fd);
    } catch {
      // close(2): nothing can be done about it.
    }
  }
}

/** Windows refuses to replace a file while a reader or a virus scanner has it open. */
const patience = 2000;
const interval = 50;

/** As rename(2); on Windows, tried again for 2 s. @throws a system error */
export async function renameOver(world: Clock & Host, from: string, to: string): Promise<void> {
  const end = world.now() + patience;
  for (;;) {
    try {
      return await rename(from, to);
    } catch (error) {
      const code = systemCode(error);
      const busy = code === "EPERM" || code === "EACCES" || code === "EBUSY";
      if (world.platform !== "win32" || !busy || world.now() >= end) throw error;
    }
    // A new refresh token is waiting to be saved: nothing may cut this short.
    await world.sleep(interval, new AbortController().signal);
  }
}

/** Directories that are being synced, and those that are to be synced after that. */
const underWay = new Map<string, Promise<void>>();
const next = new Map<string, Promise<void>>();

/**
 * A rename is only on the disk when its directory is. All who wait for the same directory share one
 * sync; one that has begun already may miss what was renamed since. Windows knows no such thing.
 */
export function syncDirectory(world: Host, path: string): Promise<void> {
  if (world.platform === "win32") return Promise.resolve();
  const coming = next.get(path) ?? syncAfter(path, underWay.get(path));
  next.set(path, coming);
  return coming;
}

async function syncAfter(path: string, former: Promise<void> | undefined): Promise<void> {
  // What became of it, those who wait for it are told.
  await former?.catch(() => undefined);
  next.delete(path);
  const sync = syncNow(path);
  underWay.set(path, sync);
  try {
    await sync;
  } finally {
    if (underWay.get(path) === sync) underWay.delete(path);
  }
}

async function syncNow(path: string): Promise<void> {
  const directory = fs.openSync(path, "r");
  try {
    await sync(directory);
  } catch (error) {
    // Some network file systems cannot; the new content is in place all the same.
    const code = systemCode(error);
    if (code !== "EINVAL" && code !== "ENOTSUP") throw error;
  } finally {
    fs.closeSync(directory);
  }
}

/**
 * What is at `path` now. A link is never written through: the rename would replace the link, and with
 * a hard link one name of two.
 *
 * @throws MxtokenError `unwritable`
 */
export async function checkTarget(path: string): Promise<fs.Stats | undefined> {
  let found: fs.Stats | undefined;
  try {
    found = fs.lstatSync(path, { throwIfNoEntry: false });
  } catch (error) {
    throw unwritable(path, error);
  }
  if (found === undefined) return undefined;
  if (found.isSymbolicLink()) {
    const real = await realpath(path).catch(() => undefined);
    const hint =
      real === undefined ? "it leads nowhere; remove it" : `name the real file instead: ${real}`;
    throw refused(path, "is a symbolic link, which is not written through", hint);
  }
  if (!found.isFile()) throw refused(path, "is not a regular file");
  if (found.nlink > 1) {
    // Only this name would get the next tokens; under the other one, somebody would send the spent ones.
    const why = `has ${found.nlink} names (hard links), and only one of them can be replaced`;
    throw refused(path, why, `remove the others; find / -xdev -inum ${found.ino} finds them`);
  }
  return found;
}
