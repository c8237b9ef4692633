import { lstatSync } from "node:fs";
import { unlink } from "node:fs/promises";
import { dirname } from "node:path";
import { MxtokenError } from "../errors.ts";
import type { Clock, Host } from "../world/world.ts";
import { prepareFile, putInPlace, type Replaced } from "./atomic.ts";
import { type OpenFile, renameOver, syncDirectory, unwritable } from "./disk.ts";
import { type HeldLock, unlocked } from "./lock.ts";
import { temporaryPath } from "./places.ts";

/** Room for the longest tokens seen, several times over. */
const blank = Buffer.alloc(32 * 1024, "\n");

/** A place on the disk that is already ours: what follows cannot fail for want of space or rights. */
export class Reservation {
  /** of the target */
  readonly path: string;
  readonly #world: Clock & Host;
  readonly #lock: HeldLock;
  readonly #temporary: string;
  readonly #file: OpenFile;
  readonly #inode: number;
  #state: "empty" | "in use" | "replaced" | "released" = "empty";

  private constructor(world: Clock & Host, { path, lock = unlocked }: Replaced, file: OpenFile) {
    this.#world = world;
    this.path = path;
    this.#lock = lock;
    this.#temporary = temporaryPath(path);
    this.#file = file;
    this.#inode = file.stat().ino;
  }

  /**
   * Reserves the place for the next content of a file: a temporary file in the same directory, 0600,
   * filled and on the disk. Must be called under the lock of the file, and also removes what processes
   * that died under it left behind: what counted of that was put in its place before (`restore.ts`).
   *
   * The usual packages for atomic writes write through symbolic links and do not sync the directory.
   *
   * @throws MxtokenError `unwritable`
   */
  static async make(world: Clock & Host, replaced: Replaced): Promise<Reservation> {
    return new Reservation(world, replaced, await prepareFile(world, replaced, blank));
  }

  /** Puts the content on the disk, beside the target; what fails leaves there what it can. */
  async fill(content: string): Promise<void> {
    // From here on it may be all that there is of it, and is not given up whatever happens.
    this.#state = "in use";
    try {
      await this.#file.fill(content);
    } catch (error) {
      throw unwritable(this.path, error);
    } finally {
      this.#lock.hold(this.#file);
    }
  }

  /** Replaces the target by it; a reader sees the old content or the new, never a mixture. */
  async replace(): Promise<void> {
    this.#requireThere();
    await putInPlace(this.#world, this.path);
    this.#state = "replaced";
  }

  /** Whether the content still stands where it was put, or has its place already. */
  isThere(): boolean {
    if (this.#state === "replaced") return true;
    return [this.#temporary, this.path].some((path) => inodeOf(path) === this.#inode);
  }

  /** Somebody who knows nothing of this may have removed it, or put something else there. */
  #requireThere(): void {
    if (inodeOf(this.#temporary) === this.#inode) return;
    throw new MxtokenError("unwritable", `somebody has removed ${this.#temporary}`);
  }

  /** Gives it another name instead, in the same directory. */
  async keepAs(path: string): Promise<void> {
    this.#requireThere();
    await renameOver(this.#world, this.#temporary, path).catch((error) => {
      throw unwritable(path, error, "replace", `it is in ${this.#temporary}`);
    });
    await syncDirectory(this.#world, dirname(path)).catch(() => undefined);
  }

  /** Gives up what was put there and has not taken its place: it is no loss. */
  async abandon(): Promise<void> {
    await this.release();
    if (this.#state !== "in use" || inodeOf(this.#temporary) !== this.#inode) return;
    this.#state = "released";
    await unlink(this.#temporary).catch(() => undefined);
  }

  /** Gives the place back. Does nothing after something was put there. */
  async release(): Promise<void> {
    if (this.#state !== "empty") return;
    this.#state = "released";
    this.#file.close();
    await unlink(this.#temporary).catch(() => undefined);
  }
}

function inodeOf(path: string): number | undefined {
  try {
    return lstatSync(path, { throwIfNoEntry: false })?.ino;
  } catch {
    return undefined;
  }
}
