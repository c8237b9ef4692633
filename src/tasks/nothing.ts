import { MxtokenError } from "../errors.ts";
import type { Entry } from "../store/entry.ts";

/** Nobody has signed in yet. */
export function nothingStored({ place }: Entry): MxtokenError {
  return new MxtokenError("signInNeeded", `there are no tokens in ${place}`);
}

/** What there is cannot be refreshed. */
export function noRefreshToken({ place }: Entry): MxtokenError {
  return new MxtokenError("signInNeeded", `there is no refresh token in ${place}`);
}
