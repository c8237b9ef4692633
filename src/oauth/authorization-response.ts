import { createHash, timingSafeEqual } from "node:crypto";
import { diagnosed } from "../causes/diagnose.ts";
import { MxtokenError } from "../errors.ts";
import { harmless, Secret } from "../secret.ts";
import { serverTrouble } from "./reply.ts";

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
    return rubbish("it has a code but no state");
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

function declined(oauthError: string, description: string | undefined): MxtokenError {
  const said = harmless(description === undefined ? oauthError : `${oauthError}: ${description}`);
  const facts = { endpoint: "authorization endpoint", oauthError, said };
  const details = { oauthError, ...diagnosed(facts) };
  if (!serverTrouble.has(oauthError)) {
    return new MxtokenError("signInDeclined", `the sign-in was refused: ${said}`, details);
  }
  const message = `the authorization server could not finish the sign-in: ${said}`;
  return new MxtokenError("unreachable", message, details);
}
