import { join, resolve } from "node:path";
import type { World } from "../world/world.ts";

/**
 * The directory that holds `certs/`: `--home`, or the per-user data directory. Never the current
 * directory by itself: a key that somebody else left there would be trusted.
 */
export function certificateDirectory(world: World, home: string | undefined): string {
  return join(home === undefined ? world.dataDirectory : resolve(world.cwd, home), "certs");
}
