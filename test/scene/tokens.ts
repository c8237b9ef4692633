import { notATokenFile, readTokenText } from "../../src/store/token-file.ts";
import type { TokenRecord } from "../../src/token.ts";

/** A token that can be read, as Microsoft's are; its signature is nobody's business here. */
export function readableToken(claims: Record<string, unknown>): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  return [part({ alg: "RS256", typ: "JWT" }), part(claims), "c2lnbmF0dXJl"].join(".");
}

/** @throws MxtokenError as for a token file that is read at `path` */
export function parseTokenFile(text: string, path: string): TokenRecord {
  const found = readTokenText(text);
  if ("record" in found) return found.record;
  throw notATokenFile(path, found);
}
