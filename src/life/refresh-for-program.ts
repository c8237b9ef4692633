import { rename } from "node:fs/promises";
import { findOtherAccount, wrongAccount } from "../proof/proof.ts";
import type { Secret } from "../secret.ts";
import { keptPath } from "../store/kept-tokens.ts";
import { withTokenFileLock } from "../store/token-file-lock.ts";
import type { TokenNotes, TokenRecord } from "../token.ts";
import { whereKept } from "./adopt.ts";
import { isFresh, type ShownToken } from "./fresh-token.ts";
import { type Job, readAgain, requestRefresh, withTokenPlace } from "./job.ts";
import { refreshUnproven, unprovenRecord } from "./refresh-unproven.ts";
import { noRefreshToken, nothingStored, type ShowRequest, shown } from "./show-request.ts";

/**
 * Refreshes the stored token under the lock, and stores the new one before anybody sees it.
 *
 * @throws MxtokenError `signInNeeded` …; Interrupted
 */
export async function refreshAndShow(job: Job, request: ShowRequest): Promise<ShownToken> {
  return withTokenFileLock(job, async () => {
    const { world, tokenFile } = job;
    const current = await readAgain(job);
    if (current === undefined) throw nothingStored(tokenFile);
    // Another process may have refreshed it while the lock was waited for.
    if (!request.nocache && isFresh(world, current, request.minLife))
      return shown(request, current);
    const { refreshToken } = current;
    if (refreshToken === undefined) {
      // Nobody knows when it ends, and there is no other.
      const isAllThereIs =
        current.accessToken !== undefined && current.notes.expiresAt === undefined;
      if (isAllThereIs && !request.nocache) return shown(request, current);
      throw noRefreshToken(tokenFile);
    }
    return refreshUnderLock(job, request, current, refreshToken);
  });
}

async function refreshUnderLock(
  job: Job,
  request: ShowRequest,
  current: TokenRecord,
  refreshToken: Secret,
): Promise<ShownToken> {
  const keepsLineOne = request.nocache && current.accessToken !== undefined;
  const renewed = await refreshUnproven(job, current, refreshToken, keepsLineOne);
  tellShortLife(job, renewed.notes, request);
  return shown(request, renewed);
}

/** Then every call gets a new one, which no server likes. */
function tellShortLife(
  { world, tell }: Job,
  { expiresAt }: TokenNotes,
  { minLife }: ShowRequest,
): void {
  if (expiresAt === undefined || expiresAt - world.now() >= minLife) return;
  tell({ is: "shortLived", expiresAt });
}

/**
 * Uses a refresh token that the person brings. An account that is stored already is not replaced by
 * one that nobody has proven: then only a new refresh token is kept, beside it.
 *
 * @throws MxtokenError `wrongAccount` for a token that is evidently somebody else's
 */
export async function showByRefreshToken(
  job: Job,
  request: ShowRequest,
  refreshToken: Secret,
): Promise<ShownToken> {
  return withTokenFileLock(job, async () => {
    const current = await readAgain(job);
    if (current !== undefined && refreshToken.equals(current.refreshToken)) {
      return refreshUnderLock(job, request, current, refreshToken);
    }
    const isFree = current === undefined;
    const path = isFree ? job.tokenFile : keptPath(job.world, job.tokenFile);
    return withTokenPlace(
      job,
      undefined,
      async (place) => {
        const token = await requestRefresh(job, refreshToken, undefined);
        const isNew = !refreshToken.equals(token.refreshToken);
        const next = unprovenRecord(job, token, undefined);
        const account = await findOtherAccount(job, token, false);
        if (account !== undefined) {
          if (isNew) await place.commit(next);
          // Somebody else's token is not left where this mailbox's is looked for.
          const keptIn = isNew && isFree ? keptPath(job.world, path) : path;
          if (keptIn !== path) await rename(path, keptIn);
          throw wrongAccount(job.mailbox, account, whereKept(isNew ? keptIn : undefined));
        }
        if (isNew || (isFree && !request.nocache)) {
          await place.commit(next);
          job.tell({ is: "keptUntilProven", path });
        }
        return shown(request, next);
      },
      path,
    );
  });
}
