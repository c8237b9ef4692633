import { lstat, mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import { systemCode } from "../errors.ts";
import { unwritable } from "./unwritable.ts";

/**
 * Makes the directory of a token file, private to the user; one that exists is left as it is.
 *
 * @throws MxtokenError `unwritable`
 */
export async function makeDirectory(path: string): Promise<void> {
  try {
    await mkdir(path, { mode: 0o700 });
  } catch (error) {
    const code = systemCode(error);
    if (code === "EEXIST") return;
    // Step by step: Node's own recursive mkdir never ends below a directory like /proc.
    if (code !== "ENOENT" || dirname(path) === path || (await exists(dirname(path)))) {
      throw unwritable(path, error);
    }
    await makeDirectory(dirname(path));
    await mkdir(path, { mode: 0o700 }).catch((again) => {
      if (systemCode(again) !== "EEXIST") throw unwritable(path, again);
    });
  }
}

async function exists(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  );
}
