/** What a token request sends for the person's consent. */
export type SentGrant = "refreshToken" | "code";

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
  /\bAADSTS(?:50089|50132|50133|50173|54005|70000|70008|70043|700003|700005|700081|700082|700084)\b/;

/** Something is no longer, or never was, what it should be. */
const spent =
  "(?:invalid|expired?|expires|revoked|unknown|bad|wrong|incorrect|malformed|inactive|consumed|spent|(?:already|previously) (?:\\w+ )?(?:used|redeemed|exchanged)|reused|redeemed|not found|no such|not (?:\\w+ )?(?:valid|recogni[sz]ed|active|known|accepted)|no longer (?:valid|active)|does(?:n't| not) exist|cannot be found|could not be found|unusable)";

/** Each with what it is not: the type of a grant, the endpoint of tokens, PKCE's code verifier. */
const subjects: Readonly<Record<SentGrant, string>> = {
  refreshToken:
    "(?:refresh ?token|(?<!\\b(?:client|id|csrf|assertion|access) )token|grant)(?! ?(?:types?|endpoint|ur[il]|auth|request|method|format|secret)\\b)",
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
