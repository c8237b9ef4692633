import { MxtokenError } from "../errors.ts";
import type { TokenRecord } from "../token.ts";
import { requestForApplication } from "./app-only.ts";
import { isFresh, type ShownToken } from "./fresh-token.ts";
import { issueUnproven } from "./issue-unproven.ts";
import type { Job } from "./job.ts";
import { unprovenRecord } from "./refresh-unproven.ts";
import { type ShowRequest, shown } from "./show-request.ts";

/**
 * An application's own token is asked for anew; nothing is lost when it cannot be stored.
 *
 * @throws MxtokenError; Interrupted
 */
export async function showForApplication(job: Job, request: ShowRequest): Promise<ShownToken> {
  if (request.nocache) return issueUnstored(job, request);
  const isEnough = (stored: TokenRecord) => isFresh(job.world, stored, request.minLife);
  try {
    return shown(request, await issueUnproven(job, isEnough));
  } catch (error) {
    if (!(error instanceof MxtokenError) || error.code !== "unwritable") throw error;
    job.tell({ is: "notStored", reason: error.message });
    return issueUnstored(job, request);
  }
}

async function issueUnstored(job: Job, request: ShowRequest): Promise<ShownToken> {
  return shown(request, unprovenRecord(job, await requestForApplication(job), undefined));
}
