import { MxtokenError } from "../errors.ts";
import type { TokenRecord } from "../token.ts";
import { type Freshness, type ShownToken, shownToken } from "./fresh-token.ts";

/** What a program wants to be shown. */
export interface ShowRequest extends Freshness {
  /** a new token in any case, and line 1 of the file left as it is */
  readonly nocache: boolean;
  /** the token is on standard input: it is only put into another form */
  readonly accessTokenFromInput: boolean;
  /** the refresh token is on standard input instead of in the file */
  readonly refreshTokenFromInput: boolean;
  /** the command by which a person gets the token that is missing */
  readonly signInCommand: string;
}

/** What of it the program is shown. */
export function shown({ settings }: ShowRequest, record: TokenRecord): ShownToken {
  const token = shownToken(settings, record);
  if (token === undefined) throw new MxtokenError("defect", "there is no access token to show");
  return token;
}

/** Nobody has signed in yet. */
export function nothingStored(tokenFile: string): MxtokenError {
  return new MxtokenError("signInNeeded", `there are no tokens in ${tokenFile}`);
}

/** What there is cannot be refreshed. */
export function noRefreshToken(tokenFile: string): MxtokenError {
  return new MxtokenError("signInNeeded", `there is no refresh token in ${tokenFile}`);
}
