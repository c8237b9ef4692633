import { readFile } from "node:fs/promises";
import { MxtokenError } from "../errors.ts";
import { runWithin } from "../world/waiting.ts";
import type { World } from "../world/world.ts";

/**
 * The numeric id of a group, from its name or from digits. Asks `getent` where the group is not in
 * /etc/group, so that groups of a directory service are found as well.
 *
 * @throws MxtokenError `configuration`, `unreachable`; Interrupted
 */
export async function groupId(world: World, name: string): Promise<number> {
  if (world.user === undefined) {
    throw new MxtokenError("configuration", "--group: this system has no group rights on files");
  }
  if (/^\d{1,9}$/.test(name)) return Number(name);
  if (/^\w[\w.@\\ -]*$/.test(name)) {
    const local = await readFile("/etc/group", "utf8").catch(() => "");
    const id = idIn(local, name) ?? idIn(await directoryEntry(world, name), name);
    if (id !== undefined) return id;
  }
  throw new MxtokenError("configuration", `--group: there is no group ${JSON.stringify(name)}`);
}

/** How long a directory service may take, ms. */
const directoryPatience = 10_000;

async function directoryEntry(world: World, name: string): Promise<string> {
  // Not every system has getent.
  const nothing = () => ({ stdout: "" });
  const command = { file: "getent", args: ["group", name] };
  const result = await runWithin(world, command, directoryPatience).catch(nothing);
  world.interrupted.throwIfAborted();
  if (result !== undefined) return result.stdout;
  throw new MxtokenError(
    "unreachable",
    `--group: getent did not say within 10 seconds who ${name} is`,
  );
}

/** Lines look like `name:password:id:members` (group(5)). */
function idIn(entries: string, name: string): number | undefined {
  for (const line of entries.split("\n")) {
    const [entry, , id] = line.split(":");
    if (entry === name && id !== undefined && /^\d+$/.test(id)) return Number(id);
  }
  return undefined;
}
