import { rename, unlink } from "node:fs/promises";
import {
  isWorthStoring,
  opensMailbox,
  type Proof,
  requireAccepted,
  resultOf,
  unprovenNote,
} from "../proof/proof.ts";
import type { Secret } from "../secret.ts";
import { keptPath } from "../store/kept-tokens.ts";
import { withTokenFileLock } from "../store/token-file-lock.ts";
import type { Token } from "../token.ts";
import {
  type Job,
  type Outcome,
  outcomeOf,
  prove,
  recordOf,
  requestRefresh,
  withTokenPlace,
} from "./job.ts";
import { checkAccount, readReplaceable, store } from "./new-token.ts";
import { refreshStored } from "./refresh.ts";

/**
 * Takes over a refresh token that the person already has, instead of a sign-in. A token that the
 * server has replaced is on the disk before anything can fail: in the token file where there is
 * none yet, else beside it, because the stored account must not be lost for one that is not proven.
 *
 * @throws MxtokenError
 */
export async function adoptRefreshToken(job: Job, refreshToken: Secret): Promise<Outcome> {
  const { record, startover, tell, world } = job;
  if (!startover && record !== undefined && refreshToken.equals(record.refreshToken)) {
    const outcome = await refreshStored(job, record);
    if (outcome !== undefined) return outcome;
  }
  const { token, keptIn } = await withTokenFileLock(job, async () => {
    const isFree = (await readReplaceable(job)) === undefined;
    const path = isFree ? job.tokenFile : keptPath(world, job.tokenFile);
    return withTokenPlace(
      job,
      undefined,
      async (place) => {
        const granted = await requestRefresh(job, refreshToken, undefined);
        const isNew = !refreshToken.equals(granted.refreshToken);
        if (isNew) {
          const now = world.now();
          await place.commit(recordOf(job, granted, unprovenNote(now), undefined));
          tell({ is: "keptUntilProven", path });
        }
        tell({ is: "refreshed", newRefreshToken: isNew });
        return { token: granted, keptIn: isNew ? path : undefined };
      },
      path,
    );
  });
  world.interrupted.throwIfAborted();
  const proof = await prove(job, token, true);
  const isOthers = proof.otherAccount !== undefined && !opensMailbox(proof);
  const keptAt = isOthers && keptIn === job.tokenFile ? await moveAside(job, token) : keptIn;
  const kept = whereKept(keptAt);
  checkAccount(job, proof, kept);
  const isStored = isWorthStoring(proof) && (await storeAdopted(job, token, proof, keptIn));
  if (isStored && keptIn !== job.tokenFile && keptIn !== undefined) await unlink(keptIn);
  requireAccepted(job.mailbox, proof, {
    refused: isStored ? `the token is in ${job.tokenFile} for what it opens` : kept,
    unreachable: isStored ? `the token is in ${job.tokenFile}, not proven yet` : kept,
  });
  return outcomeOf(job, "refreshed", token.expiresAt, proof.findings);
}

/** What became of a refresh token that was brought, for an error. */
export function whereKept(path: string | undefined): string {
  return path === undefined
    ? "the refresh token that you gave is still good"
    : `the refresh token that you gave is spent, and its successor is in ${path}`;
}

/** An account that is stored here already is only replaced by one that is known to be good. */
async function storeAdopted(
  job: Job,
  token: Token,
  proof: Proof,
  keptIn: string | undefined,
): Promise<boolean> {
  const isUnproven = resultOf(proof) === "unreachable";
  // It is there already, where --startover would keep an unproven one beside it.
  if (isUnproven && keptIn === job.tokenFile && job.startover) return true;
  const isOthersPlace = isUnproven && keptIn !== job.tokenFile;
  if (isOthersPlace && (await readReplaceable(job)) !== undefined) return false;
  return (await store(job, token, proof)) === job.tokenFile;
}

/**
 * Somebody else's token is not left where this mailbox's is looked for. What another process has put
 * there meanwhile stays.
 */
async function moveAside(job: Job, token: Token): Promise<string> {
  const path = keptPath(job.world, job.tokenFile);
  const move = async () => {
    const current = await readReplaceable(job);
    if (token.refreshToken?.equals(current?.refreshToken)) {
      await rename(job.tokenFile, path);
      return;
    }
    const { world } = job;
    const record = recordOf(job, token, unprovenNote(world.now()), undefined);
    await withTokenPlace(job, undefined, (place) => place.commit(record), path);
  };
  await withTokenFileLock(job, move, new AbortController().signal);
  return path;
}
