import { createHash, timingSafeEqual } from "node:crypto";
import { MxtokenError } from "../errors.ts";
import { harmless, Secret } from "../secret.ts";

/** What the answer must match. */
export interface ExpectedAnswer {
  readonly state: string;
  /** what `iss` must be; undefined: it must have the authorization endpoint's origin */
  readonly issuer: string | undefined;
  readonly authorizationEndpoint: string;
}

/** A code that can be exchanged, or why the text is no answer and is asked for again. */
export type PasteVerdict =
  | { readonly is: "code"; readonly code: Secret; readonly stateChecked: boolean }
  | { readonly is: "rubbish"; readonly reason: string };

/**
 * Reads what a person pasted: the whole address that the browser ended on, its query string, or
 * the bare code (RFC 6749 section 4.1.2, RFC 9207).
 *
 * @throws MxtokenError `signInDeclined` when the answer is `error=…`, with the server's words
 */
export function readPaste(text: string, expected: ExpectedAnswer): PasteVerdict {
  const pasted = text.trim();
  if (pasted === "") return rubbish("nothing was pasted");
  const query = queryOf(pasted);
  return query === undefined
    ? readBareCode(pasted)
    : readAnswer(new URLSearchParams(query), expected);
}

/** The query string of an address, or the text itself when it is one; undefined for a bare code. */
function queryOf(pasted: string): string | undefined {
  const withoutFragment = pasted.replace(/#.*$/s, "");
  const mark = withoutFragment.indexOf("?");
  if (mark >= 0) return withoutFragment.slice(mark + 1);
  const isQuery = withoutFragment.includes("=") && !withoutFragment.includes("://");
  return isQuery ? withoutFragment : undefined;
}

function readAnswer(parameters: URLSearchParams, expected: ExpectedAnswer): PasteVerdict {
  const state = single(parameters, "state");
  const wrongState = state !== undefined && !sameText(state, expected.state);
  if (wrongState) {
    return rubbish("its state belongs to another sign-in; sign in with the address shown above");
  }
  const error = single(parameters, "error");
  if (error !== undefined) throw declined(error, single(parameters, "error_description"));
  if (parameters.has("code_challenge")) {
    return rubbish("this is the sign-in address itself; paste the one that the browser ends on");
  }
  const code = single(parameters, "code");
  if (code === undefined) return rubbish("there is no code in it");
  if (state === undefined) {
    return rubbish(
      "it has a code but no state: is it cut off or broken into two lines? paste the whole address, or only what stands between code= and the next &",
    );
  }
  const issuers = parameters.getAll("iss");
  if (issuers.length > 1 || !issuerMatches(issuers[0], expected)) {
    return rubbish("it comes from another authorization server than the one that was asked");
  }
  return isCodeText(code)
    ? { is: "code", code: new Secret(code), stateChecked: true }
    : rubbish("its code holds characters that no code has");
}

function readBareCode(pasted: string): PasteVerdict {
  if (pasted.includes("://")) return rubbish("there is no code in this address");
  if (/[\s?&=#]/.test(pasted))
    return rubbish("this is neither an address with an answer in it nor a code");
  if (/^[^@\s]+@[^@\s]+\.[a-z]+$/i.test(pasted)) return rubbish("this is a mailbox address");
  if (pasted.length < 10) return rubbish("it is too short for a code; paste the whole address");
  const code = percentDecoded(pasted);
  return code !== undefined && isCodeText(code)
    ? { is: "code", code: new Secret(code), stateChecked: false }
    : rubbish("it holds characters that no code has");
}

/** A code that was cut out of an address is still percent-encoded: `4%2F0A…`. */
function percentDecoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

/** The one value of a parameter; a parameter that stands twice counts as absent. */
function single(parameters: URLSearchParams, name: string): string | undefined {
  const values = parameters.getAll(name);
  return values.length === 1 && values[0] !== "" ? values[0] : undefined;
}

/** RFC 9207 section 2.4; without a known issuer, as Thunderbird does, the origins must agree. */
function issuerMatches(iss: string | undefined, expected: ExpectedAnswer): boolean {
  if (iss === undefined) return true;
  if (expected.issuer !== undefined) return iss === expected.issuer;
  return (
    URL.canParse(iss) && new URL(iss).origin === new URL(expected.authorizationEndpoint).origin
  );
}

/** Compares in constant time whatever the lengths. */
function sameText(one: string, other: string): boolean {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(one), digest(other));
}

/** RFC 6749 appendix A.11: a code is printable ASCII. */
function isCodeText(code: string): boolean {
  return /^[\x20-\x7e]+$/.test(code);
}

function declined(error: string, description: string | undefined): MxtokenError {
  const words = description === undefined ? error : `${error}: ${description}`;
  return new MxtokenError("signInDeclined", `the sign-in was refused: ${harmless(words)}`, {
    hint: declineHints.get(error),
  });
}

const declineHints: ReadonlyMap<string, string> = new Map([
  [
    "access_denied",
    "somebody chose Cancel, or this person or application may not do this; run the command again to try once more",
  ],
  ["consent_required", "an administrator must allow this application first"],
]);

function rubbish(reason: string): PasteVerdict {
  return { is: "rubbish", reason };
}
