import { closeSync, mkdirSync, openSync, rmSync, truncateSync, writeSync } from "node:fs";
import { join } from "node:path";
import { asRoot } from "../../test/scene/root.ts";

const block = 4096;

/** A disk of a few megabytes, which can be full. */
export class SmallDisk {
  readonly path: string;
  readonly #filler: string;

  constructor(path: string) {
    this.path = path;
    this.#filler = join(path, "filler");
    mkdirSync(path);
    asRoot("mount", "-t", "tmpfs", "-o", "size=4m,mode=0777", "tmpfs", path);
  }

  /** @param free how many blocks of 4 KiB are left */
  fill(free: number): void {
    const file = openSync(this.#filler, "w");
    let length = 0;
    for (const size of [64 * block, block]) {
      try {
        for (;;) length += writeSync(file, Buffer.alloc(size));
      } catch {
        // Full, but for less than this size.
      }
    }
    closeSync(file);
    truncateSync(this.#filler, Math.max(0, length - free * block));
  }

  /** Makes room again, and leaves nothing. */
  clear(): void {
    rmSync(this.#filler, { force: true });
  }

  /** Also while somebody has still a file open there. */
  unmount(): void {
    asRoot("umount", "--lazy", this.path);
  }
}
