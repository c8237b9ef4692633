import type { TokenRecord } from "../token.ts";
import type { World } from "../world/world.ts";
import { writtenAt } from "./read.ts";

/** From when to when a stored access token is good; ms since 1970. */
export interface TokenLife {
  /** when the server has issued it; where the file does not say, when that was written */
  readonly issuedAt: number;
  /** undefined when nobody knows */
  readonly expiresAt: number | undefined;
}

/** Clocks that are set right all the time differ by less; ms. */
const clockTolerance = 60_000;

/**
 * How far ahead the end of a token may lie whose issue is not noted, in ms: nearly all live for an hour,
 * and Microsoft's for up to 28. Whatever lives longer is noted once it is refreshed.
 */
const longestUnnoted = 48 * 3_600_000;

/**
 * Leaves out when the token ends, where that cannot be right because the clock was: a token that is
 * issued in the future was issued while the clock was ahead, or the clock has been set back since. What
 * was reckoned from such a clock would pass for fresh until long after the token has died.
 *
 * @param tokenFile where the record was read
 */
export function withBelievedEnd<T extends TokenRecord | undefined>(
  world: World,
  tokenFile: string,
  record: T,
): T {
  if (record?.notes.expiresAt === undefined) return record;
  if (isBelieved(record, writtenAt(tokenFile), world.now())) return record;
  return { ...record, notes: { ...record.notes, expiresAt: undefined } };
}

/**
 * Whether the end of the stored token that is noted down can be right.
 *
 * @param fileWrittenAt ms since 1970; undefined where nobody may look
 */
export function isBelieved(
  { notes: { issuedAt, expiresAt } }: TokenRecord,
  fileWrittenAt: number | undefined,
  now: number,
): boolean {
  if ((issuedAt ?? fileWrittenAt ?? now) > now + clockTolerance) return false;
  return issuedAt !== undefined || expiresAt === undefined || expiresAt - now <= longestUnnoted;
}

/**
 * The life of the access token of a record.
 *
 * @param fileWrittenAt ms since 1970
 * @returns undefined where there is none
 */
export function lifeOf(
  record: TokenRecord | undefined,
  fileWrittenAt: number | undefined,
): TokenLife | undefined {
  const issuedAt = record?.notes.issuedAt ?? fileWrittenAt;
  if (record?.accessToken === undefined || issuedAt === undefined) return undefined;
  return { issuedAt, expiresAt: record.notes.expiresAt };
}
