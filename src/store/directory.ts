import { existsSync } from "node:fs";
import { chmod, chown, lstat, mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import { MxtokenError, systemCode, systemReason } from "../errors.ts";
import { unwritable } from "./unwritable.ts";

/** For a group: to read what is in the last directory, and to walk through those before it. */
const last = 0o750;
const onTheWay = 0o710;

/**
 * Makes the directory of a token file, private to the user; one that exists is left as it is.
 *
 * @param gid a group that shall get in, through whatever has to be made
 * @throws MxtokenError `unwritable`
 */
export async function makeDirectory(path: string, gid?: number, groupMode = last): Promise<void> {
  if (existsSync(path)) return;
  try {
    await make(path, gid, groupMode);
  } catch (error) {
    const code = systemCode(error);
    if (code === "EEXIST") return;
    // Step by step: Node's own recursive mkdir never ends below a directory like /proc.
    if (code !== "ENOENT" || dirname(path) === path || (await exists(dirname(path)))) {
      throw unwritable(path, error);
    }
    await makeDirectory(dirname(path), gid, onTheWay);
    await make(path, gid, groupMode).catch((again) => {
      if (systemCode(again) !== "EEXIST") throw unwritable(path, again);
    });
  }
}

async function make(path: string, gid: number | undefined, groupMode: number): Promise<void> {
  await mkdir(path, { mode: 0o700 });
  if (gid === undefined) return;
  await chown(path, -1, gid).catch((error) => {
    throw new MxtokenError(
      "unwritable",
      `${path} cannot be given to the group ${gid}: ${systemReason(error)}`,
      { cause: error, hint: "only a member of the group can do that" },
    );
  });
  await chmod(path, groupMode);
}

async function exists(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  );
}
