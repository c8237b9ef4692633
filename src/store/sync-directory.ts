import { closeSync, fsync, openSync } from "node:fs";
import { systemCode } from "../errors.ts";
import type { World } from "../world/world.ts";

/** Directories that are being synced, and those that are to be synced after that. */
const underWay = new Map<string, Promise<void>>();
const next = new Map<string, Promise<void>>();

/**
 * A rename is only on the disk when its directory is. All who wait for the same directory share one
 * sync; one that has begun already may miss what was renamed since. Windows knows no such thing.
 */
export function syncDirectory(world: World, path: string): Promise<void> {
  if (world.platform === "win32") return Promise.resolve();
  const coming = next.get(path) ?? syncAfter(path, underWay.get(path));
  next.set(path, coming);
  return coming;
}

async function syncAfter(path: string, former: Promise<void> | undefined): Promise<void> {
  // What became of it, those who wait for it are told.
  await former?.catch(() => undefined);
  next.delete(path);
  const sync = syncNow(path);
  underWay.set(path, sync);
  try {
    await sync;
  } finally {
    if (underWay.get(path) === sync) underWay.delete(path);
  }
}

async function syncNow(path: string): Promise<void> {
  const directory = openSync(path, "r");
  try {
    await new Promise<void>((resolve, reject) => {
      fsync(directory, (error) => (error ? reject(error) : resolve()));
    });
  } catch (error) {
    // Some network file systems cannot; the new content is in place all the same.
    const code = systemCode(error);
    if (code !== "EINVAL" && code !== "ENOTSUP") throw error;
  } finally {
    closeSync(directory);
  }
}
