import type { Stats } from "node:fs";
import { stat } from "node:fs/promises";
import { dirname } from "node:path";
import { MxtokenError, systemReason } from "../errors.ts";
import type { World } from "../world/world.ts";
import type { OpenFile } from "./open-file.ts";
import { unwritable } from "./unwritable.ts";

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
  world: World,
  gid: number | undefined,
): Promise<void> {
  if (world.user === undefined) return;
  const { uid, gid: ownGid } = world.user;
  const owner = former?.uid ?? uid;
  const group = gid ?? former?.gid ?? ownGid;
  const now = file.stat();
  if (now.uid !== owner || now.gid !== group) await chown(file, owner, group);
  const formerMode = former === undefined ? 0o600 : former.mode & 0o777;
  const shared = (formerMode & 0o137) === 0 && (formerMode & 0o040) !== 0 && group !== ownGid;
  const readable = gid !== undefined || shared ? 0o040 : 0;
  const mode = (formerMode & 0o600) | readable;
  if ((now.mode & 0o7777) !== mode) await file.chmod(mode);
}

/**
 * Makes sure that nobody has put an empty file there to become the owner of what root writes: in a
 * directory where others can make files, only our own and the directory's owner's are trusted.
 *
 * @throws MxtokenError `unwritable`
 */
export async function requireTrustedOwner(
  world: World,
  path: string,
  { uid }: FormerFile,
): Promise<void> {
  if (world.user === undefined || uid === world.user.uid) return;
  const directory = await stat(dirname(path)).catch((error) => {
    throw unwritable(path, error);
  });
  if (uid === directory.uid || (directory.mode & 0o022) === 0) return;
  throw new MxtokenError(
    "unwritable",
    `${path} belongs to another user (${uid}), in a directory where everybody can make files`,
    {
      facts: { path },
      hint: "nothing is written there; name another --token-file, or remove the file",
    },
  );
}

async function chown(file: OpenFile, owner: number, group: number): Promise<void> {
  try {
    await file.chown(owner, group);
  } catch (error) {
    throw new MxtokenError(
      "unwritable",
      `the file cannot be given to user ${owner} and group ${group}: ${systemReason(error)}`,
      {
        cause: error,
        hint: "only a member of the group can do that, and only root can for a user",
      },
    );
  }
}
