import { MxtokenError } from "../errors.ts";
import { formatTokenFile } from "../store/token-file.ts";
import { requestForApplication } from "./app-only.ts";
import { isFresh, type ShownToken } from "./fresh-token.ts";
import { type Job, readAgain, withReservation, withTokenFileLock } from "./job.ts";
import { renewed, type ShowRequest, shown } from "./show-request.ts";

/**
 * An application's own token is asked for anew; nothing is lost when it cannot be stored.
 *
 * @throws MxtokenError; Interrupted
 */
export async function showForApplication(job: Job, request: ShowRequest): Promise<ShownToken> {
  if (request.nocache) return issueUnstored(job, request);
  try {
    return await withTokenFileLock(job, () => issueUnderLock(job, request));
  } catch (error) {
    if (!(error instanceof MxtokenError) || error.code !== "unwritable") throw error;
    job.tell({ is: "notStored", reason: error.message });
    return issueUnstored(job, request);
  }
}

async function issueUnstored(job: Job, request: ShowRequest): Promise<ShownToken> {
  return shown(request, renewed(job, await requestForApplication(job), undefined));
}

async function issueUnderLock(job: Job, request: ShowRequest): Promise<ShownToken> {
  const current = await readAgain(job);
  if (current !== undefined && isFresh(job.world, current, request.minLife)) {
    return shown(request, current);
  }
  return withReservation(job, async (reservation) => {
    const token = await requestForApplication(job);
    const next = renewed(job, token, current?.notes);
    await reservation.commit(formatTokenFile(next));
    return shown(request, next);
  });
}
