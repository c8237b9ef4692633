import { MxtokenError } from "../errors.ts";

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
