import type { Facts } from "../causes/cause.ts";
import { type CauseId, diagnosed, type Explanation, explained } from "../causes/diagnose.ts";
import { MxtokenError } from "../errors.ts";
import type { NotAccepted } from "../mail-server.ts";
import { networkError } from "../world/network-error.ts";
import { meaningOf, type ServerAnswer } from "./server-words.ts";

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
    const explanation = refusal === undefined ? diagnosed(facts) : explained(refusal, facts);
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
