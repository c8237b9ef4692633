import { connectionError } from "../world/network-error.ts";
import { type Outcome, statusIn } from "./sasl.ts";
import {
  endless,
  noStartTls,
  type ServerAnswer,
  unreachable,
  type Verdict,
  verdictOf,
  verdictOn,
} from "./verdict.ts";

/** nodemailer's `timeoutType` and `code`, in the names that `networkError()` knows. */
const networkCodes: Readonly<Record<string, string>> = {
  UPGRADE_TIMEOUT: "CONNECT_TIMEOUT",
  SOCKET_TIMEOUT: "CONNECT_TIMEOUT",
  ECONNECTION: "ECONNRESET",
  ETLS: "ECONNRESET",
  ESOCKET: "ECONNRESET",
  EDNS: "ENOTFOUND",
};

/**
 * Postfix up to 3.7 at least has no other words for a Dovecot that could not ask about the token; a
 * token that is refused there gets an error challenge first.
 */
const undecided = /authentication failed: \(reason unavailable\)/;

/**
 * Reply codes that refuse the login: 535 (RFC 4954 section 6), 525, and the enhanced codes of wrong
 * credentials and of an account that is disabled (RFC 5248).
 */
const refusal = /^5(?:35|25)|^5\d\d[ -]5\.7\.(?:8|13)\b/;

/**
 * Tells a refusal of the token from a server that could not decide, from its last reply to AUTH
 * (RFC 4954 section 6): 4xx is no word about the token.
 *
 * @param where `host:port`
 * @param user who logged in
 * @param say makes the server's words fit to be shown
 */
export function judgeSmtpReply(
  { reply, challenge }: Outcome,
  where: string,
  user: string,
  say: (words: string) => string,
): Verdict {
  const said = say(`${wordsOf(reply)}${challenge && ` (${challenge})`}`);
  const facts = { protocol: "smtp", host: where, login: user, said } as const;
  if (!/^[45]/.test(reply)) return unreachable(`${where} does not speak SMTP: ${said}`, facts);
  return verdictOn(
    { words: wordsOf(reply), status: statusIn(challenge), code: meaningOfCode(reply, challenge) },
    { facts, isLoggedIn: false, refusal: undefined },
  );
}

function meaningOfCode(reply: string, challenge: string): ServerAnswer["code"] {
  if (reply.startsWith("4") || (challenge === "" && undecided.test(reply))) return "trouble";
  return refusal.test(reply) ? "likelyRefusal" : undefined;
}

/**
 * The same from nodemailer's error, before or after the login.
 *
 * @throws what is no failure of the connection or the server, as it is
 */
export function judgeSmtpFailure(
  error: unknown,
  where: string,
  say: (words: string) => string,
): Verdict {
  const value: Record<string, unknown> =
    typeof error === "object" && error !== null ? { ...error } : {};
  const text = (name: string) => (typeof value[name] === "string" ? value[name] : undefined);
  const response = text("response");
  if (response !== undefined && text("command") === "STARTTLS") return noStartTls(where, 465);
  if (response !== undefined) {
    const said = say(wordsOf(response));
    return unreachable(`${where} hung up: ${said}`, { protocol: "smtp", host: where, said });
  }
  const code = text("timeoutType") ?? text("originalCode") ?? text("code") ?? "";
  // Without the server's words: they were more than maxResponseSize.
  if (code === "EPROTOCOL") return endless(where, "SMTP");
  const isOfNodemailer = "timeoutType" in value || "originalCode" in value || code in networkCodes;
  return verdictOf(isOfNodemailer ? connectionError(networkCodes[code] ?? code) : error, where);
}

/** A reply's lines in one, its code only once (RFC 5321 section 4.2.1). */
function wordsOf(reply: string): string {
  const [first = "", ...more] = reply.split("\n");
  const rest = more.map((line) => line.replace(/^\d{3}[ -]?(?:\d\.\d{1,3}\.\d{1,3} ?)?/, ""));
  return [first.replace(/^(\d{3})-/, "$1 "), ...rest].join(" ").trim();
}
