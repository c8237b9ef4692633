import type { TokenRecord } from "../token.ts";

/** From when to when a stored access token is good; ms since 1970. */
export interface TokenLife {
  /** when the server has issued it; where that is not noted, when it was written down */
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
 */
export function believed<T extends TokenRecord | undefined>(record: T, now: number): T {
  if (record?.notes.expiresAt === undefined || isBelieved(record, now)) return record;
  return { ...record, notes: { ...record.notes, expiresAt: undefined } };
}

/** Whether the end of a stored token that is noted down can be right. */
export function isBelieved(
  { notes: { issuedAt, expiresAt }, writtenAt }: TokenRecord,
  now: number,
): boolean {
  if ((issuedAt ?? writtenAt ?? now) > now + clockTolerance) return false;
  return issuedAt !== undefined || expiresAt === undefined || expiresAt - now <= longestUnnoted;
}

/**
 * The life of the access token of a record, in whole seconds as they are noted down: so it is the same
 * whether it was read or has just been stored.
 *
 * @returns undefined where there is none
 */
export function lifeOf(record: TokenRecord | undefined): TokenLife | undefined {
  const issuedAt = record?.notes.issuedAt ?? record?.writtenAt;
  if (record?.accessToken === undefined || issuedAt === undefined) return undefined;
  const { expiresAt } = record.notes;
  return {
    issuedAt: inSeconds(issuedAt),
    expiresAt: expiresAt === undefined ? undefined : inSeconds(expiresAt),
  };
}

function inSeconds(ms: number): number {
  return Math.floor(ms / 1000) * 1000;
}
