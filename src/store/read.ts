import { readFile, stat } from "node:fs/promises";
import { MxtokenError } from "../errors.ts";
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
    const code = error instanceof Error && "code" in error ? String(error.code) : "unknown reason";
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw new MxtokenError("unreadable", `cannot read ${path}: ${code}`, { cause: error });
  }
  return text.trim() === "" ? undefined : parseTokenFile(text, path);
}
