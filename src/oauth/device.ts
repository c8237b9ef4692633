import { explained } from "../causes/diagnose.ts";
import { MxtokenError } from "../errors.ts";
import { harmless, Secret } from "../secret.ts";
import type { TokenResponse } from "../token.ts";
import type { TokenRequestContext } from "./client.ts";
import { slowDown } from "./reply.ts";
import { requestFrom, requestToken, resourceOf } from "./transport.ts";

/** A device code, and what a person needs to let it through (RFC 8628 section 3.2). */
export interface DeviceAuthorization {
  readonly deviceCode: Secret;
  /** to be typed at `verificationUri` */
  readonly userCode: string;
  readonly verificationUri: string;
  /** the same with the code in it, where the server has one */
  readonly verificationUriComplete: string | undefined;
  /** seconds */
  readonly expiresIn: number;
  /** seconds between two requests */
  readonly interval: number;
}

/** RFC 8628 section 3.2 */
const defaultInterval = 5;
/** A server that says nothing of it; 30 minutes is the longest in use. */
const defaultExpiry = 900;
const longestExpiry = 3600;

const endpoint = "device authorization endpoint";

/**
 * Asks for a device code (RFC 8628 section 3.1).
 *
 * @throws MxtokenError as `judgeReply` says; `notUnderstood` for an answer that cannot be shown
 */
export async function requestDeviceCode(
  context: TokenRequestContext,
): Promise<DeviceAuthorization> {
  const { client } = context;
  const parameters = { scope: client.scope, ...resourceOf(client) };
  const url = client.deviceAuthorizationEndpoint;
  const members = await requestFrom(context, url, parameters, { endpoint, member: "device_code" });
  const text = (name: string) => {
    const value = members[name];
    return typeof value === "string" && value !== "" ? value : undefined;
  };
  const required = (...names: readonly [string, ...string[]]) => {
    const value = names.map(text).find((each) => each !== undefined);
    if (value !== undefined) return value;
    const what = names[0].replaceAll("_", " ");
    throw new MxtokenError("notUnderstood", `the ${endpoint}'s answer is without a ${what}`);
  };
  const number = (name: string, fallback: number) => {
    const value = Number(members[name] ?? Number.NaN);
    return value > 0 && value <= longestExpiry ? value : fallback;
  };
  const complete = text("verification_uri_complete");
  return {
    deviceCode: new Secret(required("device_code")),
    userCode: harmless(required("user_code"), 40),
    // The second is an older name of the first.
    verificationUri: shownAddress(required("verification_uri", "verification_url")),
    verificationUriComplete: complete === undefined ? undefined : shownAddress(complete),
    expiresIn: number("expires_in", defaultExpiry),
    interval: number("interval", defaultInterval),
  };
}

/** @throws MxtokenError `notUnderstood` for one that a person must not be sent to */
function shownAddress(text: string): string {
  const isHttps = URL.canParse(text) && new URL(text).protocol === "https:";
  if (isHttps && /^[\x21-\x7e]{1,2000}$/.test(text)) return text;
  throw new MxtokenError(
    "notUnderstood",
    "the device authorization endpoint sends people to an address that is not https",
  );
}

const grantType = "urn:ietf:params:oauth:grant-type:device_code";

/** What one question at the token endpoint came to. */
export type DevicePoll =
  | { readonly is: "granted"; readonly response: TokenResponse }
  | { readonly is: "pending" }
  /** the server wants to be asked less often */
  | { readonly is: "slowDown" }
  /** nobody answered, or not as a token endpoint does; `retryAfter` in seconds */
  | { readonly is: "unreachable"; readonly error: MxtokenError }
  /** the code has ended, by the server's own words: another one has to be shown */
  | { readonly is: "expired"; readonly error: MxtokenError };

/**
 * Asks once whether the person has let the device code through (RFC 8628 sections 3.4 and 3.5). A
 * connection that fails is no end, and neither is what no token endpoint answers.
 *
 * @throws MxtokenError `signInDeclined` when the person said no, and as `judgeReply` says
 */
export async function pollDeviceCode(
  context: TokenRequestContext,
  deviceCode: Secret,
): Promise<DevicePoll> {
  const parameters = { grant_type: grantType, device_code: deviceCode.reveal() };
  try {
    const response = await requestToken(context, parameters);
    return { is: "granted", response };
  } catch (error) {
    if (!(error instanceof MxtokenError)) throw error;
    return judgePoll(error);
  }
}

/** `authorization_declined` is Microsoft's name of `access_denied`. */
const declined: ReadonlySet<string> = new Set(["access_denied", "authorization_declined"]);

function judgePoll(error: MxtokenError): DevicePoll {
  const { oauthError } = error;
  if (oauthError === "authorization_pending") return { is: "pending" };
  if (oauthError === slowDown) return { is: "slowDown" };
  const isSpent = error.code === "signInNeeded" && !needsPerson.has(oauthError ?? "");
  if (oauthError === "expired_token" || isSpent) return { is: "expired", error };
  if (oauthError !== undefined && declined.has(oauthError)) {
    throw error.with({
      code: "signInDeclined",
      message: `the sign-in was refused: ${error.facts.said ?? oauthError}`,
      ...explained("sign-in-declined", error.facts),
    });
  }
  // A gateway that answers in between knows nothing of the code, and the person may be in the middle of it.
  const isPassing = error.code === "notUnderstood" && !mayHoldTokens(error);
  if (error.code === "unreachable" || isPassing) return { is: "unreachable", error };
  throw error;
}

/** Another code would end in the same way. */
const needsPerson: ReadonlySet<string> = new Set([
  "interaction_required",
  "consent_required",
  "login_required",
]);

function mayHoldTokens({ answer }: MxtokenError): boolean {
  return answer !== undefined && /(?:access|refresh)_token/.test(answer.reveal());
}
