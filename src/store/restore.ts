import { constants, lstatSync } from "node:fs";
import type { World } from "../world/world.ts";
import { contentOf, putInPlace, temporaryPath } from "./atomic.ts";
import { OpenFile } from "./open-file.ts";
import { checkTarget } from "./target.ts";
import { unwritable } from "./unwritable.ts";

/**
 * Puts in its place what is on the disk but could not take its place: its process died, or the file
 * could not be replaced. Must be called under the lock of `path`, before anything is read there: a
 * refresh token in `path` may be spent.
 *
 * @param wholeOf what is there of the content that was to be written, where that is all of it
 * @returns whether there was something
 * @throws MxtokenError `unwritable`; it is still there then
 */
export async function restore(
  world: World,
  path: string,
  wholeOf: (text: string) => string | undefined,
): Promise<boolean> {
  const temporary = temporaryPath(path);
  const left = lstatSync(temporary, { throwIfNoEntry: false });
  if (left === undefined) return false;
  const target = await checkTarget(path);
  // Somebody has removed or replaced the file since, or what is there is nothing of ours.
  if (target === undefined || left.mtimeMs < target.mtimeMs) return false;
  if (!left.isFile() || left.uid !== target.uid) return false;
  const whole = wholeOf(contentOf(temporary)?.toString("utf8") ?? "");
  if (whole === undefined || contentOf(path)?.toString("utf8") === whole) return false;
  await cut(temporary, Buffer.byteLength(whole)).catch((error) => {
    throw unwritable(temporary, error);
  });
  await putInPlace(world, temporary, path);
  return true;
}

/** Leaves so many bytes of a file, and makes sure that they are on the disk. */
async function cut(path: string, length: number): Promise<void> {
  const { O_RDWR, O_NOFOLLOW } = constants;
  const file = await OpenFile.open(path, O_RDWR | O_NOFOLLOW);
  try {
    await file.truncate(length);
    await file.sync();
  } finally {
    file.close();
  }
}
