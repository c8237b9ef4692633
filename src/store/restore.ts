import { constants, lstatSync, renameSync, type Stats, unlinkSync } from "node:fs";
import type { Tell } from "../events.ts";
import type { TokenRecord } from "../token.ts";
import { sha256 } from "../world/builtins.ts";
import { textOf } from "../world/text.ts";
import type { Clock, Host } from "../world/world.ts";
import { contentOf, markTrouble, putInPlace } from "./atomic.ts";
import { checkTarget, OpenFile, unwritable } from "./disk.ts";
import { keptPath, keptTexts } from "./kept-tokens.ts";
import { temporaryPath } from "./places.ts";
import { formatTokenFile, readTokenText, tokensDigest } from "./token-file.ts";
import { readComment } from "./token-file-kind.ts";

/**
 * Puts in its place what is on the disk but could not take its place: its process died, or the file
 * could not be written. It is decided by the tokens that it follows, not by clocks. Must be called under
 * the lock of `path`, before anything is read there: a refresh token in `path` may be spent.
 *
 * @returns whether it is in its place now
 * @throws MxtokenError `unwritable`; everything is still there then
 */
export function restore(world: Clock & Host, path: string, tell: Tell): Promise<boolean> {
  return restoreNow(world, path, tell).catch((error) => {
    throw unwritable(path, error);
  });
}

async function restoreNow(world: Clock & Host, path: string, tell: Tell): Promise<boolean> {
  const temporary = temporaryPath(path);
  const left = lstatSync(temporary, { throwIfNoEntry: false });
  // Whoever had to keep tokens elsewhere has left this one as well.
  if (left === undefined) return false;
  const target = await checkTarget(path);
  const now = textOf(contentOf(path));
  const current = digestOfText(now);
  const text = isOurs(world, left, target) ? textOf(contentOf(temporary)) : "";
  const sealed = readSealedTokens(text);
  const kept = keptTexts(world, path).map((each) => readSealedTokens(each.text));
  const next = [sealed, ...kept].find((each) => each?.after === current);
  if (next !== undefined) {
    await finish(
      temporary,
      next === sealed ? whole(sealed, text, now) : sealTokens(next.record, current),
    );
    await putInPlace(world, path);
    tell({ is: "tokensRestored", tokenFile: path });
    return true;
  }
  if (isWorthKeeping(text, sealed, now)) {
    const beside = keptPath(world, path);
    renameSync(temporary, beside);
    // Somebody has replaced since what they follow.
    tell({ is: "tokensKeptBeside", tokenFile: path, path: beside });
    return false;
  }
  if (left.isFile() || left.isSymbolicLink()) unlinkSync(temporary);
  // As long as something waits whose time may come, the next run looks again.
  if (kept.some((each) => each !== undefined && each.after !== ofNoPlace)) markTrouble(path);
  return false;
}

/** Others may have put something of that name there. */
function isOurs({ user }: Host, left: Stats, target: Stats | undefined): boolean {
  return left.isFile() && (user === undefined || left.uid === user.uid || left.uid === target?.uid);
}

/** Tokens that are whole, and that the file neither holds nor follows. */
function isWorthKeeping(text: string, sealed: SealedTokens | undefined, now: string): boolean {
  if (sealed !== undefined) {
    return sealed.tokens !== digestOfText(now) && sealed.tokens !== readSealedTokens(now)?.after;
  }
  // Of version 0.1.0, which sealed nothing.
  const found = readTokenText(text);
  const isWhole = "record" in found && found.record.accessToken !== undefined;
  const isCut = sealOf(text) !== undefined || !/[^\n]\n$/.test(text);
  return isWhole && !isCut && digestOfText(text) !== digestOfText(now);
}

/**
 * What was to be written. Where some of the comments have not come to the disk, those of the file that
 * is replaced are as true, but for what they say of its access token.
 */
function whole(sealed: SealedTokens, text: string, now: string): string {
  if (sealed.isComplete) return `${writtenPart(text)}\n`;
  const former = readTokenText(now);
  const notes = "record" in former ? former.record.notes : sealed.record.notes;
  const unsaid = { issuedAt: undefined, expiresAt: undefined, verified: undefined };
  return sealTokens({ ...sealed.record, notes: { ...notes, ...unsaid } }, sealed.after);
}

/** Leaves this content in the temporary file, and makes sure that it is on the disk. */
async function finish(path: string, content: string): Promise<void> {
  const { O_RDWR, O_NOFOLLOW } = constants;
  const file = await OpenFile.open(path, O_RDWR | O_NOFOLLOW);
  try {
    await file.fill(content);
  } finally {
    file.close();
  }
}

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
  return record === undefined ? noTokens : tokensDigest(record).slice(0, length);
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
interface SealedTokens {
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

/** What a text says of whether its tokens are whole. */
function sealOf(text: string): string | undefined {
  const comments = text.split("\n").map(readComment);
  return comments.find((comment) => comment?.title === title)?.value;
}

/** A text without the line ends behind it, by which a place is kept. */
function writtenPart(text: string): string {
  let end = text.length;
  while (end > 0 && text[end - 1] === "\n") end -= 1;
  return text.slice(0, end);
}
