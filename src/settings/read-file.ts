import { resolve } from "node:path";
import { MxtokenError, mayBeReadLater, systemReason } from "../errors.ts";
import { type BoundedFile, readBounded } from "../world/read-bounded.ts";
import type { World } from "../world/world.ts";

/** No key and no certificate is that long. */
const sizeLimit = 256 * 1024;

/** A file that an option names. */
export interface GivenFile {
  /** absolute */
  readonly path: string;
  readonly text: string;
  /** whether everybody on this machine can read it */
  readonly isReadableByEverybody: boolean;
}

/** Half a sentence about a file that is of no use. */
export function whyNot(is: Exclude<BoundedFile["is"], "read">): string {
  return is === "tooLarge" ? "is too large" : "is not a regular file";
}

/**
 * Reads a file that an option names.
 *
 * @param option the option's name, for the error
 * @throws MxtokenError `configuration` where it cannot be read
 */
export async function readGivenFile(
  world: World,
  option: string,
  name: string,
): Promise<GivenFile> {
  const path = resolve(world.cwd, name);
  try {
    const how = { limit: sizeLimit, mayBePipe: false, stop: world.interrupted };
    const found = await readBounded(path, how);
    if (found.is !== "read") {
      throw new MxtokenError("configuration", `--${option}: ${path} ${whyNot(found.is)}`);
    }
    return {
      path,
      text: found.bytes.toString("utf8"),
      // Windows protects by access lists, and its file modes tell nothing of them.
      isReadableByEverybody: world.user !== undefined && (found.mode & 0o004) !== 0,
    };
  } catch (error) {
    world.interrupted.throwIfAborted();
    if (error instanceof MxtokenError) throw error;
    throw new MxtokenError(
      mayBeReadLater(error) ? "unreachable" : "configuration",
      `--${option}: cannot read ${path}: ${systemReason(error)}`,
      { cause: error },
    );
  }
}
