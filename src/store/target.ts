import { lstatSync, type Stats } from "node:fs";
import { realpath } from "node:fs/promises";
import { MxtokenError, systemCode } from "../errors.ts";
import { unwritable } from "./unwritable.ts";

/**
 * What is at `path` now. A link is never written through: the rename would replace the link, and with
 * a hard link one name of two.
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
        facts: { path },
        hint:
          real === undefined
            ? "it leads nowhere; remove it"
            : `name the real file instead: ${real}`,
      },
    );
  }
  if (!found.isFile())
    throw new MxtokenError("unwritable", `${path} is not a regular file`, { facts: { path } });
  if (found.nlink > 1) {
    // Only this name would get the next tokens; under the other one, somebody would send the spent ones.
    throw new MxtokenError(
      "unwritable",
      `${path} has ${found.nlink} names (hard links), and only one of them can be replaced`,
      { facts: { path }, hint: `remove the others; find / -xdev -inum ${found.ino} finds them` },
    );
  }
  return found;
}
