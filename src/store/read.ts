import { readFileSync, type Stats, statSync } from "node:fs";
import { MxtokenError, mayBeReadLater, systemCode, systemReason } from "../errors.ts";
import type { World } from "../world/world.ts";
import { identityOf, parseTokenFile, type TokenIdentity, type TokenRecord } from "./token-file.ts";

// A token file is small and is read several times in a row. Node takes thirty times as long to hand
// such a read to another thread, and back, as the read takes.

const sizeLimit = 1024 * 1024;

/**
 * Reads a token file, also through a symbolic link.
 *
 * @returns undefined when there is none, or an empty one
 * @throws MxtokenError `unreadable`; `unreachable` for one that cannot be read now
 */
export async function readTokenFile(path: string): Promise<TokenRecord | undefined> {
  let text: string;
  try {
    const found = statSync(path);
    // Reading a named pipe would wait for its writer.
    if (!found.isFile() || found.size > sizeLimit) {
      const what = found.isFile() ? "is over 1 MiB large" : "is not a regular file";
      throw new MxtokenError("unreadable", `${path} ${what}, so it is no token file`);
    }
    text = readFileSync(path, "utf8");
  } catch (error) {
    if (error instanceof MxtokenError) throw error;
    const code = systemCode(error);
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    if (mayBeReadLater(error)) throw notReadNow(path, error);
    throw new MxtokenError("unreadable", `cannot read ${path}: ${systemReason(error)}`, {
      cause: error,
      hint: "whose file is it? run mxtoken as that user, or pass another --token-file",
    });
  }
  return text.trim() === "" ? undefined : parseTokenFile(text, path);
}

function notReadNow(path: string, error: unknown): MxtokenError {
  return new MxtokenError("unreachable", `cannot read ${path} now: ${systemReason(error)}`, {
    cause: error,
    hint: "nothing was changed; try again later",
  });
}

/** Whether everybody on this machine can read the file, as after a copy by hand. */
export async function isReadableByEverybody(world: World, path: string): Promise<boolean> {
  // Windows protects by access lists, and its file modes tell nothing of them.
  if (world.user === undefined) return false;
  const found = look(path);
  return found !== undefined && (found.mode & 0o004) !== 0;
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
    const signature = signatureOf(path);
    return signature === undefined ? undefined : { tokens: signature, accessToken: signature };
  }
}

/** What changes whenever a file is replaced; undefined where there is none, or nobody may look. */
export function signatureOf(path: string): string | undefined {
  const found = look(path);
  return found && `${found.mtimeMs} ${found.ino} ${found.size}`;
}

/** When the file was last written, ms since 1970; undefined where there is none, or nobody may look. */
export function writtenAt(path: string): number | undefined {
  return look(path)?.mtimeMs;
}

function look(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch {
    return undefined;
  }
}
