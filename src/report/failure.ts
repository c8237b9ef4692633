import { Interrupted, MxtokenError } from "../errors.ts";
import { findingDocument } from "./words.ts";

/** What is told of an error, and the status that the process ends with. */
export interface Failure {
  readonly code: string;
  readonly message: string;
  readonly hint?: string | undefined;
  readonly commands?: readonly string[];
  readonly reason?: string | undefined;
  readonly oauthError?: string | undefined;
  /** seconds */
  readonly retryAfter?: number | undefined;
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
