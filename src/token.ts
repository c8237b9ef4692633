import type { Facts } from "./causes/cause.ts";
import { MxtokenError } from "./errors.ts";
import { Secret } from "./secret.ts";

/** What a token endpoint granted (RFC 6749 section 5.1), with the moment it ends. */
export interface Token {
  readonly accessToken: Secret;
  readonly refreshToken: Secret | undefined;
  /** when the answer came, milliseconds since 1970 */
  readonly issuedAt: number;
  /** milliseconds since 1970; undefined when the server did not say */
  readonly expiresAt: number | undefined;
  /** space-separated; what was asked for when the server did not say */
  readonly scope: string;
  /** of OpenID Connect, as it came: nobody has checked it */
  readonly idToken?: Secret | undefined;
}

/** The members of a token response that this program reads, already checked for their type. */
export interface TokenResponse {
  readonly access_token: string;
  readonly refresh_token?: string | undefined;
  /** seconds */
  readonly expires_in?: number | undefined;
  readonly scope?: string | undefined;
  readonly unverified_id_token?: string | undefined;
}

/** The scope of a request, and which of its scopes the server grants unnamed. */
interface AskedScope {
  readonly scope: string;
  readonly unechoedScopes: readonly string[];
}

/**
 * Turns a token response into a token: the expiry becomes absolute, reckoned from when the answer
 * was received, and the old refresh token stays when no new one came (RFC 6749 section 6).
 *
 * @param receivedAt milliseconds since 1970
 * @throws MxtokenError `notUnderstood`, with the `answer`, when a token could not stand on a line of a token file
 */
export function tokenFrom(
  response: TokenResponse,
  receivedAt: number,
  asked: AskedScope,
  previous: Secret | undefined,
): Token {
  for (const value of [response.access_token, response.refresh_token]) {
    if (value !== undefined && !isTokenText(value)) {
      throw new MxtokenError(
        "notUnderstood",
        "the token endpoint sent a token with blanks or control characters in it",
        { answer: new Secret(JSON.stringify(response)) },
      );
    }
  }
  const seconds = response.expires_in;
  return {
    accessToken: new Secret(response.access_token),
    refreshToken: secretIn(response.refresh_token) ?? previous,
    issuedAt: receivedAt,
    expiresAt: seconds === undefined ? undefined : receivedAt + seconds * 1000,
    scope: grantedScope(response.scope, asked),
    idToken: secretIn(response.unverified_id_token),
  };
}

function secretIn(text: string | undefined): Secret | undefined {
  return text === undefined ? undefined : new Secret(text);
}

/** Whether a text can be a token: printable ASCII without blanks (RFC 6749 appendix A). */
export function isTokenText(text: string): boolean {
  return /^[\x21-\x7e]+$/.test(text);
}

/** The scopes that were asked for and are not among those granted. */
export function missingScopes(asked: string, granted: string): string[] {
  const has = new Set(granted.toLowerCase().split(" "));
  return asked.split(" ").filter((scope) => scope !== "" && !has.has(scope.toLowerCase()));
}

/** What is granted without being named (offline_access at Microsoft), a refresh must ask for again. */
function grantedScope(granted: string | undefined, { scope, unechoedScopes }: AskedScope): string {
  if (granted === undefined || !/^[\x20-\x7e]+$/.test(granted)) return scope;
  const unechoed = scope.split(" ").filter((one) => unechoedScopes.includes(one));
  const named = granted.split(" ").filter((one) => one !== "");
  return [...new Set([...named, ...unechoed])].join(" ");
}

/** What a token file says. The two lines are the file; the notes are comments and may be missing. */
export interface TokenRecord {
  readonly accessToken: Secret | undefined;
  readonly refreshToken: Secret | undefined;
  readonly notes: TokenNotes;
  /** that the refresh token was refused, where that is remembered */
  readonly refusal?: RefusedGrant | undefined;
  /** when it was written down, ms since 1970; undefined for one that is not stored */
  readonly writtenAt?: number;
}

/** A refusal of a refresh token that only a new sign-in helps against. */
export interface RefusedGrant {
  /** milliseconds since 1970 */
  readonly at: number;
  /** digest of what was asked, and of whom: another request may be granted */
  readonly request: string;
  /** what the server has said */
  readonly facts: Facts;
}

/** The comments of a token file. */
export interface TokenNotes extends Remembered {
  readonly account?: string | undefined;
  readonly scope?: string | undefined;
  /** milliseconds since 1970 */
  readonly signedInAt?: number | undefined;
  /** milliseconds since 1970; when the server has issued line 1 */
  readonly issuedAt?: number | undefined;
  /** milliseconds since 1970; when line 1 ends */
  readonly expiresAt?: number | undefined;
  /** how and when line 1 was proven, or that it was not */
  readonly verified?: string | undefined;
}

/** What the comments of a token file say it was made with. */
export interface Remembered {
  readonly provider?: string | undefined;
  /** who signed in, where that is not the mailbox */
  readonly login?: string | undefined;
  /** how the first token was got */
  readonly flow?: string | undefined;
  /** who has issued it */
  readonly tokenEndpoint?: string | undefined;
  readonly app?: string | undefined;
  readonly client?: string | undefined;
  readonly tenant?: string | undefined;
}

/** ISO 8601 in UTC with whole seconds, rounded down: an expiry must not be shown later than it is. */
export function isoSeconds(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, "Z");
}

/**
 * From when to when a stored access token is good. Where it is not noted when the server has issued it, it
 * counts from when it was written down.
 */
export type TokenLife = Pick<Token, "issuedAt" | "expiresAt">;

/** What is taken for the life of a token whose server does not say; nearly all live that long. ms */
export const usualLife = 3_600_000;

/**
 * When a token of this program's ends, ms since 1970: where its server has not said so, an hour after its
 * issue.
 *
 * @returns undefined where nobody knows when it was issued, or that cannot be right
 */
export function endOf({ notes: { issuedAt, expiresAt } }: TokenRecord, now: number) {
  if (expiresAt !== undefined || issuedAt === undefined) return expiresAt;
  return issuedAt > now + clockTolerance ? undefined : issuedAt + usualLife;
}

/** Clocks that are set right all the time differ by less; ms. */
export const clockTolerance = 60_000;

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
export function tokenLifeOf(record: TokenRecord | undefined): TokenLife | undefined {
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
