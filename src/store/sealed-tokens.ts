import type { TokenRecord } from "../token.ts";
import { sha256 } from "../world/builtins.ts";
import { formatTokenFile, identityOf, readTokenText } from "./token-file.ts";
import { readComment } from "./token-file-kind.ts";

// A process may die while it writes, and the clock and the times of files prove nothing. So the text of
// a token file itself says that its two tokens are whole, and which tokens stood there before: a comment
// `# Tokens: DIGEST after DIGEST`.

const title = "Tokens";

/** Stands for the tokens of a file that is not there, or holds none. */
export const noTokens = "nothing";

/** Stands in the seal of tokens that are kept on purpose, and follow none: nothing puts them in a place. */
export const ofNoPlace = "beside";

/** Enough to tell tokens apart, and of no use to whoever wants one; hexadecimal. */
const length = 16;

/** What stands for the tokens of a record, in comparisons. */
export function digestOf(record: TokenRecord | undefined): string {
  return record === undefined ? noTokens : identityOf(record).tokens.slice(0, length);
}

/** The same for a text, also for one that is no token file's: then it stands for all of it. */
export function digestOfText(text: string): string {
  if (text === "") return noTokens;
  const found = readTokenText(text);
  return "record" in found ? digestOf(found.record) : sha256(text).slice(0, length);
}

/**
 * The text of a token file with its seal.
 *
 * @param after digest of the tokens that it replaces
 */
export function sealTokens(record: TokenRecord, after: string): string {
  return formatTokenFile(record, `# ${title}: ${digestOf(record)} after ${after}`);
}

/** What was written of a token file, though perhaps not all of it has come to the disk. */
export interface SealedTokens {
  readonly record: TokenRecord;
  /** digests of these tokens and of those that they replace */
  readonly tokens: string;
  readonly after: string;
  /** whether the comments are all there, and not only the tokens */
  readonly isComplete: boolean;
}

/**
 * Reads what a process that died has left: the tokens where they are whole.
 *
 * @param text perhaps with the blank lines behind it that had kept its place
 * @returns undefined where the tokens are not whole, or nothing says so
 */
export function readSealedTokens(text: string): SealedTokens | undefined {
  const written = writtenPart(text);
  const found = readTokenText(written);
  if (!("record" in found) || found.record.accessToken === undefined) return undefined;
  const [, tokens = "", after = ""] =
    /^([\da-f]{16}) after ([\da-z]+)$/.exec(sealOf(written) ?? "") ?? [];
  if (tokens === "" || tokens !== digestOf(found.record)) return undefined;
  // The last comment is the one about the proof.
  const isComplete = text.length > written.length && found.record.notes.verified !== undefined;
  return { record: found.record, tokens, after, isComplete };
}

/** Whether a text says whether its tokens are whole. */
export function isSealed(text: string): boolean {
  return sealOf(text) !== undefined;
}

function sealOf(text: string): string | undefined {
  const comments = text.split("\n").map(readComment);
  return comments.find((comment) => comment?.title === title)?.value;
}

/** A text without the line ends behind it, by which a place is kept. */
export function writtenPart(text: string): string {
  let end = text.length;
  while (end > 0 && text[end - 1] === "\n") end -= 1;
  return text.slice(0, end);
}
