import { basename } from "node:path";
import type { KeepEvent } from "../keep/events.ts";
import type { RunEvent } from "../keep/schedule.ts";
import type { Finding } from "../mail-server.ts";
import { isoSeconds } from "../token.ts";
import { type Alike, always, step, type Tellings } from "./telling.ts";
import { count, duration, showFinding } from "./words.ts";

/** What happens to accounts that are kept fresh, whose names stand before it, and to all of them. */
export const keepTellings = {
  refreshed: step(
    ({ isAgain, life, findings }) =>
      `${again(isAgain)}a new token, ${newUntil(life)}${proof(findings)}`,
  ),
  refreshedElsewhere: step(
    ({ isAgain, life }) =>
      `${again(isAgain)}another process has stored a new token, ${newUntil(life)}`,
  ),
  proven: step(
    ({ isAgain, life, findings }) =>
      `${again(isAgain)}the stored token ${storedUntil(life)}${proof(findings)}`,
  ),
  worksAgain: step(({ life }) => `that works again; the stored token ${storedUntil(life)}`),
  unproven: always(
    ({ trouble, nextAt }) =>
      `not proven: ${withoutStop(trouble.reason)}; trying the login again at ${isoSeconds(nextAt)}`,
  ),
  partlyRefused: always(({ trouble }) => `the mailbox opens, but ${trouble.reason}`),
  unreachable: always(noNewToken),
  failed: always(noNewToken),
  expired: always(
    ({ expiresAt }) => `the token ended at ${isoSeconds(expiresAt)}, and there is no new one yet`,
  ),
  refused: always(
    ({ trouble, life, nextAt }, { now }) =>
      `${trouble.isAnswer ? "refused" : "needs somebody"}: ${withoutStop(trouble.reason)}${old(life, now)}; ${nextAt === undefined ? "nothing is tried before its token file changes" : `trying again at ${isoSeconds(nextAt)}, and as soon as its token file changes`}`,
  ),
  triedAgain: step("trying it again"),

  begun: step(({ accounts }) => `keeping ${count(accounts, "account")} fresh`),
  clockSet: step(({ ms }) =>
    ms < 0
      ? `the clock was set back by ${duration(-ms)}`
      : `the machine slept for ${duration(ms)}, or the clock was set ahead by as much`,
  ),
  listRead: step(
    ({ accounts, added, removed }) =>
      `read the accounts again: ${count(accounts, "account")}, ${added} new, ${removed} gone`,
  ),
  listNotRead: always(({ trouble }) => `the accounts stay as they were: ${trouble.reason}`),
  statusNotWritten: always(({ trouble }) => `the status file is behind: ${trouble.reason}`),
  commandFailed: always(({ reason }) => `the command of --on-event failed: ${reason}`),
  // The error that it ends with says that.
  nothingAlive: {
    level: "never",
    says: ({ accounts }) =>
      accounts === 1 ? "the account needs somebody" : `each of ${accounts} accounts needs somebody`,
  },
  stopping: step(({ inFlight }) =>
    inFlight === 0
      ? "stopping"
      : `stopping: finishing what is under way for ${count(inFlight, "account")} (up to 10 seconds)`,
  ),
} as const satisfies Tellings<KeepEvent>;

/** What is said of more accounts that the same has happened to; the first ones are told of one by one. */
const ofMany = {
  unproven: "not proven",
  partlyRefused: "refused for something else than the mailbox",
  unreachable: "without a new token",
  failed: "without a new token",
  expired: "with a token that has ended",
  refused: "in need of somebody",
  worksAgain: "all right again",
  triedAgain: "tried again",
} as const satisfies Partial<Record<KeepEvent["is"], string>>;

/** What an account's event may have in common with those of others; undefined: it is its own. */
export function familyOf(event: KeepEvent): string | undefined {
  if (!(event.is in ofMany)) return undefined;
  return "trouble" in event ? `${event.is} ${event.trouble.family}` : event.is;
}

/**
 * What many accounts have in common, in one sentence.
 *
 * @param whole where all of them are named
 */
export function sentenceOfMany({ event, like, others }: Alike<KeepEvent>, whole: string): string {
  const named = others.slice(0, namedAtMost);
  const rest = others.length - named.length;
  const names = rest > 0 ? `${named.join(", ")} and ${count(rest, "other")}` : named.join(", ");
  const what = ofMany[event.is as keyof typeof ofMany];
  const verb = others.length === 1 ? "is" : "are";
  return `${count(others.length, "more account")} ${verb} ${what}, like ${like}: ${names}; ${whole}`;
}

const namedAtMost = 3;

/** What happens to the command of `mxtoken run`. */
export const runTellings = {
  started: {
    level: ({ restarts }) => (restarts === 0 ? "detail" : "step"),
    says: ({ restarts, file }) =>
      `${restarts === 0 ? "starting" : `starting again (${restarts})`}: ${file}`,
  },
  ended: always((event) => `${ended(event)}, ${consequence(event)}`),
  endedWithoutToken: always(
    (event) => `${ended(event)}, and ${event.label} had no new token: ${event.reason}`,
  ),
  notStartedAgain: always(({ reason }) => `${reason}; it is not started again`),
  waitingForToken: step("waiting for a fresh token before the command is started again"),
  noFreshToken: always(({ label, commands }) => [
    `the command is not started again: ${label} needs somebody first`,
    ...commands.map((command) => ({ command })),
  ]),
} as const satisfies Tellings<RunEvent>;

type NoNewToken = Extract<KeepEvent, { is: "unreachable" | "failed" }>;

function noNewToken({ trouble, life, nextAt }: NoNewToken, { now }: { now: number }): string {
  return `no new token now: ${withoutStop(trouble.reason)}${old(life, now)}; trying again at ${isoSeconds(nextAt)}`;
}

function again(isAgain: boolean): string {
  return isAgain ? "that works again; " : "";
}

/** A server's own sentence may end with a full stop. */
function withoutStop(text: string): string {
  return text.replace(/\.$/, "");
}

type Life = NoNewToken["life"];

function newUntil(life: Life): string {
  return life?.expiresAt === undefined
    ? "and the server does not say how long it is good"
    : `good until ${isoSeconds(life.expiresAt)}`;
}

function storedUntil(life: Life): string {
  return life?.expiresAt === undefined
    ? "is kept, and how long it is good nobody has said"
    : `is good until ${isoSeconds(life.expiresAt)}`;
}

/** What has become of the token before. */
function old(life: Life, now: number): string {
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

function ended({ file, status }: { file: string; status: number }): string {
  return `${basename(file)} ended with status ${status}`;
}

function consequence({ decision, isTokenReplaced }: Extract<RunEvent, { is: "ended" }>): string {
  switch (decision) {
    case "restart":
      return "as it does when its token has died";
    case "notWanted":
      return `perhaps because its token had died: ${isTokenReplaced ? "there is a fresh one now; start it again" : "start it again when there is a fresh one"}, or pass --restart`;
    case "noProgress":
      return `in less than ${count(1, "minute")}: it is not started again`;
    case "sameToken":
      return "and its token is the same as at the start: it is not started again";
    case "tooOften":
      return "and was started again often enough (--max-restarts)";
  }
}
