import type { Facts } from "../causes/cause.ts";
import {
  type CauseId,
  diagnose,
  diagnosed,
  type Explanation,
  explained,
} from "../causes/diagnose.ts";
import { loginRows } from "../causes/refusal-rows.ts";
import { MxtokenError } from "../errors.ts";
import type { NotAccepted, Protocol } from "../mail-server.ts";
import { networkError } from "../world/network-error.ts";
import { meaningOf, type ServerAnswer, suggestedBackoff } from "./server-words.ts";

/** What a failure says about the token. */
export type Verdict = Pick<
  NotAccepted,
  "result" | "reason" | "causeId" | "facts" | "hint" | "retryAfter"
>;

/** What the verdict on a server's answer needs to know beside it. */
export interface Circumstances {
  /** who answered, as `host:port`, and what, fit to be shown */
  readonly facts: Facts & {
    readonly protocol: Protocol;
    readonly host: string;
    readonly said: string;
  };
  /** whether the token was taken, and only the mailbox is not opened */
  readonly isLoggedIn: boolean;
}

/** What a refusal is called that no special row knows. */
const plainRefusals: Readonly<Record<Protocol, CauseId>> = {
  imap: "imap-login-refused",
  pop: "pop-login-refused",
  smtp: "smtp-login-refused",
};

/** The verdict that the server said no. */
export function refused(reason: string, { causeId, facts, hint }: Explanation): Verdict {
  return { result: "refused", reason, causeId, facts, hint };
}

/** The verdict that nobody said anything about the token. */
export function unreachable(reason: string, facts: Facts): Verdict {
  return { result: "unreachable", reason, facts };
}

/** The verdict on a server's answer that is no yes. */
export function verdictOn(answer: ServerAnswer, { facts, isLoggedIn }: Circumstances): Verdict {
  const { host: where, protocol } = facts;
  const said = facts.said.trim() || "no reason given";
  const plain = plainRefusals[protocol];
  const known = diagnose(facts).find(({ id }) => id !== plain)?.id;
  const isKnownRefusal = loginRows.some(({ id }) => id === known);
  const meaning = meaningOf(isKnownRefusal ? { ...answer, code: "refusal" } : answer);
  if (meaning === "refusal") {
    const what = isLoggedIn ? "accepted the token but not the mailbox" : "refused the token";
    return refused(
      `${where} ${what}: ${said}`,
      explained(known ?? plain, { ...facts, isLoggedIn }),
    );
  }
  const what =
    meaning === "trouble"
      ? "could not answer now"
      : `did not ${isLoggedIn ? "open the mailbox" : "take the token"}, and does not say that it refuses it`;
  const { hint, causeId } = known === undefined ? {} : explained(known, facts);
  const retryAfter = suggestedBackoff(answer.words);
  return { ...unreachable(`${where} ${what}: ${said}`, facts), hint, causeId, retryAfter };
}

/** Where the servers of a protocol begin with TLS at once. */
const implicitTlsPorts: Readonly<Record<Protocol, number>> = { imap: 993, pop: 995, smtp: 465 };

/** @param said what the server answered to STARTTLS; undefined where it does not offer it */
export function noStartTls(
  { where, protocol }: { readonly where: string; readonly protocol: Protocol },
  said?: string,
): Verdict {
  const what =
    said === undefined ? "offers no STARTTLS" : `refuses STARTTLS: ${said || "no reason given"}`;
  const facts = { host: where, port: implicitTlsPorts[protocol], protocol };
  const { hint, causeId } = explained("no-starttls", facts);
  const reason = `${where} ${what}, and a token is never sent without TLS`;
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
