import { explained } from "../causes/diagnose.ts";
import { MxtokenError } from "../errors.ts";
import { connectionError } from "../world/network-error.ts";
import { challengeWords, statusIn } from "./sasl.ts";
import {
  endless,
  noStartTls,
  refused,
  type ServerAnswer,
  unreachable,
  type Verdict,
  verdictOf,
  verdictOn,
} from "./verdict.ts";

/** How far the proof had come. */
export type Stage = "login" | "mailbox";

/** What the response codes of RFC 5530 say about the token; TEMPFAIL is Yahoo's. */
const codes: ReadonlyMap<string, ServerAnswer["code"]> = new Map([
  ["AUTHENTICATIONFAILED", "refusal"],
  ["AUTHORIZATIONFAILED", "refusal"],
  ["EXPIRED", "refusal"],
  ["PRIVACYREQUIRED", "likelyRefusal"],
  ["CONTACTADMIN", "likelyRefusal"],
  ["NOPERM", "likelyRefusal"],
  ["NONEXISTENT", "likelyRefusal"],
  ...["UNAVAILABLE", "INUSE", "LIMIT", "SERVERBUG", "CORRUPTION", "OVERQUOTA", "TEMPFAIL"].map(
    (code) => [code, "trouble"] as const,
  ),
]);

/** imapflow's codes for a connection that ended, and the names that `networkError()` knows. */
const closedCodes: ReadonlyMap<string, string> = new Map([
  ["NoConnection", "ECONNRESET"],
  ["EConnectionClosed", "ECONNRESET"],
  ["StateLogout", "ECONNRESET"],
  ["ClosedAfterConnectTLS", "ECONNRESET"],
  ["ClosedAfterConnectText", "ECONNRESET"],
  ["UPGRADE_TIMEOUT", "CONNECT_TIMEOUT"],
  ["ETIMEOUT", "ETIMEDOUT"],
]);

/** imapflow's codes for more than it was allowed to take. */
const tooMuch =
  /^(?:LineTooLarge|LiteralTooLarge|ResponseTooLarge|TooManyTokens|TooManyResponses)$/;

/** imapflow's codes for answers that are no IMAP, or not now. */
const notImap =
  /^(?:ParserError.*|MAX_IMAP_NESTING_REACHED|UnexpectedTag|MissingTag|InvalidResponse|ResponseProcessingFailed|STARTTLS_INJECTION)$/;

const notConnected = /authenticated but not connected/i;

/**
 * Tells a refusal of the token from a server that could not decide, from imapflow's error.
 *
 * @param where `host:port`
 * @param say makes the server's words fit to be shown
 * @throws what is no failure of the connection or the server, as it is
 */
export function judgeImapFailure(
  error: unknown,
  stage: Stage,
  where: string,
  say: (words: string) => string,
): Verdict {
  if (error instanceof MxtokenError) return verdictOf(error, where);
  const failure = membersOf(error);
  const facts = { protocol: "imap", host: where } as const;
  if (notConnected.test(failure.text)) {
    const said = say(failure.words);
    const explanation = explained("token-of-another-mailbox", { ...facts, said });
    return refused(`${where} accepted the token and opened no mailbox: ${said}`, explanation);
  }
  if (failure.answered) {
    const { text, challenge, serverCode } = failure;
    return verdictOn(
      { words: text, status: statusIn(challenge), code: codes.get(serverCode ?? "") },
      {
        facts: { ...facts, said: say(failure.words) },
        isLoggedIn: stage === "mailbox",
        refusal: "imap-login-refused",
      },
    );
  }
  if (failure.goodbye !== undefined) {
    const said = say(failure.goodbye);
    return unreachable(`${where} hung up: ${said}`, { ...facts, said });
  }
  return failure.noStartTls ? noStartTls(where, 993) : judgeConnection(error, failure.code, where);
}

function judgeConnection(error: unknown, code: string, where: string): Verdict {
  if (tooMuch.test(code)) return endless(where, "IMAP");
  if (notImap.test(code)) {
    return unreachable(`${where} does not speak IMAP as it should (${code})`, { host: where });
  }
  const closed = closedCodes.get(code);
  return verdictOf(closed === undefined ? error : connectionError(closed, error), where);
}

function membersOf(error: unknown) {
  const value: Record<string, unknown> =
    typeof error === "object" && error !== null ? { ...error } : {};
  const text = (name: string) => (typeof value[name] === "string" ? value[name] : undefined);
  const code = text("code") ?? "";
  const serverCode = text("serverResponseCode")?.toUpperCase();
  const status = text("responseStatus");
  const answered = status === "NO" || status === "BAD";
  // A whole line, where there are no words in it.
  const response = text("responseText") ?? (answered ? "" : (text("response") ?? ""));
  const challenge = challengeWords(value["oauthError"]);
  return {
    /** imapflow's, or Node's */
    code,
    /** a tagged NO or BAD came */
    answered,
    /** the server's own words */
    text: response,
    /** the same with its code and its challenge, to be shown */
    words: [serverCode && `[${serverCode}]`, response, challenge && `(${challenge})`]
      .filter(Boolean)
      .join(" "),
    challenge,
    serverCode,
    /** the reason in a BYE; TLS errors have a member of this name too */
    goodbye: closedCodes.has(code) ? text("reason") : undefined,
    noStartTls:
      value["tlsFailed"] === true && error instanceof Error && /STARTTLS/.test(error.message),
  };
}
