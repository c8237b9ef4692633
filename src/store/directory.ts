import { chmod, chown, lstat, mkdir, rmdir } from "node:fs/promises";
import { dirname } from "node:path";
import { systemCode } from "../errors.ts";
import { unwritable } from "./unwritable.ts";

/**
 * Makes the directory of a token file, private to the user; one that exists is left as it is.
 *
 * @param gid a group that shall be able to read there as well, in every directory that is made
 * @throws MxtokenError `unwritable`
 */
export async function makeDirectory(path: string, gid?: number): Promise<void> {
  try {
    await make(path, gid);
  } catch (error) {
    const code = systemCode(error);
    if (code === "EEXIST") return;
    // Step by step: Node's own recursive mkdir never ends below a directory like /proc.
    if (code !== "ENOENT" || dirname(path) === path || (await exists(dirname(path)))) {
      throw unwritable(path, error);
    }
    await makeDirectory(dirname(path), gid);
    await make(path, gid).catch((again) => {
      if (systemCode(again) !== "EEXIST") throw unwritable(path, again);
    });
  }
}

async function make(path: string, gid: number | undefined): Promise<void> {
  await mkdir(path, { mode: 0o700 });
  if (gid === undefined) return;
  try {
    await chown(path, -1, gid);
    await chmod(path, 0o750);
  } catch (error) {
    // A next run would leave it as it is, and the group would not get in.
    await rmdir(path).catch(() => undefined);
    throw error;
  }
}

async function exists(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  );
}
