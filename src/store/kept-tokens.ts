import { constants, lstatSync, readdirSync, readFileSync } from "node:fs";
import { mkdir, readdir } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { MxtokenError } from "../errors.ts";
import { Secret } from "../secret.ts";
import { systemCode } from "../system-error.ts";
import { sha256 } from "../world/builtins.ts";
import type { Clock, Host } from "../world/world.ts";
import { markTrouble } from "./atomic.ts";
import { OpenFile, syncDirectory, unwritable } from "./disk.ts";
import { temporaryPath } from "./places.ts";
import { makeDirectory } from "./rights.ts";

// What could not be put into a token file is kept in a file of its own: beside it, or, where nothing can
// be written there, in another private directory. Nothing removes it by itself: it may be somebody's
// only token.

/** The name of a file beside `path` that keeps what could not be put there; nobody has it yet. */
export function keptPath(world: Clock, path: string): string {
  return freePath(world, join(dirname(path), keptPrefix(path)));
}

/**
 * Keeps a text that would be lost otherwise, where it can be: beside its file, or else in a private
 * directory of this program's.
 *
 * @returns where it is, absolute; undefined where nothing at all can be written
 */
export async function keepElsewhere(
  world: Clock & Host,
  path: string,
  text: Secret,
): Promise<string | undefined> {
  for (const prefix of prefixes(world, path)) {
    try {
      const directory = dirname(prefix);
      if (directory !== dirname(path)) await makePrivate(world, directory);
      const kept = freePath(world, prefix);
      await writeNew(kept, text.reveal());
      await syncDirectory(world, directory).catch(() => undefined);
      return kept;
    } catch {
      // The next place may do.
    }
  }
  return undefined;
}

/** The kept files of a token file, wherever they are, the latest first; with what stands in them. */
export function keptTexts(world: Host, path: string): { path: string; text: string }[] {
  return prefixes(world, path).flatMap((prefix) => {
    try {
      const directory = dirname(prefix);
      if (directory !== dirname(path) && !isPrivate(world, directory)) return [];
      return readdirSync(directory)
        .filter((name) => name.startsWith(basename(prefix)))
        .sort()
        .reverse()
        .map((name) => join(directory, name))
        .flatMap((kept) => readKept(kept));
    } catch {
      return [];
    }
  });
}

const sizeLimit = 2 * 1024 * 1024;

function readKept(path: string): { path: string; text: string }[] {
  const found = lstatSync(path);
  if (!found.isFile() || found.size > sizeLimit) return [];
  return [{ path, text: readFileSync(path, "utf8") }];
}

/** What the names of kept files begin with, in the order in which they are tried. */
function prefixes(world: Host, path: string): string[] {
  const { XDG_RUNTIME_DIR: runtime, TMPDIR: temporary } = world.env;
  const name = `${sha256(path).slice(0, 16)}.kept-`;
  return [
    join(dirname(path), keptPrefix(path)),
    ...(world.dataDirectory === undefined ? [] : [join(world.dataDirectory, "kept", name)]),
    ...(runtime?.startsWith("/") ? [join(runtime, "mxtoken", name)] : []),
    ...(world.user === undefined
      ? []
      : [join(temporary?.startsWith("/") ? temporary : "/tmp", `mxtoken-${world.user.uid}`, name)]),
  ];
}

function keptPrefix(path: string): string {
  return `.${basename(path)}.kept-`;
}

/** With the time in a form that every file system takes. */
function freePath(world: Clock, prefix: string): string {
  const time = new Date(world.now()).toISOString().replaceAll(":", "-");
  for (let number = 1; ; number += 1) {
    const path = `${prefix}${time}${number === 1 ? "" : `-${number}`}`;
    if (lstatSync(path, { throwIfNoEntry: false }) === undefined) return path;
  }
}

async function writeNew(path: string, text: string): Promise<void> {
  const { O_WRONLY, O_CREAT, O_EXCL } = constants;
  const file = await OpenFile.open(path, O_WRONLY | O_CREAT | O_EXCL, 0o600);
  try {
    await file.write(Buffer.from(text));
    await file.sync();
  } finally {
    file.close();
  }
}

async function makePrivate(world: Host, directory: string): Promise<void> {
  await makeDirectory(dirname(directory));
  await mkdir(directory, { mode: 0o700 }).catch(() => undefined);
  if (!isPrivate(world, directory)) throw new Error("others may write there");
}

/** Whether a directory is this user's alone: in a place for everybody, others may have made it. */
function isPrivate(world: Host, directory: string): boolean {
  const found = lstatSync(directory, { throwIfNoEntry: false });
  if (found?.isDirectory() !== true) return false;
  return world.user === undefined || (found.uid === world.user.uid && (found.mode & 0o022) === 0);
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
  const names = await namesIn(directory);
  const temporary = basename(temporaryPath(tokenFile));
  // The second is what version 0.1.0 called them.
  const prefixes = [keptPrefix(tokenFile), `${basename(tokenFile)}.unproven-`];
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

/** Keeps the text of a token file that could not be written. @returns the error that says where */
export async function keptAfter(
  error: unknown,
  world: Clock & Host,
  path: string,
  text: string,
): Promise<unknown> {
  const kept = await keepElsewhere(world, path, new Secret(text));
  // The next run looks for what is kept elsewhere when it finds a temporary file, whatever that holds.
  markTrouble(path);
  if (!(error instanceof MxtokenError)) return error;
  const where = kept === undefined ? `perhaps in ${temporaryPath(path)}` : `in ${kept}`;
  return error.with({
    code: "unwritable",
    message: `${error.message}; the new tokens are ${where}`,
    hint: "the next run puts them in their place, if it can",
  });
}
