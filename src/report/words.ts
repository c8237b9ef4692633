import { Interrupted, MxtokenError } from "../errors.ts";
import type { Counts } from "../keep/status-file.ts";
import type { Finding } from "../mail-server.ts";
import { showEndpoint } from "../settings/servers.ts";
import { isoSeconds } from "../token.ts";

/** A login as data, without what an explanation was made of. */
function findingDocument(finding: Finding): object {
  return { ...finding, causeId: undefined, facts: undefined };
}

/** A login in one sentence without a full stop. */
export function showFinding(finding: Finding): string {
  if (finding.result !== "accepted") return finding.reason;
  const { probe, user, mechanism, alerts = [] } = finding;
  const alert = alerts.length === 0 ? "" : `; the server's alert: ${alerts.join("; ")}`;
  const login = `proven by ${probe.toUpperCase()} login to ${showEndpoint(finding)} as ${user} with ${mechanism}`;
  switch (finding.probe) {
    case "imap":
      return `${login}: ${count(finding.folders, "folder")}, ${count(finding.messages, "message")} in INBOX${alert}`;
    case "pop":
      return `${login}: ${count(finding.messages, "message")}`;
    case "smtp":
      return `${login}; nothing was sent`;
  }
}

export function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
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

/** When an access token ends, in one sentence; times are ms since 1970. */
export function expiry(expiresAt: number | undefined, now: number): string {
  if (expiresAt === undefined) return "the server did not say when the access token expires";
  const minutes = Math.round((expiresAt - now) / 60_000);
  return `the access token expires at ${isoSeconds(expiresAt)}, in ${count(minutes, "minute")}`;
}

/** All accounts of `mxtoken keep` in a line. */
export function summary({ fresh, ...others }: Counts): string {
  const rest = Object.entries(others).flatMap(([state, number]) =>
    number === 0 ? [] : [`${number} ${state}`],
  );
  return [`${fresh} fresh`, ...rest].join(", ");
}

/** A time as data has it, where there is one. */
export function timeOf(ms: number | undefined): string | undefined {
  return ms === undefined ? undefined : isoSeconds(ms);
}

/** What is told of an error, and the status that the process ends with. */
export interface Failure
  extends Partial<
    Pick<MxtokenError, "hint" | "commands" | "reason" | "oauthError" | "retryAfter">
  > {
  readonly code: string;
  readonly message: string;
  /** what logins had shown before it, as data */
  readonly findings?: readonly object[] | undefined;
  readonly exitStatus: number;
  readonly stack: readonly string[];
}

/** @param interrupted says whether the process was asked to end, which then is what went wrong */
export function failureOf(error: unknown, interrupted: AbortSignal): Failure {
  const stack: readonly string[] = [];
  const isTold = error instanceof Interrupted || error instanceof MxtokenError;
  const findings = isTold ? error.findings?.map(findingDocument) : undefined;
  const cause: unknown = interrupted.aborted ? interrupted.reason : error;
  if (cause instanceof Interrupted) {
    const { message: code, exitStatus } = cause;
    if (!(error instanceof MxtokenError)) {
      return { code, message: code, findings, exitStatus, stack };
    }
    // What went wrong on the way out is told as well: it may be a token that could not be saved.
    const { hint, commands } = error;
    const message = `${code}; ${error.message}`;
    return { code, message, hint, commands, findings, exitStatus, stack };
  }
  if (error instanceof MxtokenError) {
    const { code, message, hint, commands, reason, oauthError, retryAfter } = error;
    const said = { code, message, hint, commands, reason, oauthError, retryAfter };
    return { ...said, findings, exitStatus: error.exitStatus, stack };
  }
  // The message of an unexpected error may quote anything, also a secret; where it happened cannot.
  const name = error instanceof Error ? error.name : typeof error;
  const lines = error instanceof Error ? (error.stack ?? "").split("\n") : [];
  return {
    code: "defect",
    message: `this is a defect of mxtoken (${name})`,
    hint: "please report it, with what --verbose prints",
    exitStatus: new MxtokenError("defect", "").exitStatus,
    stack: lines.filter((line) => /^\s+at /.test(line)),
  };
}

/** The error as data, for `--json`. */
export function errorDocument(failure: Failure): object {
  const { code, reason, oauthError, exitStatus, message, hint, retryAfter } = failure;
  const commands = failure.commands?.length === 0 ? undefined : failure.commands;
  return { code, reason, oauthError, exitStatus, message, hint, commands, retryAfter };
}
