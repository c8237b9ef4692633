import { unprovenNote } from "../proof/proof.ts";
import type { Secret } from "../secret.ts";
import type { Token, TokenNotes, TokenRecord } from "../token.ts";
import { type Job, recordOf, rehearse, requestRefresh, withTokenPlace } from "./job.ts";

/** The token file's next content, where no login proves it now. */
export function unprovenRecord(
  job: Job,
  token: Token,
  former: TokenNotes | undefined,
): TokenRecord {
  return recordOf(job, token, unprovenNote(job.world.now()), former);
}

/**
 * Refreshes the stored token without a login, and stores both lines at once. Only under the lock.
 *
 * @param keepsLineOne whether line 1 stays as it is, and only a new refresh token is stored
 * @returns the file's content as it is with the new token in line 1, whether it stays there or not
 * @throws MxtokenError; Interrupted
 */
export async function refreshUnproven(
  job: Job,
  current: TokenRecord,
  refreshToken: Secret,
  keepsLineOne: boolean,
): Promise<TokenRecord> {
  await rehearse(job);
  return withTokenPlace(job, current, async (place) => {
    const token = await requestRefresh(job, refreshToken, current.notes.scope);
    job.onLastAnswer?.();
    const isNew = !refreshToken.equals(token.refreshToken);
    const renewed = unprovenRecord(job, token, current.notes);
    const next = keepsLineOne ? { ...current, refreshToken: token.refreshToken } : renewed;
    if (isNew || !keepsLineOne) await place.commit(next);
    job.tell({ is: "refreshed", newRefreshToken: isNew });
    return renewed;
  });
}
