import { rename } from "node:fs/promises";
import { systemCode } from "../errors.ts";
import type { World } from "../world/world.ts";

/** Windows refuses to replace a file while a reader or a virus scanner has it open. */
const patience = 2000;
const interval = 50;

/** As rename(2); on Windows, tried again for 2 s. @throws a system error */
export async function renameOver(world: World, from: string, to: string): Promise<void> {
  const end = world.now() + patience;
  for (;;) {
    try {
      return await rename(from, to);
    } catch (error) {
      const code = systemCode(error);
      const busy = code === "EPERM" || code === "EACCES" || code === "EBUSY";
      if (world.platform !== "win32" || !busy || world.now() >= end) throw error;
    }
    // A new refresh token is waiting to be saved: nothing may cut this short.
    await world.sleep(interval, new AbortController().signal);
  }
}
