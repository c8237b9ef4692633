import { MxtokenError } from "../errors.ts";
import { challengeWords } from "./sasl.ts";
import { noStartTls, suggestedBackoff, troubleWords, type Verdict, verdictOf } from "./verdict.ts";

/** How far the proof had come. */
export type Stage = "login" | "mailbox";

/** The server had nothing to say about the token, after RFC 5530. */
const serverTrouble: ReadonlySet<string> = new Set(["UNAVAILABLE", "INUSE", "LIMIT", "SERVERBUG"]);

/** Codes of RFC 5530 that leave no doubt, whatever the words beside them say. */
const refusals: ReadonlySet<string> = new Set([
  "AUTHENTICATIONFAILED",
  "AUTHORIZATIONFAILED",
  "EXPIRED",
  "PRIVACYREQUIRED",
  "CONTACTADMIN",
]);

/** imapflow's codes for a connection that the server ended. */
const closedCodes: ReadonlySet<string> = new Set([
  "NoConnection",
  "EConnectionClosed",
  "ClosedAfterConnectTLS",
  "ClosedAfterConnectText",
]);

const notConnected = /authenticated but not connected/i;

/**
 * Tells a refusal of the token from a server that could not decide, from imapflow's error.
 *
 * @param where `host:port`
 * @param say makes the server's words fit to be shown
 */
export function judgeImapFailure(
  error: unknown,
  stage: Stage,
  where: string,
  say: (words: string) => string,
): Verdict {
  if (error instanceof MxtokenError) return verdictOf(error, where);
  const failure = membersOf(error);
  const words = say(failure.words);
  const code = failure.serverCode ?? "";
  const isTrouble = refusals.has(code) ? false : troubleWords.test(failure.words);
  if (serverTrouble.has(code) || isTrouble) {
    return {
      result: "unreachable",
      reason: `${where} could not answer now: ${words || code}`,
      retryAfter: suggestedBackoff(failure.words),
    };
  }
  if (notConnected.test(failure.words)) {
    return {
      result: "refused",
      reason: `${where} accepted the token and opened no mailbox: ${words}`,
      hint: "the account that signed in is not this mailbox and has no right to it, or the mailbox has no licence or IMAP is switched off for it",
    };
  }
  if (failure.answered) {
    const what = stage === "login" ? "refused the token" : "accepted the token but not the mailbox";
    return {
      result: "refused",
      reason: `${where} ${what}: ${words || "no reason given"}`,
      hint: failure.isBad
        ? undefined
        : "did another account sign in than this mailbox's (a private browser window helps), and is IMAP switched on for the mailbox?",
    };
  }
  if (failure.goodbye !== undefined) {
    return { result: "unreachable", reason: `${where} hung up: ${say(failure.goodbye)}` };
  }
  return failure.noStartTls ? noStartTls(where, 993) : verdictOf(error, where);
}

interface Members {
  /** a tagged NO or BAD came */
  readonly answered: boolean;
  /** it was a BAD: the server did not understand */
  readonly isBad: boolean;
  readonly words: string;
  readonly serverCode: string | undefined;
  /** the reason in a BYE */
  readonly goodbye: string | undefined;
  readonly noStartTls: boolean;
}

function membersOf(error: unknown): Members {
  const value: Record<string, unknown> =
    typeof error === "object" && error !== null ? { ...error } : {};
  const text = (name: string) => (typeof value[name] === "string" ? value[name] : undefined);
  const serverCode = text("serverResponseCode");
  const status = text("responseStatus");
  const response = text("responseText") ?? text("response") ?? "";
  const challenge = challengeWords(value["oauthError"]);
  return {
    isBad: status === "BAD",
    answered: status === "NO" || status === "BAD",
    words: [serverCode && `[${serverCode}]`, response, challenge && `(${challenge})`]
      .filter(Boolean)
      .join(" "),
    serverCode,
    // TLS errors have a member of this name too.
    goodbye: closedCodes.has(text("code") ?? "") ? text("reason") : undefined,
    noStartTls:
      value["tlsFailed"] === true && error instanceof Error && /STARTTLS/.test(error.message),
  };
}
