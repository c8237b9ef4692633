import type { Stats } from "node:fs";
import { lstat, readdir, realpath, unlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { MxtokenError, systemCode } from "../errors.ts";
import { unwritable } from "./unwritable.ts";

/**
 * What is at `path` now. A link is never written through: the rename would replace the link.
 *
 * @throws MxtokenError `unwritable`
 */
export async function checkTarget(path: string): Promise<Stats | undefined> {
  let found: Stats;
  try {
    found = await lstat(path);
  } catch (error) {
    if (systemCode(error) === "ENOENT") return undefined;
    throw unwritable(path, error);
  }
  if (found.isSymbolicLink()) {
    const real = await realpath(path).catch(() => undefined);
    throw new MxtokenError(
      "unwritable",
      `${path} is a symbolic link, which is not written through`,
      {
        hint:
          real === undefined
            ? "it leads nowhere; remove it"
            : `name the real file instead: ${real}`,
      },
    );
  }
  if (!found.isFile()) throw new MxtokenError("unwritable", `${path} is not a regular file`);
  return found;
}

/**
 * Removes the temporary files that processes left behind which died under the lock of `path`.
 *
 * @throws MxtokenError `unwritable`
 */
export async function removeLeftovers(path: string): Promise<void> {
  const prefix = `.${basename(path)}.`;
  const directory = dirname(path);
  try {
    for (const name of await readdir(directory)) {
      if (name.startsWith(prefix) && /^[0-9a-f]{16}\.tmp$/.test(name.slice(prefix.length))) {
        await unlink(join(directory, name));
      }
    }
  } catch (error) {
    throw unwritable(path, error);
  }
}
