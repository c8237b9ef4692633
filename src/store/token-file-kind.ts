import { providers } from "../catalog/providers.ts";
import type { TokenNotes } from "../token.ts";

/** A file that stands where a token file is looked for, and is none that can be read. */
export interface NoTokenFile {
  /**
   * `damaged`: one of ours or oauth2_imap's, whose tokens cannot be read; `other`: somebody's file that
   * has nothing to do with tokens
   */
  readonly is: "damaged" | "other";
  /** half a sentence */
  readonly why: string;
}

/** The comments of a token file, in their order, by their titles. */
export const noteTitles = {
  account: "Account",
  login: "Login",
  provider: "Provider",
  flow: "Flow",
  app: "App",
  client: "Client",
  tenant: "Tenant",
  tokenEndpoint: "Token endpoint",
  scope: "Scope",
  signedInAt: "Signed in",
  issuedAt: "Issued",
  expiresAt: "Expires",
  verified: "Verified",
} as const satisfies Record<keyof TokenNotes, string>;

/** Titles of the comments that only a token file has. */
const titles: ReadonlySet<string> = new Set([...Object.values(noteTitles), "Refused", "Tokens"]);

/** The first comment of ours, and of oauth2_imap's, whose blanks vary. */
const headlines = [
  /^#\s{0,9}line 1 is the access token/i,
  /^#\s{0,9}the first\s{1,9}line is the access\s{1,9}token/i,
];

/**
 * Tells a token file from any other, which is never sent, overwritten or removed: line 1 is a token,
 * line 2 is one or empty, and what follows are comments. Where comments leave no doubt, a token may
 * look like anything.
 *
 * @param lines without line ends and byte-order mark
 */
export function judgeLines(lines: readonly string[]): { readonly is: "tokenFile" } | NoTokenFile {
  const [first = "", second = "", ...rest] = lines;
  const stray = rest.findIndex((line) => line.trim() !== "" && !line.startsWith("#"));
  const isSettled =
    rest.some((line) => headlines.some((headline) => headline.test(line.slice(0, 100)))) ||
    (stray === -1 && rest.some((line) => titles.has(readComment(line)?.title ?? "")));
  if (isSettled) {
    const why = [whyNoWord(first, 1), whyNoWord(second, 2)].find((one) => one !== undefined);
    return why === undefined ? { is: "tokenFile" } : { is: "damaged", why };
  }
  const why =
    whyNoToken(first, 1) ??
    (second.trim() === "" ? undefined : whyNoToken(second, 2)) ??
    (stray === -1 ? undefined : `line ${stray + 3} is neither empty nor a comment`);
  return why === undefined ? { is: "tokenFile" } : { is: "other", why };
}

/** A comment like `# Provider: google`; undefined for any other line. */
export function readComment(line: string): { title: string; value: string } | undefined {
  const colon = line.indexOf(":");
  if (!line.startsWith("#") || colon === -1) return undefined;
  const title = line.slice(1, colon).trim();
  const value = line.slice(colon + 1);
  // Without a blank behind its colon it is an address.
  if (!/^[A-Za-z][A-Za-z ]{0,40}$/.test(title) || !/^\s/.test(value)) return undefined;
  return value.trim() === "" ? undefined : { title, value: value.trim() };
}

/** @returns half a sentence; undefined for a line that can be a token, or is empty */
function whyNoWord(line: string, number: number): string | undefined {
  const text = line.trim();
  if (text === "" || /^[\x21-\x7e]+$/.test(text)) return undefined;
  if (/[\0\ufffd]/.test(text)) return `line ${number} holds bytes that no text has`;
  if (/\s/.test(text)) return `line ${number} has more than one word`;
  return `line ${number} holds characters that no token has`;
}

function whyNoToken(line: string, number: number): string | undefined {
  const text = line.trim();
  if (text === "") return `line ${number} is empty`;
  if (text.startsWith("-----BEGIN")) return `line ${number} begins a key or a certificate`;
  const why = whyNoWord(line, number);
  if (why !== undefined) return why;
  const seen = otherThanToken(text);
  if (seen !== undefined) return `line ${number} is ${seen}`;
  const [character] = /[@,;<{":]/.exec(text) ?? [];
  return character === undefined
    ? undefined
    : `line ${number} holds a ${character}, which no token has`;
}

/**
 * What a word is that is evidently no token; undefined where it may be one.
 *
 * @returns as in "it is …"
 */
export function otherThanToken(word: string): string | undefined {
  if (/^[a-z][a-z0-9+.-]{1,20}:\/\//i.test(word)) return "an address on the web";
  if (/^[^@\s]+@[^@\s]+$/.test(word)) return "a mail address";
  const slash = word.search(/[/?#]/);
  if (slash > 0 && isHostName(word.slice(0, slash))) return "an address on the web";
  return isHostName(word) ? "a host name" : undefined;
}

/** Of a JWT (RFC 7519), whose header is JSON in base64; and of the tokens of some providers. */
const beginnings = ["eyJ", ...providers.flatMap(({ tokenPrefixes = [] }) => tokenPrefixes)];

/**
 * Whether a word is a host name or an IP address: letters, digits and hyphens between dots, and a
 * top-level domain of letters alone, unless it begins as tokens do.
 */
function isHostName(word: string): boolean {
  const labels = word.replace(/\.$/, "").split(".");
  if (word.length > 254 || labels.length < 2) return false;
  if (beginnings.some((beginning) => word.startsWith(beginning))) return false;
  if (!labels.every((label) => /^(?!-)[a-z0-9-]{1,63}$/i.test(label))) return false;
  const top = labels.at(-1) ?? "";
  if (labels.length === 4 && labels.every((label) => /^\d{1,3}$/.test(label))) return true;
  // In one case: what mixes both is no name that somebody has written.
  return /^(?:[a-z]{2,63}|[A-Z]{2,63}|xn--[a-z0-9-]+)$/.test(top);
}
