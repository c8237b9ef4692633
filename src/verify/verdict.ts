import { MxtokenError } from "../errors.ts";
import { mayHaveArrived, networkError } from "../world/network-error.ts";
import type { NotAccepted } from "./finding.ts";

/** What a failure says about the token. */
export type Verdict = Pick<NotAccepted, "result" | "reason" | "hint" | "retryAfter">;

/** Words of servers that had nothing to say about the token. */
export const troubleWords =
  /too many simultaneous connections|request is throttled|temporar(?:y|ily)|try again later/i;

/**
 * Seconds that Exchange asks to wait: "Request is throttled. Suggested Backoff Time: N milliseconds"
 * (imapsync's FAQ.Exchange).
 */
export function suggestedBackoff(words: string): number | undefined {
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

/** The verdict that an error of our own holds, or that the connection failed. */
export function verdictOf(error: unknown, where: string): Verdict {
  if (error instanceof MxtokenError) {
    const result = error.code === "unreachable" ? "unreachable" : "refused";
    const { message, hint, retryAfter } = error;
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
