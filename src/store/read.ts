import { readFileSync, type Stats, statSync } from "node:fs";
import { MxtokenError } from "../errors.ts";
import { mayBeReadLater, systemCode, systemReason } from "../system-error.ts";
import type { TokenRecord } from "../token.ts";
import { decodeText, textOf } from "../world/text.ts";
import type { Host } from "../world/world.ts";
import type { HeldLock } from "./lock.ts";
import { identityOf, notATokenFile, readTokenText, type TokenIdentity } from "./token-file.ts";

// A token file is small and is read several times in a row. Node takes thirty times as long to hand
// such a read to another thread, and back, as the read takes.

const sizeLimit = 1024 * 1024;

interface TokenReading {
  /**
   * what becomes of a token file whose tokens cannot be read: with --startover it may be replaced, and
   * holds nothing. A file that is no token file is refused in any case.
   */
  readonly damaged?: "refused" | "replaceable";
  /** of that file, where it is held */
  readonly lock?: HeldLock | undefined;
  /** what was read before, and then what is read now: the same bytes are not understood again */
  readonly seen?: SeenFile | undefined;
}

/** What a token file held when it was read last. */
export interface SeenFile {
  bytes?: Buffer;
  text?: string;
  /** undefined where that is no token file */
  record?: TokenRecord | undefined;
}

/**
 * Reads a token file, also through a symbolic link.
 *
 * @returns undefined when there is none, or one of 0 bytes
 * @throws MxtokenError `unreadable`; `unreachable` for one that cannot be read now
 */
export async function readTokenFile(
  path: string,
  { damaged = "refused", lock, seen = {} }: TokenReading = {},
): Promise<TokenRecord | undefined> {
  const found = readText(path, lock, seen);
  if (found === undefined || found.text === "") return undefined;
  const { writtenAt } = found;
  if (seen.record !== undefined) return { ...seen.record, writtenAt };
  const read = readTokenText(found.text);
  if ("record" in read) {
    seen.record = read.record;
    return { ...read.record, writtenAt };
  }
  if (read.is === "damaged" && damaged === "replaceable") {
    return { accessToken: undefined, refreshToken: undefined, notes: {} };
  }
  throw notATokenFile(path, read);
}

/** A file as it was read, to be handed on within a second. */
export interface FileRead {
  readonly path: string;
  readonly text: string;
  /** ms since 1970 */
  readonly writtenAt: number;
  /** what changes whenever it is replaced */
  readonly signature: string;
}

/** What the part of the program that begins hands on to the whole of it. */
let handedOn: { read: FileRead | undefined } | undefined;

/**
 * Begins to remember what is read, to be handed on.
 *
 * @param read what was handed on to here: as long as the file is the same, it is not read again
 */
export function rememberRead(read?: FileRead): { readonly read: FileRead | undefined } {
  handedOn = { read };
  return handedOn;
}

/** Reads it, and notes that: a record that was seen stays only where it is still the file's. */
function readText(path: string, lock: HeldLock | undefined, seen: SeenFile): FileRead | undefined {
  const other = (why: string) => notATokenFile(path, { is: "other", why });
  try {
    const found = statSync(path);
    // Reading a named pipe would wait for its writer.
    if (!found.isFile()) throw other("it is not a regular file");
    if (found.size > sizeLimit) throw other("it is over 1 MiB large");
    const signature = signatureIn(found);
    const before = handedOn?.read;
    if (before !== undefined) handedOn = undefined;
    if (before?.path === path && before.signature === signature) {
      Object.assign(seen, { bytes: undefined, text: undefined, record: undefined });
      return before;
    }
    const bytes = lock?.fileOf(found)?.read(found.size) ?? readFileSync(path);
    if (seen.text !== undefined && seen.bytes?.equals(bytes) === true) {
      return { path, text: seen.text, writtenAt: found.mtimeMs, signature };
    }
    const decoded = decodeText(bytes);
    const text = textOf(bytes, decoded);
    Object.assign(seen, { bytes, text, record: undefined });
    if (decoded.is === "noText" && decoded.isKnown && isForeign(text)) {
      throw other(`it ${decoded.why}`);
    }
    const read = { path, text, writtenAt: found.mtimeMs, signature };
    if (handedOn !== undefined) handedOn.read = read;
    return read;
  } catch (error) {
    if (error instanceof MxtokenError) throw error;
    const code = systemCode(error);
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    const [kind, now, hint] = mayBeReadLater(error)
      ? (["unreachable", " now", "nothing was changed; try again later"] as const)
      : (["unreadable", "", notOurs] as const);
    const message = `cannot read ${path}${now}: ${systemReason(error)}`;
    throw new MxtokenError(kind, message, { facts: { path, code }, cause: error, hint });
  }
}

/** Whether it is no token file, also none that is damaged. */
function isForeign(text: string): boolean {
  const read = readTokenText(text);
  return "is" in read && read.is === "other";
}

const notOurs = "whose file is it? run mxtoken as that user, or pass another --token-file";

/** Whether everybody on this machine can read the file, as after a copy by hand. */
export function isReadableByEverybody(world: Host, path: string): boolean {
  // Windows protects by access lists, and its file modes tell nothing of them.
  if (world.user === undefined) return false;
  return ((look(path)?.mode ?? 0) & 0o004) !== 0;
}

/**
 * What tells the tokens in a file from any others.
 *
 * @returns undefined where there are none, or nobody may look
 * @throws MxtokenError `unreachable` where that cannot be told now
 */
export async function identityIn(path: string): Promise<TokenIdentity | undefined> {
  try {
    const record = await readTokenFile(path);
    return record === undefined ? undefined : identityOf(record);
  } catch (error) {
    if (error instanceof MxtokenError && error.code === "unreachable") throw error;
    const found = look(path);
    const signature = found && signatureIn(found);
    return signature === undefined ? undefined : { tokens: signature, accessToken: signature };
  }
}

function signatureIn({ mtimeMs, ino, size }: Stats): string {
  return `${mtimeMs} ${ino} ${size}`;
}

/** @returns undefined where there is none, or nobody may look */
function look(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch {
    return undefined;
  }
}
