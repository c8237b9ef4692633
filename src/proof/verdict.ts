import { MxtokenError } from "../errors.ts";
import type { NotAccepted } from "../mail-server.ts";
import { mayHaveArrived, networkError } from "../world/network-error.ts";
import { meaningOf, type ServerAnswer } from "./server-words.ts";

/** What a failure says about the token. */
export type Verdict = Pick<NotAccepted, "result" | "reason" | "hint" | "retryAfter">;

/** How the verdict on a server's answer is told. */
export interface Telling {
  /** `host:port` */
  readonly where: string;
  /** the answer, fit to be shown */
  readonly words: string;
  /** whether the token was taken, and only the mailbox is not opened */
  readonly isLoggedIn: boolean;
  /** what the person can do where it is a refusal */
  readonly hint: string | undefined;
}

/** The verdict on a server's answer that is no yes. */
export function verdictOn(
  answer: ServerAnswer,
  { where, words, isLoggedIn, hint }: Telling,
): Verdict {
  const said = words.trim() || "no reason given";
  const meaning = meaningOf(answer);
  if (meaning === "refusal") {
    const what = isLoggedIn ? "accepted the token but not the mailbox" : "refused the token";
    return { result: "refused", reason: `${where} ${what}: ${said}`, hint };
  }
  const what =
    meaning === "trouble"
      ? "could not answer now"
      : `did not ${isLoggedIn ? "open the mailbox" : "take the token"}, and does not say that it refuses it`;
  const retryAfter = suggestedBackoff(answer.words);
  return { result: "unreachable", reason: `${where} ${what}: ${said}`, retryAfter };
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
  return {
    result: "unreachable",
    reason: `${where} offers no STARTTLS, and a token is never sent without TLS`,
    hint: `is there a port with TLS at once, usually ${usualPort}?`,
  };
}

/** The verdict on a server that would fill the memory. */
export function endless(where: string, protocol: string): Verdict {
  return {
    result: "unreachable",
    reason: `${where} does not speak ${protocol}: what it says has no end`,
  };
}

/**
 * The verdict that an error of our own holds, or that the connection failed.
 *
 * @throws what is neither, as it is: a defect says nothing about the token
 */
export function verdictOf(error: unknown, where: string): Verdict {
  if (error instanceof MxtokenError) {
    const { code, message, hint, retryAfter } = error;
    if (code !== "mailboxRefused" && code !== "unreachable") throw error;
    const result = code === "unreachable" ? "unreachable" : "refused";
    return { result, reason: message, hint, retryAfter };
  }
  const { message, hint } = networkError(where, error);
  return {
    result: "unreachable",
    reason: message,
    // A login asks for nothing that could have been done all the same.
    hint: hint === mayHaveArrived ? undefined : hint,
  };
}

/** The error that {@link verdictOf} makes the same verdict of again. */
export function errorOf({ result, reason, hint, retryAfter }: Verdict): MxtokenError {
  return new MxtokenError(result === "refused" ? "mailboxRefused" : "unreachable", reason, {
    hint,
    retryAfter,
  });
}
