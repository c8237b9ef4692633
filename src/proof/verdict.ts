import type { Facts } from "../causes/cause.ts";
import { type CauseId, diagnosed, type Explanation, explained } from "../causes/diagnose.ts";
import { MxtokenError } from "../errors.ts";
import type { NotAccepted } from "../mail-server.ts";
import { networkError } from "../world/network-error.ts";

/** What a failure says about the token. */
export type Verdict = Pick<
  NotAccepted,
  "result" | "reason" | "causeId" | "facts" | "hint" | "retryAfter"
>;

/** How the verdict on a server's answer is told. */
export interface Telling {
  /** who answered, as `host:port`, and what, fit to be shown */
  readonly facts: Facts & { readonly host: string; readonly said: string };
  /** whether the token was taken, and only the mailbox is not opened */
  readonly isLoggedIn: boolean;
  /** what it is where it is a refusal; undefined where only the answer can tell */
  readonly refusal: CauseId | undefined;
}

/** The verdict that the server said no. */
export function refused(reason: string, { causeId, facts, hint }: Explanation): Verdict {
  return { result: "refused", reason, causeId, facts, hint };
}

/** The verdict that nobody said anything about the token. */
export function unreachable(reason: string, facts: Facts): Verdict {
  return { result: "unreachable", reason, facts };
}

/** The verdict on a server's answer that is no yes. */
export function verdictOn(answer: ServerAnswer, { facts, isLoggedIn, refusal }: Telling): Verdict {
  const { host: where } = facts;
  const said = facts.said.trim() || "no reason given";
  const meaning = meaningOf(answer);
  if (meaning === "refusal") {
    const what = isLoggedIn ? "accepted the token but not the mailbox" : "refused the token";
    const known = { ...facts, isLoggedIn };
    const explanation = refusal === undefined ? diagnosed(known) : explained(refusal, known);
    return refused(`${where} ${what}: ${said}`, explanation);
  }
  const what =
    meaning === "trouble"
      ? "could not answer now"
      : `did not ${isLoggedIn ? "open the mailbox" : "take the token"}, and does not say that it refuses it`;
  const retryAfter = suggestedBackoff(answer.words);
  return { ...unreachable(`${where} ${what}: ${said}`, facts), retryAfter };
}

/**
 * Seconds that Exchange asks to wait: "Request is throttled. Suggested Backoff Time: N milliseconds"
 * (imapsync's FAQ.Exchange).
 */
function suggestedBackoff(words: string): number | undefined {
  const [, ms] = /suggested backoff time:\s*(\d{1,9})\s*milliseconds/i.exec(words) ?? [];
  return ms === undefined ? undefined : Math.ceil(Number(ms) / 1000);
}

/** @param usualPort where this protocol's servers begin with TLS at once */
export function noStartTls(where: string, usualPort: number): Verdict {
  const reason = `${where} offers no STARTTLS, and a token is never sent without TLS`;
  const { hint, causeId, facts } = explained("no-starttls", { host: where, port: usualPort });
  return { result: "unreachable", reason, causeId, facts, hint };
}

/** The verdict on a server that would fill the memory. */
export function endless(where: string, protocol: string): Verdict {
  return unreachable(`${where} does not speak ${protocol}: what it says has no end`, {
    host: where,
  });
}

/**
 * The verdict that an error of our own holds, or that the connection failed.
 *
 * @throws what is neither, as it is: a defect says nothing about the token
 */
export function verdictOf(error: unknown, where: string): Verdict {
  const isOurs = error instanceof MxtokenError;
  if (isOurs && error.code !== "mailboxRefused" && error.code !== "unreachable") throw error;
  const failure = isOurs ? error : networkError(where, error);
  // A login asks for nothing that could have been done all the same.
  const { causeId, hint, facts } = failure.facts.isInDoubt
    ? diagnosed({ ...failure.facts, isInDoubt: false })
    : failure;
  const { message: reason, retryAfter } = failure;
  const result = failure.code === "unreachable" ? "unreachable" : "refused";
  return { result, reason, causeId, facts, hint, retryAfter };
}

/** The error that {@link verdictOf} makes the same verdict of again. */
export function errorOf({ result, reason, ...details }: Verdict): MxtokenError {
  return new MxtokenError(result === "refused" ? "mailboxRefused" : "unreachable", reason, details);
}

/** What a mail server's answer says about the token. */
export type Meaning = "refusal" | "trouble" | "neither";

/** A server's answer that is no yes. */
export interface ServerAnswer {
  /** the human-readable text, without the protocol's own words */
  readonly words: string;
  /** the status in the error challenge before it; undefined where none came */
  readonly status: string | undefined;
  /** what the protocol's own code says; a likely refusal gives way to words that tell of trouble */
  readonly code: "refusal" | "likelyRefusal" | "trouble" | undefined;
}

/**
 * Tells a refusal from a server that has trouble of its own. A refusal is what says refusal; whatever
 * else a server answers says nothing about the token, which may be as good as ever.
 */
export function meaningOf({ words, status, code }: ServerAnswer): Meaning {
  const challenge = meaningOfStatus(status);
  // Dovecot 2.4 answers AUTHENTICATIONFAILED after a challenge with status 500, where it could not ask.
  if (challenge === "trouble") return "trouble";
  if (code === "refusal" || code === "trouble") return code;
  const said = meaningOfWords(words);
  // What the server says last is about this login, and a challenge is often the same for every failure.
  if (said === "trouble") return "trouble";
  const isRefusal = code === "likelyRefusal" || challenge === "refusal" || said === "refusal";
  return isRefusal ? "refusal" : "neither";
}

/**
 * The status of an error challenge: one of HTTP, as Google has it, or an OAuth error code (RFC 7628
 * section 3.2.2).
 */
function meaningOfStatus(status: string | undefined): Meaning {
  if (status === undefined) return "neither";
  if (/^(?:5\d\d|408|429|server_error|temporarily_unavailable)$/.test(status)) return "trouble";
  // A name of the server's own, as Dovecot's `internal_failure`, says what its words say.
  if (meaningOfWords(status) === "trouble") return "trouble";
  return /^(?:4\d\d|[a-z_]{3,60})$/i.test(status) ? "refusal" : "neither";
}

/** More than any server has to say about a login. */
const lookedAt = 2000;

/**
 * What words say, in whatever way servers put them: Gmail, Exchange, Dovecot, Cyrus, Courier, Zimbra,
 * Yahoo, Yandex, Mail.ru, hMailServer, Postfix, Exim. Where they say both, as in "temporary
 * authentication failure", it is trouble: the token is then tried again, and nothing is lost.
 */
export function meaningOfWords(text: string): Meaning {
  const words = text
    .slice(0, lookedAt)
    .toLowerCase()
    // An address, of a page or of a mailbox, says nothing by the words in it.
    .replace(/\S*(?:@|:\/\/)\S*/g, " ")
    .replace(/[_\s]+/g, " ");
  if (troubles.some((pattern) => pattern.test(words))) return "trouble";
  return refusals.some((pattern) => pattern.test(words)) ? "refusal" : "neither";
}

/** Up to three words in between. */
const near = String.raw`\W+(?:\w+\W+){0,3}?`;

const machinery =
  "(?:server|service|system|backend|back-end|daemon|database|ldap|sql|dns|disk|network|i/o|auth process|lookup|generic|unexpected|unknown|internal)";

const troubles: readonly RegExp[] = [
  /\b(?:temporar|transient|momentar)/,
  /\b(?:try|again|retry) .{0,20}\blater\b|\btry later\b/,
  /\btry .{0,20}\b(?:in|after) (?:a|an|some|few|\d+) /,
  /\bat (?:present|the moment|this time)\b/,
  // Postfix says "(reason unavailable)" of every failure that its SASL service has no words for.
  /(?<!reason )\bunavailable\b|\bnot (?:currently |yet )?available\b|\b(?:not responding|unreachable)\b/,
  /\btoo (?:many|much|often|frequent)|\bfrequency\b|\bexceed|\bthrottl|\bback-?off\b|\brate.?limit/,
  /\blimit(?:s|ed)?\b|\bmaximum (?:number|connections)\b|\boverquota\b|\bquota\b/,
  /\bbusy\b|\boverload|\bmaintenance\b|\bshutting down\b|\bgoing down\b|\bstarting up\b|\btime[ds]?[ -]?out\b/,
  /\b(?:in use|lock|locked|locking)\b/,
  new RegExp(
    `\\b${machinery} (?:\\w+ )?(?:bug|error|failure|failed|fault|problem|exception|down)\\b`,
  ),
  /\bconnection\b.{0,60}\b(?:lost|closed|refused|failed|reset|dropped|broken|timed)\b/,
  /\b(?:can(?:'t|not| not)|could(?:n't| not)|unable to|failed to) (?:\w+ )?(?:connect|reach|contact|communicate)\b/,
];

/** What a login is made of, as far as a server calls it invalid, wrong or unknown. */
const credential =
  "(?:credentials?|passwords?|passwd|user ?names?|users?|log-?ins?|log-?ons?|accounts?|tokens?|access token|bearer|identity)";

/** The act of logging in. */
const login =
  "(?:auth|authn|authenticat\\w*|authori[sz]\\w*|log-?in|log-?on|log in|log on|sign-?in|sign in)";

const refusals: readonly RegExp[] = [
  new RegExp(
    `\\b(?:invalid|incorrect|wrong|bad|unknown|unrecogni[sz]ed|no such)${near}${credential}\\b`,
  ),
  new RegExp(
    `\\b${credential}${near}(?:invalid|incorrect|wrong|unknown|unrecogni[sz]ed|not (?:valid|correct|known|found|recogni[sz]ed|accepted)|mismatch)\\b`,
  ),
  new RegExp(`\\b${login}${near}(?:fail(?:ed|ure|s)?|unsuccessful|error)\\b`),
  new RegExp(`\\b(?:failed|failure|unsuccessful|could not|cannot|unable to)${near}${login}\\b`),
  new RegExp(
    `\\b(?:${login}|${credential})${near}(?:rejected|refused|expired|revoked|blocked|not accepted|does(?:n't| not) exist)\\b`,
  ),
  new RegExp(`\\b(?:expired|revoked|rejected|blocked)${near}(?:${login}|${credential})\\b`),
  /\b(?:access|permission|privileges?|rights?|log-?in|log-?on|authenti\w+|authori[sz]\w+|user|account|mailbox)\b.{0,40}\bdenied\b/,
  /\b(?:denied|den(?:y|ies)) (?:access|permission|log-?in)\b/,
  /\bunauthori[sz]ed\b|\bforbidden\b|\bprohibited\b|\bdisallowed\b|\bnot (?:been )?authori[sz]ed\b/,
  /(?<!\bcommand )(?<!\bcommand is )\bnot (?:allowed|permitted)\b/,
  /\b(?:disabled|deactivated|suspended|inactive|unlicensed)\b|\bnot (?:been )?(?:enabled|activated|active|licen[sc]ed|provisioned)\b/,
  /(?:\bno|\bnot?|n't) (?:have |has )?(?:\w+ ){0,3}(?:access|permissions?|rights?|privileges?|licen[sc]e)\b/,
  /\binsufficient (?:\w+ )?(?:scopes?|permissions?|privileges?|rights?|access)\b/,
  /\b(?:password|web log-?in|log-?in|sign-?in|verification|consent|licen[sc]e|two-factor authentication) (?:is )?required\b/,
  /\b(?:log|sign)[ -]?(?:in|on) (?:via|with|through|using|at) (?:\w+ )?(?:web )?browser\b|\bweb log-?in\b/,
  /\bverify (?:your|the) (?:account|identity)\b|\bunsafe log-?in\b/,
  /\bdoes(?:n't| not) exist\b|\bnon-?existent\b|\b(?:unknown|no such) (?:mailbox|folder)\b|\b(?:mailbox|folder) (?:\w+ )?(?:unknown|not found)\b/,
];
