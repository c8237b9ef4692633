import { withTokenFileLock } from "../store/token-file-lock.ts";
import type { TokenRecord } from "../token.ts";
import { requestForApplication } from "./app-only.ts";
import { type Job, readAgain, withTokenPlace } from "./job.ts";
import { unprovenRecord } from "./refresh-unproven.ts";

/**
 * Gets another token for an application and stores it, without a login.
 *
 * @param isEnough whether what is stored will do, perhaps from another process
 * @returns the file's content
 * @throws MxtokenError; Interrupted
 */
export async function issueUnproven(
  job: Job,
  isEnough: (stored: TokenRecord) => boolean,
): Promise<TokenRecord> {
  return withTokenFileLock(job, async () => {
    const current = await readAgain(job);
    if (current !== undefined && isEnough(current)) return current;
    return withTokenPlace(job, current, async (place) => {
      const token = await requestForApplication(job);
      const next = unprovenRecord(job, token, current?.notes);
      await place.commit(next);
      return next;
    });
  });
}
