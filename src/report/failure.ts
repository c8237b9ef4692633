import { Interrupted, MxtokenError } from "../errors.ts";

/** What is told of an error, and the status that the process ends with. */
export interface Failure {
  readonly code: string;
  readonly reason: string | undefined;
  readonly message: string;
  readonly hint: string | undefined;
  readonly commands: readonly string[];
  readonly oauthError: string | undefined;
  readonly retryAfter: number | undefined;
  readonly exitStatus: number;
  readonly stack: readonly string[];
}

/** @param interrupted says whether the process was asked to end, which then is what went wrong */
export function failureOf(error: unknown, interrupted: AbortSignal): Failure {
  const nothing = {
    reason: undefined,
    hint: undefined,
    commands: [],
    oauthError: undefined,
    retryAfter: undefined,
    stack: [],
  };
  const cause: unknown = interrupted.aborted ? interrupted.reason : error;
  if (cause instanceof Interrupted) {
    // What went wrong on the way out is told as well: it may be a token that could not be saved.
    const trouble = error instanceof MxtokenError ? error : undefined;
    return {
      ...nothing,
      code: cause.message,
      message: trouble === undefined ? cause.message : `${cause.message}; ${trouble.message}`,
      hint: trouble?.hint,
      commands: trouble?.commands ?? [],
      exitStatus: cause.exitStatus,
    };
  }
  if (error instanceof MxtokenError) {
    const { code, reason, message, hint, commands, oauthError, retryAfter, exitStatus } = error;
    return { code, reason, message, hint, commands, oauthError, retryAfter, exitStatus, stack: [] };
  }
  // The message of an unexpected error may quote anything, also a secret; where it happened cannot.
  const name = error instanceof Error ? error.name : typeof error;
  const stack = error instanceof Error ? (error.stack ?? "").split("\n") : [];
  return {
    ...nothing,
    code: "defect",
    message: `this is a defect of mxtoken (${name})`,
    hint: "please report it, with what --verbose prints",
    exitStatus: new MxtokenError("defect", "").exitStatus,
    stack: stack.filter((line) => /^\s+at /.test(line)),
  };
}
