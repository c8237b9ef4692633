import { MxtokenError } from "../errors.ts";
import { type TokenLife, usualLife } from "../token.ts";

// When the next step is due. All of it is pure: the clock and chance are arguments.

/** What the person wants of the schedule. */
export interface Policy {
  /** at which share of a token's life it is refreshed; over 0, under 1 */
  readonly share: number;
  /** ms after which a token is refreshed at the latest, however long it lives; undefined: no bound */
  readonly every: number | undefined;
  /** ms between two proofs by a login */
  readonly proveEvery: number;
}

/** What a decision goes by, beside what it is about. */
export interface Moment {
  /** ms since 1970 */
  readonly now: number;
  readonly policy: Policy;
  /** from 0 up to, and without, 1 */
  random(): number;
}

const minute = 60_000;

/** A token is refreshed this long before its end at the latest. */
const margin = 5 * minute;

/** The share of a wait that chance takes off, so that a thousand accounts do not come at once. */
const jitter = 0.1;

/** A clock may be off by as much without having been set back. */
const clockTolerance = minute;

/** A nap never lasts longer: the clock may have been set meanwhile, or the machine slept. */
export const longestNap = minute;

const firstDelay = 10_000;
const longestDelay = 5 * minute;

/** Some providers count what they refuse, and a person's sign-in is noticed in the file anyway. */
const firstRefusedDelay = 15 * minute;
const longestRefusedDelay = 6 * 60 * minute;

/** A server that asks for more has made a mistake. */
const longestAsked = 24 * 60 * minute;

/**
 * When a token is refreshed, ms since 1970: at a share of its life, at the latest 5 minutes before it
 * ends, and at the latest after `every`. One that lives for under 10 minutes is refreshed at half of
 * its life at the latest.
 *
 * @param random from 0 up to 1
 */
export function refreshAt(
  { issuedAt, expiresAt = issuedAt + usualLife }: TokenLife,
  { share, every = Number.POSITIVE_INFINITY }: Policy,
  random: number,
): number {
  const life = Math.max(0, expiresAt - issuedAt);
  const wait = Math.min(life * share, life - Math.min(margin, life / 2), every);
  return issuedAt + wait * (1 - jitter * random);
}

/** Whether a time that was noted down is later than now: then the clock was set back since. */
export function isFromTheFuture(notedAt: number, now: number): boolean {
  return notedAt > now + clockTolerance;
}

/** When a token that was proven is proven again, ms since 1970. */
export function proveAgainAt(provenAt: number, { proveEvery }: Policy, random: number): number {
  return provenAt + proveEvery * (1 - jitter * random);
}

/**
 * When a server that was not reachable is tried again, ms since 1970: after 10 s, 20 s, 40 s … and at
 * most 5 minutes, of which chance takes off up to a half; never before the server wants it.
 *
 * @param failures how often in a row it was not reachable; at least 1
 * @param retryAfter seconds that the server asks to wait
 */
export function retryAt(
  now: number,
  failures: number,
  retryAfter: number | undefined,
  random: number,
): number {
  const delay = Math.min(longestDelay, firstDelay * 2 ** Math.min(failures - 1, 20));
  const asked = Math.min((retryAfter ?? 0) * 1000, longestAsked);
  return now + Math.max(delay * (1 - random / 2), asked * (1 + jitter * random));
}

/**
 * When a server that has refused is asked again, ms since 1970: after 15 minutes, 30 minutes, an hour …
 * and at most 6 hours, of which chance takes off up to a tenth; never before the server wants it. What
 * is refused while a network, a policy or a server is not as it should be is taken again later.
 *
 * @param refusals how often in a row it has refused; at least 1
 * @param retryAfter seconds that the server asks to wait
 */
export function askAgainAt(
  now: number,
  refusals: number,
  retryAfter: number | undefined,
  random: number,
): number {
  const doubled = firstRefusedDelay * 2 ** Math.min(refusals - 1, 20);
  const delay = Math.min(longestRefusedDelay, doubled);
  const asked = Math.min((retryAfter ?? 0) * 1000, longestAsked);
  return now + Math.max(delay * (1 - jitter * random), asked * (1 + jitter * random));
}

/**
 * How long to sleep, in ms.
 *
 * @param next when the next step is due, ms since 1970
 * @param longest ms
 */
export function napUntil(next: number, now: number, longest = longestNap): number {
  return Math.min(Math.max(next - now, 0), longest);
}

/** How a command that had the tokens ended. Times are ms since 1970. */
export interface Ended {
  readonly status: number;
  readonly startedAt: number;
  readonly endedAt: number;
  /** whether one of the tokens that it began with has been replaced since */
  readonly isTokenReplaced: boolean;
  /** whether one of the tokens that it began with has come to its end since */
  readonly isTokenOver: boolean;
  /** somebody has asked it to end */
  readonly isAskedToEnd: boolean;
  /** how often it was started again before */
  readonly restarts: number;
}

/** What the person wants of a command whose token has died. */
export interface RestartPolicy {
  readonly isWanted: boolean;
  /** exit statuses that a dead token may be the reason of */
  readonly statuses: readonly number[];
  readonly most: number;
}

/**
 * imapsync up to 2.229 reads the token file once: 115 when its connection dropped after the token had
 * died; 161 and 162 when the first or the second side was refused at the start.
 */
export const imapsyncStatuses: readonly number[] = [115, 161, 162];

/** A command that ends sooner has not come to copying. */
const shortestProgress = 60_000;

/** Why a command is started again, or not. */
export type Decision =
  /** its end has nothing to do with a token */
  | "over"
  | "restart"
  | "notWanted"
  /** it has ended at once: another start would not do better */
  | "noProgress"
  /** it has ended with the token that is still the file's, and good */
  | "sameToken"
  | "tooOften";

/** What happens to the command. */
export type RunEvent =
  | { is: "started"; file: string; restarts: number }
  /** it ended as if its token had died, and what follows */
  | {
      is: "ended";
      file: string;
      status: number;
      decision: Exclude<Decision, "over">;
      /** whether there is another token by now */
      isTokenReplaced: boolean;
    }
  /** it ended right after a token could not be refreshed, or while none was good */
  | { is: "endedWithoutToken"; file: string; status: number; label: string; reason: string }
  | { is: "notStartedAgain"; file: string; reason: string }
  | { is: "waitingForToken" }
  | { is: "noFreshToken"; label: string; commands: readonly string[] };

/** What follows from the end of a command. */
export function afterEnd(ended: Ended, policy: RestartPolicy): Decision {
  const { status, startedAt, endedAt, isTokenReplaced, isTokenOver, isAskedToEnd, restarts } =
    ended;
  if (!policy.statuses.includes(status) || isAskedToEnd) return "over";
  if (!isTokenReplaced && !isTokenOver) return "sameToken";
  if (endedAt - startedAt < shortestProgress) return "noProgress";
  if (!policy.isWanted) return "notWanted";
  return restarts < policy.most ? "restart" : "tooOften";
}

/** A command that was never started. */
export function cannotStart(file: string, reason: string, cause?: unknown): MxtokenError {
  return new MxtokenError("usage", `cannot start ${file}: ${reason}`, { cause });
}
