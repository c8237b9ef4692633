import type { KeepEvent, Trouble } from "../keep/events.ts";
import type { Counts } from "../keep/status-file.ts";
import type { Finding } from "../mail-server.ts";
import { isoSeconds } from "../token.ts";
import { count, showFinding } from "./finding.ts";

/**
 * What an event of `mxtoken keep` says, in one sentence without a full stop.
 *
 * @param now ms since 1970
 */
export function describeKeepEvent(event: KeepEvent, now: number): string {
  return "label" in event ? `${event.label}: ${whatHappened(event, now)}` : ofAll(event);
}

type AccountSentence = Extract<KeepEvent, { label: string }>;
type KeeperSentence = Exclude<KeepEvent, AccountSentence>;

function whatHappened(event: AccountSentence, now: number): string {
  switch (event.is) {
    case "refreshed":
      return `${again(event)}a new token, ${until(event.life?.expiresAt)}${proof(event.findings)}`;
    case "refreshedElsewhere":
      return `${again(event)}another process has stored a new token, ${until(event.life?.expiresAt)}`;
    case "proven":
      return `${again(event)}the stored token is ${until(event.life?.expiresAt)}${proof(event.findings)}`;
    case "worksAgain":
      return `that works again; the stored token is ${until(event.life?.expiresAt)}`;
    case "unproven":
      return `not proven: ${reasonOf(event)}; trying the login again at ${isoSeconds(event.nextAt)}`;
    case "partlyRefused":
      return `the mailbox opens, but ${event.trouble.reason}`;
    case "unreachable":
    case "failed":
      return `no new token now: ${reasonOf(event)}${old(event, now)}; trying again at ${isoSeconds(event.nextAt)}`;
    case "expired":
      return `the token ended at ${isoSeconds(event.expiresAt)}, and there is no new one yet`;
    case "refused":
      return `refused: ${reasonOf(event)}${old(event, now)}; ${nextTry(event.nextAt)}`;
    case "triedAgain":
      return "trying it again";
  }
}

function ofAll(event: KeeperSentence): string {
  switch (event.is) {
    case "begun":
      return `keeping ${count(event.accounts, "account")} fresh`;
    case "clockSet":
      return event.ms < 0
        ? `the clock was set back by ${duration(-event.ms)}`
        : `the machine slept, or the clock was set, for ${duration(event.ms)}`;
    case "listRead":
      return `read the accounts again: ${count(event.accounts, "account")}, ${event.added} new, ${event.removed} gone`;
    case "listNotRead":
      return `the accounts stay as they were: ${event.trouble.reason}`;
    case "statusNotWritten":
      return `the status file is behind: ${event.trouble.reason}`;
    case "commandFailed":
      return `the command of --on-event failed: ${event.reason}`;
    case "nothingAlive":
      return `each of ${count(event.accounts, "account")} needs somebody`;
    case "stopping":
      return event.inFlight === 0
        ? "stopping"
        : `stopping: finishing what is under way for ${count(event.inFlight, "account")} (up to 10 seconds)`;
  }
}

function again({ isAgain }: { isAgain: boolean }): string {
  return isAgain ? "that works again; " : "";
}

function nextTry(nextAt: number | undefined): string {
  return nextAt === undefined
    ? "nothing is tried before its token file changes"
    : `trying again at ${isoSeconds(nextAt)}, and as soon as its token file changes`;
}

/** A server's own sentence may end with a full stop. */
function reasonOf({ trouble }: { trouble: Trouble }): string {
  return trouble.reason.replace(/\.$/, "");
}

/** What a person can do about it. */
export function troubleOf(event: KeepEvent): Trouble | undefined {
  return "trouble" in event ? event.trouble : undefined;
}

/** All accounts in a line. */
export function summary(counts: Counts): string {
  const { fresh, ...others } = counts;
  const rest = Object.entries(others).flatMap(([state, number]) =>
    number === 0 ? [] : [`${number} ${state}`],
  );
  return [`${fresh} fresh`, ...rest].join(", ");
}

/** A length of time for people, in the unit that is enough. */
export function duration(ms: number): string {
  const seconds = Math.round(ms / 1000);
  if (seconds < 100) return count(seconds, "second");
  const minutes = Math.round(seconds / 60);
  if (minutes < 100) return count(minutes, "minute");
  const hours = Math.round(minutes / 60);
  return hours < 48 ? count(hours, "hour") : count(Math.round(hours / 24), "day");
}

function until(expiresAt: number | undefined): string {
  return expiresAt === undefined
    ? "which does not say how long it is good"
    : `good until ${isoSeconds(expiresAt)}`;
}

function old(
  { life }: Pick<Extract<AccountSentence, { is: "unreachable" }>, "life">,
  now: number,
): string {
  if (life === undefined) return "";
  const { expiresAt } = life;
  if (expiresAt === undefined) return "; the old token is kept";
  const time = isoSeconds(expiresAt);
  return expiresAt > now
    ? `; the old token, good until ${time}, is kept`
    : `; the old token ended at ${time}`;
}

function proof(findings: readonly Finding[] | undefined): string {
  return (findings ?? []).map((finding) => `; ${showFinding(finding)}`).join("");
}
