import { createHash, timingSafeEqual } from "node:crypto";
import { MxtokenError } from "../errors.ts";
import { harmless, Secret } from "../secret.ts";

/** What the answer to an authorization request must match. */
export interface ExpectedAnswer {
  readonly state: string;
  /** what `iss` must be; undefined: it must have the authorization endpoint's origin */
  readonly issuer: string | undefined;
  /** whether the server says that it always sends `iss` */
  readonly isIssuerInAnswer?: boolean;
  readonly authorizationEndpoint: string;
}

/** A code that can be exchanged, or why this is no answer and is asked for again. */
export type AnswerVerdict =
  | { readonly is: "code"; readonly code: Secret; readonly stateChecked: boolean }
  | { readonly is: "rubbish"; readonly reason: string };

/**
 * Judges the parameters of an authorization response (RFC 6749 section 4.1.2, RFC 9207).
 *
 * @throws MxtokenError `signInDeclined` when it is `error=…`, with the server's words; `unreachable`
 * when that is the server's own trouble
 */
export function judgeAnswer(parameters: URLSearchParams, expected: ExpectedAnswer): AnswerVerdict {
  const state = single(parameters, "state");
  if (state !== undefined && !isState(state, expected)) {
    return rubbish("its state belongs to another sign-in; sign in with the address shown above");
  }
  if (parameters.has("code_challenge")) {
    return rubbish("this is the sign-in address itself; paste the one that the browser ends on");
  }
  const issuers = parameters.getAll("iss");
  if (issuers.length > 1 || !issuerMatches(issuers[0], expected)) {
    return rubbish("it comes from another authorization server than the one that was asked");
  }
  const error = single(parameters, "error");
  if (error !== undefined) throw declined(error, single(parameters, "error_description"));
  const code = single(parameters, "code");
  if (code === undefined) return rubbish("there is no code in it");
  if (state === undefined) {
    return rubbish(
      "it has a code but no state: is it cut off or broken into two lines? paste the whole address, or only what stands between code= and the next &",
    );
  }
  return isCodeText(code)
    ? { is: "code", code: new Secret(code), stateChecked: true }
    : rubbish("its code holds characters that no code has");
}

/** Whether the parameters carry the state of this sign-in; compared in constant time. */
export function hasState(parameters: URLSearchParams, expected: ExpectedAnswer): boolean {
  const state = single(parameters, "state");
  return state !== undefined && isState(state, expected);
}

/** RFC 6749 appendix A.11: a code is printable ASCII. */
export function isCodeText(code: string): boolean {
  return /^[\x20-\x7e]+$/.test(code);
}

export function rubbish(reason: string): AnswerVerdict {
  return { is: "rubbish", reason };
}

/** The one value of a parameter; a parameter that stands twice counts as absent. */
function single(parameters: URLSearchParams, name: string): string | undefined {
  const values = parameters.getAll(name);
  return values.length === 1 && values[0] !== "" ? values[0] : undefined;
}

/** RFC 9207 section 2.4; without a known issuer, as Thunderbird does, the origins must agree. */
function issuerMatches(iss: string | undefined, expected: ExpectedAnswer): boolean {
  if (iss === undefined) return expected.isIssuerInAnswer !== true;
  if (expected.issuer !== undefined) return iss === expected.issuer;
  return (
    URL.canParse(iss) && new URL(iss).origin === new URL(expected.authorizationEndpoint).origin
  );
}

/** Compares in constant time whatever the lengths. */
function isState(text: string, { state }: ExpectedAnswer): boolean {
  const digest = (value: string) => createHash("sha256").update(value).digest();
  return timingSafeEqual(digest(text), digest(state));
}

function declined(error: string, description: string | undefined): MxtokenError {
  const words = harmless(description === undefined ? error : `${error}: ${description}`);
  if (serverTrouble.has(error)) {
    return new MxtokenError(
      "unreachable",
      `the authorization server could not finish the sign-in: ${words}`,
      { oauthError: error, hint: "nobody has refused anything: run the command again later" },
    );
  }
  const hint = declineHints.get(error);
  const message = `the sign-in was refused: ${words}`;
  return new MxtokenError("signInDeclined", message, { oauthError: error, hint });
}

/** RFC 6749 section 4.1.2.1 */
const serverTrouble: ReadonlySet<string> = new Set(["server_error", "temporarily_unavailable"]);

const signInFirst =
  "the server wanted to ask nothing, and could not: sign in to the account in this browser, then run the command again";

/** RFC 6749 section 4.1.2.1, OpenID Connect Core section 3.1.2.6. */
const declineHints: ReadonlyMap<string, string> = new Map([
  [
    "access_denied",
    "somebody chose Cancel, or this person or application may not do this; run the command again to try once more",
  ],
  [
    "consent_required",
    "this application must be allowed first, by an administrator or by whoever signs in",
  ],
  ["login_required", signInFirst],
  ["interaction_required", signInFirst],
  [
    "account_selection_required",
    "several accounts are signed in, in this browser: run the command again with --select-account, or use a private window",
  ],
  [
    "invalid_scope",
    "this application may not ask for this scope: check --scope, and what it is registered for",
  ],
  [
    "unauthorized_client",
    "this application may not let people sign in so: check --app, --client-id and --tenant, and how it is registered",
  ],
  [
    "invalid_request",
    "the server does not take this request: check --client-id, --redirect-uri and --scope against how the application is registered",
  ],
  [
    "unsupported_response_type",
    "this server gives no authorization codes to this application: check how it is registered, or try --flow device",
  ],
]);
