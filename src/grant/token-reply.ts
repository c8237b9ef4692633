import { MxtokenError } from "../errors.ts";
import type { HttpReply } from "../world/world.ts";

/** Refused, and only a person can help by signing in again. */
const signInAgain: ReadonlySet<string> = new Set([
  "invalid_grant",
  "interaction_required",
  "consent_required",
  "login_required",
]);

/** The server's own trouble, in OAuth's words. */
const serverTrouble: ReadonlySet<string> = new Set(["server_error", "temporarily_unavailable"]);

/**
 * Sorts a token endpoint's answer into granted, refused, unreachable and not understandable, and
 * tidies a grant for the protocol library: real servers send `expires_in` as a string, or leave
 * `token_type` out, and a rotated refresh token must not be lost for that.
 *
 * @param host whom we asked, for the error
 * @param say makes the server's words fit to be shown
 * @returns the response's members
 * @throws MxtokenError `signInNeeded`, `applicationRefused`, `unreachable`, `notUnderstood`
 */
export function judgeTokenReply(
  reply: HttpReply,
  host: string,
  say: (words: string) => string,
): Record<string, unknown> {
  const { status } = reply;
  const members = parseObject(reply);
  const code = typeof members?.["error"] === "string" ? members["error"] : undefined;
  const overloaded = status === 408 || status === 429 || status >= 500;
  const gatekeeper = (status === 403 || status === 407) && code === undefined;
  if (overloaded || gatekeeper || (code !== undefined && serverTrouble.has(code))) {
    throw unreachable(reply, host, say(wordsOf(members)));
  }
  // Some servers send their refusal with status 200.
  if (code !== undefined && (status >= 400 || members?.["access_token"] === undefined)) {
    throw refusal(code, host, say(code), say(wordsOf(members)));
  }
  const isGranted = status >= 200 && status < 300;
  if (!isGranted || members === undefined || !isFilledText(members["access_token"])) {
    throw new MxtokenError(
      "notUnderstood",
      `${host} did not answer as a token endpoint does: ${describe(reply, members)}`,
      {
        hint: "is the token endpoint right, and is there a sign-in page of the network in between?",
      },
    );
  }
  return tidy(members);
}

function parseObject(reply: HttpReply): Record<string, unknown> | undefined {
  if (reply.truncated) return undefined;
  try {
    const value: unknown = JSON.parse(reply.body.replace(/^\uFEFF/, ""));
    const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
    return isObject ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

function tidy(members: Record<string, unknown>): Record<string, unknown> {
  const expiresIn = Number(members["expires_in"] ?? Number.NaN);
  // Ten years: what is longer is a mistake, and no date.
  const plausible = expiresIn > 0 && expiresIn < 315_360_000;
  return {
    access_token: members["access_token"],
    // Whether it really is a bearer token is shown by the login that follows.
    token_type: "bearer",
    ...(isFilledText(members["refresh_token"]) ? { refresh_token: members["refresh_token"] } : {}),
    ...(plausible ? { expires_in: expiresIn } : {}),
    ...(isFilledText(members["scope"]) ? { scope: members["scope"] } : {}),
  };
}

function unreachable(reply: HttpReply, host: string, words: string): MxtokenError {
  const retryAfter = retrySeconds(reply.headers.get("retry-after"), reply.headers.get("date"));
  return new MxtokenError(
    "unreachable",
    `${host} could not answer now: status ${reply.status}${words === "" ? "" : `, ${words}`}`,
    {
      retryAfter,
      hint: retryAfter === undefined ? undefined : `it asks to wait ${retryAfter} seconds`,
    },
  );
}

function refusal(code: string, host: string, name: string, words: string): MxtokenError {
  const said = words === "" ? name : words;
  if (signInAgain.has(code)) {
    return new MxtokenError("signInNeeded", `${host} wants a new sign-in: ${said}`);
  }
  return new MxtokenError("applicationRefused", `${host} refuses the application: ${said}`, {
    hint: applicationHints.get(code),
  });
}

const applicationHints: ReadonlyMap<string, string> = new Map([
  ["invalid_client", "check --client-id and the client secret; nothing was changed"],
  [
    "unauthorized_client",
    "this application may not use this grant or this tenant; check --app, --client-id and --tenant",
  ],
  ["invalid_scope", "this application may not ask for this scope; check --scope"],
]);

function wordsOf(members: Record<string, unknown> | undefined): string {
  if (members === undefined) return "";
  const parts = [members["error"], members["error_subtype"], members["error_description"]];
  return parts.filter(isFilledText).join(": ");
}

/** What came instead, without quoting it: the body may hold anything. */
function describe(reply: HttpReply, members: Record<string, unknown> | undefined): string {
  const { status } = reply;
  if (status >= 300 && status < 400) return `status ${status}, a redirect, which is not followed`;
  if (reply.truncated) return `status ${status} with over 1 MiB`;
  if (members !== undefined) return `status ${status}, JSON without an access token`;
  const html = /^\s*<(!doctype|html)/i.test(reply.body);
  return `status ${status}, ${html ? "an HTML page" : "not a JSON object"}`;
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
