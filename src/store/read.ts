import { readFile, stat } from "node:fs/promises";
import { MxtokenError, systemCode, systemReason } from "../errors.ts";
import { sha256 } from "../world/builtins.ts";
import type { World } from "../world/world.ts";
import { parseTokenFile, type TokenRecord } from "./token-file.ts";

const sizeLimit = 1024 * 1024;

/**
 * Reads a token file, also through a symbolic link.
 *
 * @returns undefined when there is none, or an empty one
 * @throws MxtokenError `unreadable`
 */
export async function readTokenFile(path: string): Promise<TokenRecord | undefined> {
  let text: string;
  try {
    const found = await stat(path);
    // Reading a named pipe would wait for its writer.
    if (!found.isFile() || found.size > sizeLimit) {
      const what = found.isFile() ? "is over 1 MiB large" : "is not a regular file";
      throw new MxtokenError("unreadable", `${path} ${what}, so it is no token file`);
    }
    text = await readFile(path, "utf8");
  } catch (error) {
    if (error instanceof MxtokenError) throw error;
    const code = systemCode(error);
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw new MxtokenError("unreadable", `cannot read ${path}: ${systemReason(error)}`, {
      cause: error,
      hint: "whose file is it? run mxtoken as that user, or pass another --token-file",
    });
  }
  return text.trim() === "" ? undefined : parseTokenFile(text, path);
}

/** Whether everybody on this machine can read the file, as after a copy by hand. */
export async function isReadableByEverybody(world: World, path: string): Promise<boolean> {
  // Windows protects by access lists, and its file modes tell nothing of them.
  if (world.user === undefined) return false;
  const found = await stat(path).catch(() => undefined);
  return found !== undefined && (found.mode & 0o004) !== 0;
}

/** What a file holds, as digests: nobody has to keep a token for a comparison. */
export interface FileIdentity {
  readonly content: string;
  /** of line 1, the access token */
  readonly firstLine: string;
}

/**
 * When the file was last written (ms since 1970), and what tells its content from any other. A file that
 * is replaced by the same content, as before every refresh, to see whether it can be, stays the same.
 *
 * @returns undefined where there is none, or nobody may look
 */
export async function identityOf(
  path: string,
): Promise<({ writtenAt: number } & FileIdentity) | undefined> {
  const found = await stat(path).catch(() => undefined);
  if (found === undefined) return undefined;
  const { mtimeMs: writtenAt, ino, size } = found;
  const isTokenFile = found.isFile() && size <= sizeLimit;
  const text = isTokenFile ? await readFile(path, "utf8").catch(() => undefined) : undefined;
  const content = text ?? `${writtenAt} ${ino} ${size}`;
  const [firstLine = ""] = content.split("\n", 1);
  return { writtenAt, content: sha256(content), firstLine: sha256(firstLine.trim()) };
}
