import { MxtokenError, systemCode, systemReason } from "../errors.ts";

/** A failed write as the error that the person sees, with the place and the reason. */
export function unwritable(path: string, error: unknown): MxtokenError {
  if (error instanceof MxtokenError) return error;
  return new MxtokenError("unwritable", `cannot write ${path}: ${systemReason(error)}`, {
    cause: error,
    facts: { path, code: systemCode(error) },
  });
}
