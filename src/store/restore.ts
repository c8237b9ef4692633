import { lstatSync } from "node:fs";
import type { World } from "../world/world.ts";
import { contentOf, putInPlace, temporaryPath } from "./atomic.ts";
import { checkTarget } from "./target.ts";

/**
 * Puts in its place what is on the disk but could not take its place: its process died, or the file
 * could not be replaced. Must be called under the lock of `path`, before anything is read there: a
 * refresh token in `path` may be spent.
 *
 * @param isComplete whether this was all that was to be written
 * @returns whether there was something
 * @throws MxtokenError `unwritable`; it is still there then
 */
export async function restore(
  world: World,
  path: string,
  isComplete: (content: string) => boolean,
): Promise<boolean> {
  const temporary = temporaryPath(path);
  const left = lstatSync(temporary, { throwIfNoEntry: false });
  if (left === undefined) return false;
  const target = await checkTarget(path);
  // Somebody has removed or replaced the file since, or what is there is nothing of ours.
  if (target === undefined || left.mtimeMs < target.mtimeMs) return false;
  if (!left.isFile() || left.uid !== target.uid) return false;
  const content = contentOf(temporary);
  if (content === undefined || !isComplete(content.toString("utf8"))) return false;
  if (contentOf(path)?.equals(content)) return false;
  await putInPlace(world, temporary, path);
  return true;
}
