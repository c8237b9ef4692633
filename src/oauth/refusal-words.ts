// What an authorization server says no with: the members of its JSON, and what its words name.

/** A refusal, in whatever JSON it came. */
export interface Refusal {
  /** the server's own code: RFC 6749's `error`, or whatever stands for it */
  readonly code: string | undefined;
  /** whether it is OAuth's */
  readonly isOAuth: boolean;
  /** Google says more by it */
  readonly subtype: string | undefined;
  /** the sentences beside it, as they came */
  readonly description: string;
}

/** Members that hold a code or the name of a failure. */
const codeNames = /^(?:error|error_?code|code|status|type|reason)$/i;
/** A name or a number, and no sentence. */
const codeForm = /^[\w.:-]{1,64}$/;
const sentenceLimit = 3;

/**
 * Reads a refusal. OAuth has `error` and `error_description` (RFC 6749 section 5.2); others nest an object,
 * or call them `message`, `errorSummary`, `title` and `detail` (RFC 9457) or otherwise: a sentence is told
 * by its blanks, wherever it stands.
 */
export function readRefusal(members: Readonly<Record<string, unknown>>): Refusal {
  const { error, error_subtype: subtype, error_description: description } = members;
  const isOAuth = typeof error === "string" && error !== "";
  const texts = [...textsIn(members, 0)];
  const codes = texts.filter(([name, text]) => codeNames.test(name) && codeForm.test(text));
  const sentences = texts.filter(([, text]) => /\S\s+\S/.test(text)).map(([, text]) => text);
  const code = isOAuth ? error : codes.find(([, text]) => /[a-z]/i.test(text))?.[1];
  return {
    code,
    isOAuth,
    subtype: typeof subtype === "string" ? subtype : undefined,
    description:
      typeof description === "string" && description !== ""
        ? description
        : [...new Set(sentences)]
            .filter((one) => one !== code)
            .slice(0, sentenceLimit)
            .join(": "),
  };
}

/** Names and texts of an object's members, and of those of what is in it. */
function* textsIn(value: object, depth: number): Generator<[name: string, text: string]> {
  for (const [name, member] of Object.entries(value)) {
    if (typeof member === "string" && member !== "") yield [name, member];
    else if (typeof member === "number") yield [name, String(member)];
    else if (typeof member === "object" && member !== null && depth < 3) {
      yield* textsIn(member, depth + 1);
    }
  }
}

/** What a token request sends for the person's consent. */
export type SentGrant = "refreshToken" | "code" | "deviceCode";

/** Codes that say it of the application, whatever else their words name (RFC 6749 section 5.2). */
const ofApplication: ReadonlySet<string> = new Set([
  "invalid_client",
  "unauthorized_client",
  "unsupported_grant_type",
  "unsupported_response_type",
  "invalid_scope",
  "invalid_target",
  "access_denied",
]);

/** Microsoft's numbers for a grant that has expired, was revoked, or was redeemed already. */
const microsoft =
  /\bAADSTS(?:50089|50132|50133|50173|54005|70000|70008|70019|70043|700003|700005|700081|700082|700084)\b/;

/** Something is no longer, or never was, what it should be. */
const spent =
  "(?:invalid|expired?|expires|revoked|unknown|bad|wrong|incorrect|malformed|inactive|consumed|spent|(?:already|previously) (?:\\w+ )?(?:used|redeemed|exchanged)|reused|redeemed|not found|no such|not (?:\\w+ )?(?:valid|recogni[sz]ed|active|known|accepted)|no longer (?:valid|active)|does(?:n't| not) exist|cannot be found|could not be found|unusable)";

/** Each with what it is not: the type of a grant, the endpoint of tokens, PKCE's code verifier. */
const subjects: Readonly<Record<SentGrant, string>> = {
  refreshToken:
    "(?:refresh ?token|(?<!\\b(?:client|id|csrf|assertion|access) )token|grant)(?! ?(?:types?|endpoint|ur[il]|auth|request|method|format|secret)\\b)",
  deviceCode:
    "(?:(?:device|user|verification)? ?code|(?<!\\b(?:client|id|csrf|access|refresh) )token|grant)(?! ?(?:types?|challenge|method|endpoint|ur[il])\\b)",
  code: "(?:(?<!\\b(?:error|status|response|country|client|device) )code|grant)(?! ?(?:types?|verifier|challenge|method|endpoint)\\b)",
};

/** That something was left out is said of the request. */
const leftOut =
  /\b(?:missing|required|must be|not (?:provided|present|supplied|specified|sent)|absent|empty)\b/;

/** The application's own credentials. */
const credentials =
  /\bclient ?(?:secret|id|assertion|credentials|certificate|authentication)\b|\b(?:jwt|assertion|certificate|signature|redirect ?ur[il]|scopes?|parameter)\b/;

/** More than any server has to say about a grant. */
const lookedAt = 1000;

/**
 * Whether a refusal names the refresh token or the authorization code that was sent, by its code or
 * in its words, as invalid, expired, revoked, unknown or used already. Then a new sign-in helps,
 * whatever name the server has for it; else it is the application that was refused.
 *
 * @param error the server's own error code
 * @param description the words beside it
 */
export function namesTheGrant(error: string, description: string, sent: SentGrant): boolean {
  if (ofApplication.has(error.toLowerCase())) return false;
  if (microsoft.test(description)) return true;
  return [error, description].some((text) => isSaidOf(subjects[sent], inWords(text)));
}

function isSaidOf(subject: string, words: string): boolean {
  if (leftOut.test(words)) return false;
  const isNamed = new RegExp(
    `\\b${spent}\\b[^.;]{0,40}?\\b${subject}\\b|\\b${subject}\\b[^.;]{0,60}?\\b${spent}\\b`,
  ).test(words);
  if (!isNamed) return false;
  return (
    !credentials.test(words) ||
    /\brefresh ?token\b|\b(?:authorization|verification) code\b/.test(words)
  );
}

/** `INVALID_REFRESH_TOKEN` and `invalidRefreshToken` in the words that they are made of. */
function inWords(text: string): string {
  return text
    .slice(0, lookedAt)
    .replace(/([a-z])([A-Z])/g, "$1 $2")
    .toLowerCase()
    .replace(/[_\-\s"`]+/g, " ");
}
