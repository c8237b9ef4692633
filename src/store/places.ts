import { existsSync, lstatSync, type Stats } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { MxtokenError } from "../errors.ts";
import type { Settings } from "../settings/settings.ts";
import { sha256 } from "../world/builtins.ts";
import type { Host } from "../world/world.ts";

// A lock and a temporary file beside it have longer names, and file systems end at 255 bytes.
const nameLimit = 200;

/**
 * The token file of an address when the person names none: `oauth2_tokens_<address>.txt`, as
 * oauth2_imap calls it, or with `_<provider>` when the plain name belongs to another provider.
 */
export function defaultTokenFile(
  world: Host,
  settings: Pick<Settings, "address" | "home">,
  provider?: string,
): string {
  const directory = tokenDirectory(world, settings.home);
  const suffix = provider === undefined ? "" : `_${provider}`;
  // oauth2_imap keeps the letters as they were typed; such a file is taken over.
  const typed = join(directory, fileName(settings.address.text, suffix));
  // One name for every way to write the address: file systems differ on the case of letters.
  const { local, domain } = settings.address;
  const address = `${local}@${domain}`.toLowerCase();
  if (address === settings.address.text || existsSync(typed)) return typed;
  return join(directory, fileName(address, suffix));
}

/**
 * `--home`, or a `tokens/` in the current directory that is the user's own and that nobody else
 * can write to (as oauth2_imap's users have it), or the per-user data directory.
 */
function tokenDirectory(world: Host, home: string | undefined): string {
  if (home !== undefined) return join(resolve(world.cwd, home), "tokens");
  const here = join(world.cwd, "tokens");
  return isPrivateDirectory(world, here) ? here : join(dataDirectoryOf(world), "tokens");
}

/** @throws MxtokenError `configuration` where there is none */
function dataDirectoryOf({ dataDirectory }: Host): string {
  if (dataDirectory !== undefined) return dataDirectory;
  throw new MxtokenError(
    "configuration",
    "no home directory is known, in which tokens and keys could be kept",
    { hint: "name one: --home DIRECTORY, or HOME in the environment, an absolute path" },
  );
}

function isPrivateDirectory(world: Host, path: string): boolean {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found?.isDirectory() !== true) return false;
  const { user } = world;
  return user === undefined || (found.uid === user.uid && !isWritableByOthers(found, user));
}

/** Whether others than this user can write to a directory. */
export function isWritableByOthers(
  { gid, mode }: Stats,
  user: { readonly uid: number; readonly gid: number },
): boolean {
  // Where every user has a group of their own, new directories are writable for that group.
  return (mode & (gid === user.gid && gid === user.uid ? 0o002 : 0o022)) !== 0;
}

function fileName(address: string, suffix: string): string {
  const isSafe = /^[\w.+@-]*$/.test(address);
  const safe = isSafe ? address : address.replace(/[\p{C}\p{Z}%/\\:*?"<>|]/gu, escaped);
  const name = `oauth2_tokens_${safe}${suffix}.txt`;
  if (Buffer.byteLength(name) <= nameLimit) return name;
  const digest = sha256(address).slice(0, 32);
  return `oauth2_tokens_${digest}${suffix}.txt`;
}

function escaped(character: string): string {
  return Buffer.from(character).toString("hex").replace(/../g, "%$&");
}

/**
 * The directory that holds `certs/`: `--home`, or the per-user data directory. Never the current
 * directory by itself: a key that somebody else left there would be trusted.
 */
export function certificateDirectory(world: Host, home: string | undefined): string {
  return join(home === undefined ? dataDirectoryOf(world) : resolve(world.cwd, home), "certs");
}

/** Where the next content of a file is prepared. */
export function temporaryPath(path: string): string {
  return join(dirname(path), `.${basename(path)}.tmp`);
}
