import { lstatSync, type Stats } from "node:fs";
import { realpath } from "node:fs/promises";
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
    found = lstatSync(path);
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
