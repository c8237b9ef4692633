import { readdir, unlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { systemCode } from "../errors.ts";
import type { World } from "../world/world.ts";
import { temporaryPath } from "./atomic.ts";
import { syncDirectory } from "./sync-directory.ts";
import { checkTarget } from "./target.ts";
import { unwritable } from "./unwritable.ts";

/**
 * Removes a token file, under its lock. The lock file beside it stays: without it, two processes
 * could hold two different ones.
 *
 * @throws MxtokenError `unwritable`
 */
export async function removeTokenFile(world: World, path: string): Promise<void> {
  if ((await checkTarget(path)) === undefined) return;
  try {
    await unlink(path);
    await syncDirectory(world, dirname(path));
  } catch (error) {
    throw unwritable(path, error);
  }
}

/** Names of the default token files, oauth2_imap's among them. */
const tokenFileName = /^oauth2_tokens_.+\.txt$/;

/**
 * The token files in a directory, absolute; none where there is no directory.
 *
 * @throws MxtokenError `unwritable` where it cannot be read
 */
export async function tokenFilesIn(directory: string): Promise<string[]> {
  const names = await namesIn(directory);
  return names
    .filter((name) => tokenFileName.test(name))
    .sort()
    .map((name) => join(directory, name));
}

/**
 * Files beside a token file that hold tokens of the same mailbox: one that was never proven, or
 * could not be put in its place.
 */
export async function tokenFilesBeside(tokenFile: string): Promise<string[]> {
  const directory = dirname(tokenFile);
  const name = basename(tokenFile);
  const names = await namesIn(directory);
  const temporary = basename(temporaryPath(tokenFile));
  // The second is what version 0.1.0 called them.
  const prefixes = [`.${name}.kept-`, `${name}.unproven-`];
  return names
    .filter((other) => prefixes.some((prefix) => other.startsWith(prefix)) || other === temporary)
    .map((other) => join(directory, other));
}

async function namesIn(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    if (systemCode(error) === "ENOENT") return [];
    throw unwritable(directory, error);
  }
}
