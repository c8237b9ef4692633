import { existsSync, type Stats } from "node:fs";
import { chmod, chown, mkdir, readFile, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { MxtokenError } from "../errors.ts";
import { systemCode, systemReason } from "../system-error.ts";
import { runWithin } from "../world/waiting.ts";
import type { Clock, Host, Stop } from "../world/world.ts";
import { type OpenFile, refused, unwritable } from "./disk.ts";

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
    if (code !== "ENOENT" || dirname(path) === path) throw unwritable(path, error);
    // Step by step: Node's own recursive mkdir never ends below a directory like /proc. The one above may be there
    // by now: others make it at the same time.
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
    const why = `${path} cannot be given to the group ${gid}: ${systemReason(error)}`;
    const hint = "only a member of the group can do that";
    throw new MxtokenError("unwritable", why, { cause: error, hint });
  });
  await chmod(path, groupMode);
}

/** What counts of the file that is replaced. */
export type FormerFile = Pick<Stats, "uid" | "gid" | "mode">;

/**
 * Keeps owner, group and a stricter mode of the file that will be replaced. Read access of a group
 * is kept where somebody gave the file to that group on purpose (0640 and not the user's own).
 *
 * @param former the file that will be replaced
 * @param gid the group that shall be able to read
 * @throws MxtokenError `unwritable`
 */
export async function keepOwner(
  file: OpenFile,
  former: FormerFile | undefined,
  world: Host,
  gid: number | undefined,
): Promise<void> {
  if (world.user === undefined) return;
  const { uid, gid: ownGid } = world.user;
  const owner = former?.uid ?? uid;
  const group = gid ?? former?.gid ?? ownGid;
  const now = file.stat();
  if (now.uid !== owner || now.gid !== group) await give(file, owner, group);
  const formerMode = former === undefined ? 0o600 : former.mode & 0o777;
  const shared = (formerMode & 0o137) === 0 && (formerMode & 0o040) !== 0 && group !== ownGid;
  const readable = gid !== undefined || shared ? 0o040 : 0;
  const mode = (formerMode & 0o600) | readable;
  if ((now.mode & 0o7777) === mode) return;
  try {
    await file.chmod(mode);
  } catch (error) {
    if (!hasNoModes(error)) throw error;
    throw new MxtokenError(
      "unwritable",
      `its file system keeps no permissions, so others may read what is written there: ${systemReason(error)}`,
      {
        cause: error,
        hint: "keep the tokens where files are one user's own, by --home DIRECTORY; a Windows drive in WSL has permissions when it is mounted with the option metadata",
      },
    );
  }
}

/** A file that was made a moment ago is ours: what its system does not let us do, it does not know. */
function hasNoModes(error: unknown): boolean {
  return ["EPERM", "EACCES", "ENOSYS", "EOPNOTSUPP", "ENOTSUP", "EINVAL"].includes(
    systemCode(error) ?? "",
  );
}

/**
 * Makes sure that nobody has put an empty file there to become the owner of what root writes: in a
 * directory where others can make files, only our own and the directory's owner's are trusted.
 *
 * @throws MxtokenError `unwritable`
 */
export async function requireTrustedOwner(
  world: Host,
  path: string,
  { uid }: FormerFile,
): Promise<void> {
  if (world.user === undefined || uid === world.user.uid) return;
  const directory = await stat(dirname(path)).catch((error) => {
    throw unwritable(path, error);
  });
  if (uid === directory.uid || (directory.mode & 0o022) === 0) return;
  throw refused(
    path,
    `belongs to another user (${uid}), in a directory where everybody can make files`,
    "nothing is written there; name another --token-file, or remove the file",
  );
}

function give(file: OpenFile, owner: number, group: number): Promise<void> {
  return file.chown(owner, group).catch((error) => {
    const why = `the file cannot be given to user ${owner} and group ${group}: ${systemReason(error)}`;
    const hint = "only a member of the group can do that, and only root can for a user";
    throw new MxtokenError("unwritable", why, { cause: error, hint });
  });
}

/**
 * The numeric id of a group, from its name or from digits. Asks `getent` where the group is not in
 * /etc/group, so that groups of a directory service are found as well.
 *
 * @throws MxtokenError `configuration`, `unreachable`; Interrupted
 */
export async function groupId(world: Clock & Host & Stop, name: string): Promise<number> {
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

async function directoryEntry(world: Clock & Host & Stop, name: string): Promise<string> {
  // Not every system has getent.
  const nothing = () => ({ stdout: "" });
  const command = { file: "getent", args: ["group", name] };
  const result = await runWithin(world, command, directoryPatience).catch(nothing);
  world.interrupted.throwIfAborted();
  if (result !== undefined) return result.stdout;
  const why = `--group: getent did not say within 10 seconds who ${name} is`;
  throw new MxtokenError("unreachable", why);
}

/** Lines look like `name:password:id:members` (group(5)). */
function idIn(entries: string, name: string): number | undefined {
  for (const line of entries.split("\n")) {
    const [entry, , id] = line.split(":");
    if (entry === name && id !== undefined && /^\d+$/.test(id)) return Number(id);
  }
  return undefined;
}
