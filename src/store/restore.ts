import { constants, lstatSync, renameSync, type Stats, unlinkSync } from "node:fs";
import type { World } from "../world/world.ts";
import { contentOf, markTrouble, putInPlace } from "./atomic.ts";
import { checkTarget, OpenFile, unwritable } from "./disk.ts";
import { keptPath, keptTexts } from "./kept-tokens.ts";
import { temporaryPath } from "./places.ts";
import {
  digestOfText,
  isSealed,
  ofNoPlace,
  readSealedTokens,
  type SealedTokens,
  sealTokens,
  writtenPart,
} from "./sealed-tokens.ts";
import { readTokenText } from "./token-file.ts";

/** What became of tokens that were found beside a token file. */
export type Restored =
  /** they are in it now */
  | { readonly is: "restored" }
  /** they do not follow what stands in it: somebody has replaced it since */
  | { readonly is: "kept"; readonly path: string };

/**
 * Puts in its place what is on the disk but could not take its place: its process died, or the file
 * could not be written. It is decided by the tokens that it follows, not by clocks. Must be called under
 * the lock of `path`, before anything is read there: a refresh token in `path` may be spent.
 *
 * @returns undefined where there was nothing
 * @throws MxtokenError `unwritable`; everything is still there then
 */
export async function restore(world: World, path: string): Promise<Restored | undefined> {
  try {
    return await restoreNow(world, path);
  } catch (error) {
    throw unwritable(path, error);
  }
}

async function restoreNow(world: World, path: string): Promise<Restored | undefined> {
  const temporary = temporaryPath(path);
  const left = lstatSync(temporary, { throwIfNoEntry: false });
  // Whoever had to keep tokens elsewhere has left this one as well.
  if (left === undefined) return undefined;
  const target = await checkTarget(path);
  const now = contentOf(path)?.toString("utf8") ?? "";
  const current = digestOfText(now);
  const text = isOurs(world, left, target) ? (contentOf(temporary)?.toString("utf8") ?? "") : "";
  const sealed = readSealedTokens(text);
  const kept = keptTokens(world, path);
  const next = [sealed, ...kept].find((each) => each?.after === current);
  if (next !== undefined) {
    await finish(
      temporary,
      next === sealed ? whole(sealed, text, now) : sealTokens(next.record, current),
    );
    await putInPlace(world, temporary, path);
    return { is: "restored" };
  }
  if (isWorthKeeping(text, sealed, now)) {
    const beside = keptPath(world, path);
    renameSync(temporary, beside);
    return { is: "kept", path: beside };
  }
  if (left.isFile() || left.isSymbolicLink()) unlinkSync(temporary);
  // As long as something waits whose time may come, the next run looks again.
  if (kept.some((each) => each !== undefined && each.after !== ofNoPlace)) markTrouble(path);
  return undefined;
}

function keptTokens(world: World, path: string): (SealedTokens | undefined)[] {
  return keptTexts(world, path).map(({ text }) => readSealedTokens(text));
}

/** Others may have put something of that name there. */
function isOurs({ user }: World, left: Stats, target: Stats | undefined): boolean {
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
  const isCut = isSealed(text) || !/[^\n]\n$/.test(text);
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
  const bytes = Buffer.from(content);
  const file = await OpenFile.open(path, O_RDWR | O_NOFOLLOW);
  try {
    await file.write(bytes);
    await file.truncate(bytes.length);
    await file.sync();
  } finally {
    file.close();
  }
}
