import { createHash, timingSafeEqual } from "node:crypto";
import { diagnosed, type Explanation } from "../causes/diagnose.ts";
import { MxtokenError } from "../errors.ts";
import { blackOut, harmless, Secret } from "../secret.ts";
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

/** What an answer of no use is instead, whatever else stands in it. */
export type RubbishKind =
  | "otherState"
  | "signInAddress"
  | "twice"
  | "issuer"
  | "errorWithoutCode"
  | "administratorsConsent"
  | "token"
  | "signedResponse"
  | "noCode"
  | "noState"
  | "strangeCode"
  | "noAnswer";

/** A code that can be exchanged, or why this is no answer and is asked for again. */
export type AnswerVerdict =
  | { readonly is: "code"; readonly code: Secret; readonly stateChecked: boolean }
  /** the reason is half a sentence that shows neither code nor state */
  | { readonly is: "rubbish"; readonly kind: RubbishKind; readonly reason: string };

/**
 * Judges the parameters of an authorization response (RFC 6749 section 4.1.2, RFC 9207).
 *
 * @throws MxtokenError `signInDeclined` when it is `error=…`, with the server's words; `unreachable`
 * when that is the server's own trouble
 */
export function judgeAnswer(parameters: URLSearchParams, expected: ExpectedAnswer): AnswerVerdict {
  const state = single(parameters, "state");
  if (state !== undefined && !isState(state, expected)) {
    return rubbish(
      "its state belongs to another sign-in; sign in with the address shown above",
      "otherState",
    );
  }
  if (parameters.has("code_challenge")) {
    return rubbish(
      "this is the sign-in address itself; paste the one that the browser ends on",
      "signInAddress",
    );
  }
  const doubled = doubledIn(parameters);
  if (doubled !== undefined) return rubbish(`its ${doubled} stands in it twice`, "twice");
  const foreign = whyOtherIssuer(parameters.get("iss") ?? undefined, expected);
  if (foreign !== undefined) return rubbish(foreign, "issuer");
  if (single(parameters, "error") !== undefined) throw declined(errorIn(parameters));
  const code = single(parameters, "code");
  if (code === undefined) return withoutCode(parameters);
  if (state === undefined) return rubbish("it has a code but no state", "noState");
  return isCodeText(code)
    ? { is: "code", code: new Secret(code), stateChecked: true }
    : rubbish("its code holds characters that no code has", "strangeCode");
}

/** What came in the place of a code. */
function withoutCode(parameters: URLSearchParams): AnswerVerdict {
  if (parameters.has("error") || parameters.has("error_description")) {
    const said = errorIn(parameters).facts.said ?? "";
    const words = said === "" ? "" : `: ${said}`;
    return rubbish(`it tells of an error without a code for it${words}`, "errorWithoutCode");
  }
  if (parameters.has("admin_consent")) {
    return rubbish(
      "it is the answer to an administrator's consent, and nobody has signed in by it",
      "administratorsConsent",
    );
  }
  if (parameters.has("access_token") || parameters.has("id_token")) {
    return rubbish("it brings a token, and a code was asked for", "token");
  }
  if (parameters.has("response")) {
    return rubbish("it is a signed response (JARM), which was not asked for", "signedResponse");
  }
  const isEmpty = parameters.has("code");
  return rubbish(isEmpty ? "its code is empty" : "there is no code in it", "noCode");
}

/** A parameter of an answer that may stand there once only, and does not (RFC 6749 section 3.1). */
export function doubledIn(parameters: URLSearchParams): string | undefined {
  return ["state", "code", "error", "iss"].find((name) => parameters.getAll(name).length > 1);
}

/** What is known of the error in an answer; its words are made safe to be shown. */
export function errorIn(parameters: URLSearchParams): Explanation {
  const oauthError = parameters.get("error") ?? "";
  const words = [oauthError, parameters.get("error_description") ?? ""];
  const hidden = [...parameters.getAll("code"), ...parameters.getAll("state")];
  const safe = (text: string) =>
    harmless(
      blackOut(
        text,
        hidden.map((value) => new Secret(value)),
      ),
    );
  const said = safe(words.filter((word) => word !== "").join(": "));
  return diagnosed({ endpoint: "authorization endpoint", oauthError: safe(oauthError), said });
}

/** RFC 6749 appendix A.11: a code is printable ASCII. */
export function isCodeText(code: string): boolean {
  return /^[\x20-\x7e]+$/.test(code);
}

/** @param reason half a sentence */
export function rubbish(reason: string, kind: RubbishKind = "noAnswer"): AnswerVerdict {
  return { is: "rubbish", kind, reason };
}

/** The one value of a parameter; a parameter that stands twice counts as absent. */
function single(parameters: URLSearchParams, name: string): string | undefined {
  const values = parameters.getAll(name);
  return values.length === 1 && values[0] !== "" ? values[0] : undefined;
}

/**
 * Why `iss` is not the one of the server that was asked (RFC 9207 section 2.4); without a known issuer, as
 * Thunderbird does, the origins must agree.
 */
function whyOtherIssuer(
  iss: string | undefined,
  { issuer, isIssuerInAnswer, authorizationEndpoint }: ExpectedAnswer,
): string | undefined {
  const asked = issuer ?? new URL(authorizationEndpoint).origin;
  if (iss === undefined) {
    if (isIssuerInAnswer !== true) return undefined;
    return `it does not say which authorization server it is from, and ${asked} always does`;
  }
  const isAsked =
    issuer === undefined ? URL.canParse(iss) && new URL(iss).origin === asked : iss === issuer;
  if (isAsked) return undefined;
  const from = iss === "" ? "none" : harmless(iss, 100);
  return `it comes from another authorization server (${from}) than the one that was asked (${asked})`;
}

/** Compares in constant time whatever the lengths. */
function isState(text: string, { state }: ExpectedAnswer): boolean {
  const digest = (value: string) => createHash("sha256").update(value).digest();
  return timingSafeEqual(digest(text), digest(state));
}

function declined(known: Explanation): MxtokenError {
  const { oauthError = "", said } = known.facts;
  const details = { oauthError, ...known };
  if (!serverTrouble.has(oauthError)) {
    return new MxtokenError("signInDeclined", `the sign-in was refused: ${said}`, details);
  }
  const message = `the authorization server could not finish the sign-in: ${said}`;
  return new MxtokenError("unreachable", message, details);
}
