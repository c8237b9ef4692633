import { connectionError } from "./connection.ts";
import type { Outcome } from "./exchange.ts";
import { noStartTls, suggestedBackoff, troubleWords, type Verdict, verdictOf } from "./verdict.ts";

/** nodemailer's `timeoutType` and `code`, in the names that `networkError()` knows. */
const networkCodes: Readonly<Record<string, string>> = {
  UPGRADE_TIMEOUT: "CONNECT_TIMEOUT",
  SOCKET_TIMEOUT: "CONNECT_TIMEOUT",
  ECONNECTION: "ECONNRESET",
  ETLS: "ECONNRESET",
};

/**
 * Postfix up to 3.7 at least has no other words for a Dovecot that could not ask about the token; a
 * token that is refused there gets an error challenge first.
 */
const undecided = /authentication failed: \(reason unavailable\)/;

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
  const words = say(`${wordsOf(reply)}${challenge && ` (${challenge})`}`);
  const isTrouble = troubleWords.test(reply) || (challenge === "" && undecided.test(reply));
  if (reply.startsWith("4") || (reply.startsWith("5") && isTrouble)) {
    const retryAfter = suggestedBackoff(reply);
    return { result: "unreachable", reason: `${where} could not answer now: ${words}`, retryAfter };
  }
  if (!reply.startsWith("5")) {
    return { result: "unreachable", reason: `${where} does not speak SMTP: ${words}` };
  }
  return {
    result: "refused",
    reason: `${where} refused the token: ${words}`,
    hint: hintOf(reply, user),
  };
}

/** The same from nodemailer's error, before or after the login. */
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
    return { result: "unreachable", reason: `${where} hung up: ${say(wordsOf(response))}` };
  }
  const code = text("timeoutType") ?? text("originalCode") ?? text("code") ?? "";
  const isOfNodemailer = "timeoutType" in value || "originalCode" in value || code in networkCodes;
  return verdictOf(isOfNodemailer ? connectionError(networkCodes[code] ?? code) : error, where);
}

function hintOf(reply: string, user: string): string | undefined {
  // https://aka.ms/smtp_auth_disabled
  const disabledFor = /SmtpClientAuthentication is disabled for the (Tenant|Mailbox)/i.exec(reply);
  if (disabledFor !== null) {
    const everywhere = "Set-TransportConfig -SmtpClientAuthenticationDisabled $false";
    const identity = `'${user.replaceAll("'", "''")}'`;
    const here = `Set-CASMailbox -Identity ${identity} -SmtpClientAuthenticationDisabled $false`;
    const isTenant = disabledFor[1]?.toLowerCase() === "tenant";
    return `an administrator must switch SMTP AUTH on: ${here}${isTenant ? `, or for everybody ${everywhere}` : ""}`;
  }
  if (!reply.startsWith("535")) return undefined;
  return `did another account sign in than ${user} (a private browser window helps), and was the right to send asked for (--access smtp)?`;
}

/** A reply's lines in one, its code only once (RFC 5321 section 4.2.1). */
function wordsOf(reply: string): string {
  const [first = "", ...more] = reply.split("\n");
  const rest = more.map((line) => line.replace(/^\d{3}[ -]?(?:\d\.\d{1,3}\.\d{1,3} ?)?/, ""));
  return [first.replace(/^(\d{3})-/, "$1 "), ...rest].join(" ").trim();
}
