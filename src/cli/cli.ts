import { type FileRead, rememberRead } from "../store/read.ts";
import { shutInspector } from "../world/own-process.ts";
import { systemWorld } from "../world/system.ts";
import { main } from "./main.ts";

/** @param read what was read already of the stored token */
export async function begin(read: FileRead | undefined): Promise<void> {
  if (read !== undefined) rememberRead(read);
  shutInspector();
  process.exitCode = await main(process.argv.slice(2), systemWorld({ ownsProcess: true }));
}
