import { constants } from "node:fs";
import { open, rename, unlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { systemCode } from "../errors.ts";
import { checkTarget } from "./target.ts";
import { unwritable } from "./unwritable.ts";

/**
 * Replaces a file that holds no secret and can be made anew: a reader sees the old content or the new,
 * never a mixture. It is not forced to the disk, and only one process may do it.
 *
 * @throws MxtokenError `unwritable`
 */
export async function replaceFile(path: string, content: string): Promise<void> {
  await checkTarget(path);
  const temporary = join(dirname(path), `.${basename(path)}.tmp`);
  try {
    await unlink(temporary).catch((error) => {
      if (systemCode(error) !== "ENOENT") throw error;
    });
    const { O_WRONLY, O_CREAT, O_EXCL } = constants;
    const file = await open(temporary, O_WRONLY | O_CREAT | O_EXCL, 0o644);
    try {
      await file.writeFile(content);
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await unlink(temporary).catch(() => undefined);
    throw unwritable(path, error);
  }
}
