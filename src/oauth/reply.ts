import { diagnosed, explained } from "../causes/diagnose.ts";
import { MxtokenError } from "../errors.ts";
import { harmless, Secret } from "../secret.ts";
import type { TokenResponse } from "../token.ts";
import { jsonObject } from "../world/http-answers.ts";
import type { HttpReply } from "../world/world.ts";
import { namesTheGrant, type Refusal, readRefusal, type SentGrant } from "./refusal-words.ts";

/** Refused, and only a person can help by signing in again. */
const signInAgain: ReadonlySet<string> = new Set([
  "invalid_grant",
  "interaction_required",
  "consent_required",
  "login_required",
]);

/** The server's own trouble, in OAuth's words (RFC 6749 section 4.1.2.1). */
export const serverTrouble: ReadonlySet<string> = new Set([
  "server_error",
  "temporarily_unavailable",
]);

/** RFC 8628 section 3.5 */
export const slowDown = "slow_down";

type Members = Record<string, unknown>;

/** An endpoint of the authorization server, and what it grants. */
export interface Asked {
  /** for the error */
  readonly host: string;
  /** as RFC 6749 section 3 calls it: "token endpoint" */
  readonly endpoint: string;
  /** the member without which an answer grants nothing; undefined: an empty answer will do */
  readonly member: string | undefined;
  /** no person can sign in: whatever is refused is refused to the application */
  readonly isForApplication?: boolean;
  /** nothing was sent that proves the application */
  readonly isWithoutCredentials?: boolean;
  /** what the request sent for the person's consent, whose refusal wants a new sign-in */
  readonly sent?: SentGrant | undefined;
}

/**
 * Sorts the answer of an authorization server's endpoint into granted, refused, unreachable and not
 * understandable (RFC 6749 sections 5.1 and 5.2, RFC 8628 sections 3.2 and 3.5, RFC 7009).
 *
 * @param say makes the server's words fit to be shown
 * @returns the answer's members
 * @throws MxtokenError `signInNeeded`, `applicationRefused`, `unreachable`, `notUnderstood`; with
 * `oauthError` where the server sent one, and with `answer` where tokens may be in what is not
 * understood
 */
export function judgeReply(
  reply: HttpReply,
  asked: Asked,
  say: (words: string) => string,
): Members {
  const { status } = reply;
  const { host, endpoint, member } = asked;
  const isWhole = !reply.truncated && reply.undecoded === undefined;
  const members = isWhole ? jsonObject(reply.body.replace(/^\uFEFF/, "")) : undefined;
  const refused = readRefusal(members ?? {});
  const code = refused.isOAuth ? refused.code : undefined;
  const overloaded = status === 408 || status === 429 || status >= 500;
  const gatekeeper = (status === 403 || status === 407) && code === undefined;
  if (overloaded || gatekeeper || (code !== undefined && serverTrouble.has(code))) {
    // Whoever polls has to know it, also where it comes with status 429.
    const oauthError = code === slowDown ? code : undefined;
    throw unreachable(reply, asked, say(wordsOf(refused)), oauthError);
  }
  const isFilled = member === undefined || isFilledText(members?.[member]);
  // Some servers send their refusal with status 200.
  if (code !== undefined && (status >= 400 || member === undefined || !isFilled)) {
    throw refusal(refused, status, asked, say);
  }
  const isGranted = status >= 200 && status < 300;
  if (isGranted && member === undefined) return members ?? {};
  if (isGranted && members !== undefined && isFilled && isReadable(members)) return members;
  if (status >= 400 && namesGrant(refused, asked)) throw refusal(refused, status, asked, say);
  const said = status >= 400 ? say(wordsOf(refused)) : "";
  const isPage = isHtml(reply);
  throw new MxtokenError(
    "notUnderstood",
    `${host} did not answer as ${withArticle(endpoint)} does: ${describe(reply, members, member)}${said === "" ? "" : `, and says: ${said}`}`,
    {
      answer: isGranted ? mayHoldTokens(reply, asked) : undefined,
      ...explained(isPage ? "page-instead-of-answer" : "not-an-oauth-answer", {
        ...{ host, endpoint, status },
        said: said === "" ? undefined : said,
      }),
    },
  );
}

/** A refresh token that is there must not be lost for its form. */
function isReadable({ refresh_token: token }: Members): boolean {
  return token === undefined || token === null || typeof token === "string";
}

/**
 * The body of an answer that is not understood, unless it is a page for people. An application asks
 * for its tokens again.
 */
function mayHoldTokens({ body }: HttpReply, asked: Asked): Secret | undefined {
  if (asked.member !== "access_token" || asked.isForApplication === true) return undefined;
  const isPage = /^[\s\uFEFF]*<[!?a-z]/i.test(body);
  return isPage || body.trim() === "" ? undefined : new Secret(body);
}

/**
 * The members of a grant that are read: real servers send `expires_in` as a string, or leave
 * `token_type` out, and a rotated refresh token must not be lost for that. Whether it really is a bearer
 * token is shown by the login that follows.
 *
 * @param members as {@link judgeReply} returns them
 */
export function tidyGrant(members: Members): TokenResponse {
  const expiresIn = Number(members["expires_in"] ?? Number.NaN);
  // Ten years: what is longer is a mistake, and no date.
  const plausible = expiresIn > 0 && expiresIn < 315_360_000;
  const text = (name: string) => {
    const value = members[name];
    return isFilledText(value) ? value : undefined;
  };
  return {
    access_token: text("access_token") ?? "",
    refresh_token: text("refresh_token"),
    expires_in: plausible ? expiresIn : undefined,
    scope: text("scope"),
    unverified_id_token: text("id_token"),
  };
}

function unreachable(
  { status, headers }: HttpReply,
  { host, endpoint }: Asked,
  said: string,
  oauthError: string | undefined,
): MxtokenError {
  const retryAfter = retrySeconds(headers.get("retry-after"), headers.get("date"));
  return new MxtokenError(
    "unreachable",
    `${host} could not answer now: status ${status}${said === "" ? "" : `, ${said}`}`,
    {
      oauthError,
      retryAfter,
      ...explained("server-busy", { host, endpoint, status, oauthError, said, retryAfter }),
    },
  );
}

function refusal(
  refused: Refusal,
  status: number,
  asked: Asked,
  say: (words: string) => string,
): MxtokenError {
  const { host, endpoint, isForApplication = false, isWithoutCredentials } = asked;
  const oauthError = refused.code;
  const said = say(wordsOf(refused));
  const isGrants = signInAgain.has(oauthError ?? "") || namesGrant(refused, asked);
  const facts = { host, endpoint, status, oauthError, said, isWithoutCredentials };
  const details = { oauthError, ...diagnosed(facts) };
  return isGrants && !isForApplication
    ? new MxtokenError("signInNeeded", `${host} wants a new sign-in: ${said}`, details)
    : new MxtokenError("applicationRefused", `${host} refuses the application: ${said}`, details);
}

/** Whether it is said of what was sent for the person's consent. */
function namesGrant({ code, description }: Refusal, { sent }: Asked): boolean {
  return sent !== undefined && namesTheGrant(code ?? "", description, sent);
}

function wordsOf({ code, subtype, description }: Refusal): string {
  return [code, subtype, description].filter(isFilledText).join(": ");
}

/** What came instead, without quoting it: the body may hold anything. */
function describe(reply: HttpReply, members: Members | undefined, member = "answer"): string {
  const { status } = reply;
  if (status >= 300 && status < 400) return `status ${status}, a redirect, which is not followed`;
  if (reply.undecoded !== undefined) {
    return `status ${status}, in a content coding that cannot be undone (${harmless(reply.undecoded, 40)})`;
  }
  if (reply.truncated) return `status ${status} with over 1 MiB`;
  if (members !== undefined && !isReadable(members)) {
    return `status ${status}, JSON with a refresh token that is no text`;
  }
  if (members !== undefined) return `status ${status}, JSON without ${withArticle(member)}`;
  return `status ${status}, ${isHtml(reply) ? "an HTML page" : "not a JSON object"}`;
}

function isHtml({ body }: HttpReply): boolean {
  return /^[\s\uFEFF]*<(?:!doctype|html)/i.test(body);
}

function withArticle(member: string): string {
  return `${/^[aeiou]/.test(member) ? "an" : "a"} ${member.replaceAll("_", " ")}`;
}

/**
 * Seconds of a Retry-After header (RFC 9110 section 10.2.3). A date is compared with the answer's
 * own date: the server's clock need not be ours.
 */
function retrySeconds(value: string | null, date: string | null): number | undefined {
  if (value === null) return undefined;
  if (/^\d{1,9}$/.test(value.trim())) return Number(value);
  const until = Date.parse(value);
  const from = date === null ? Number.NaN : Date.parse(date);
  const seconds = Math.ceil((until - from) / 1000);
  return seconds > 0 ? seconds : undefined;
}

function isFilledText(value: unknown): value is string {
  return typeof value === "string" && value !== "";
}
