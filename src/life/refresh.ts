import { Interrupted, MxtokenError } from "../errors.ts";
import {
  isWorthStoring,
  type Proof,
  requireAccepted,
  unprovenNote,
  verifiedNote,
} from "../proof/proof.ts";
import type { Secret } from "../secret.ts";
import { withTokenFileLock } from "../store/token-file-lock.ts";
import type { Token, TokenRecord } from "../token.ts";
import {
  type Job,
  type Outcome,
  outcomeOf,
  prove,
  readAgain,
  recordOf,
  rehearse,
  requestRefresh,
  withTokenPlace,
} from "./job.ts";

/** What the step under the lock came to. */
type Step =
  | { is: "refreshed"; token: Token; former: TokenRecord }
  | { is: "nothingToRefresh" }
  | { is: "changed"; current: TokenRecord };

/** Longer than the 30 s that another process's proof may take. */
const otherProofPatience = 35_000;
const pollInterval = 200;

/** How often another process may be seen refreshing before this one gives up. */
const rounds = 5;

/**
 * Refreshes the stored token: steps 2 to 7 of the life of a token file. A new refresh token is on
 * the disk before the new access token is even tried.
 *
 * @param seen the record as it was read before the lock
 * @returns undefined when there is no refresh token
 * @throws MxtokenError; Interrupted after everything that must be saved is saved
 */
export async function refreshStored(job: Job, seen: TokenRecord): Promise<Outcome | undefined> {
  let before = seen;
  for (let round = 0; round < rounds; round += 1) {
    const step = await refreshUnderLock(job, before);
    if (step.is === "refreshed") return finish(job, step.token, step.former);
    job.world.interrupted.throwIfAborted();
    if (step.is === "nothingToRefresh") return undefined;
    const result = await resultOfOther(job, before, step.current);
    if (result !== undefined) return useResultOfOther(job, result);
    // The other process ended before its token was proven; its refresh token is ours to use.
    before = step.current;
  }
  throw new MxtokenError("unreachable", `other processes keep refreshing ${job.tokenFile}`, {
    hint: "nothing was lost; try again when they are done",
  });
}

async function refreshUnderLock(job: Job, seen: TokenRecord): Promise<Step> {
  return withTokenFileLock(job, async (isRestored) => {
    // What was read before the lock may hold a one-time token that is spent by now.
    const current = await readAgain(job);
    if (current?.refreshToken === undefined) return { is: "nothingToRefresh" };
    if (!isRestored && isOther(seen, current)) return { is: "changed", current };
    return refreshAndCommit(job, current, current.refreshToken);
  });
}

function isOther(one: TokenRecord, other: TokenRecord): boolean {
  return !sameLine(one, other, "accessToken") || !sameLine(one, other, "refreshToken");
}

function sameLine(
  one: TokenRecord,
  other: TokenRecord,
  line: "accessToken" | "refreshToken",
): boolean {
  const value = one[line];
  return value === undefined ? other[line] === undefined : value.equals(other[line]);
}

/**
 * The refresh itself and the commit of a new refresh token to line 2. Line 1 stays: whether the
 * new access token opens the mailbox is not known yet, and the old one may still do.
 */
async function refreshAndCommit(
  job: Job,
  former: TokenRecord,
  refreshToken: Secret,
): Promise<Step> {
  await rehearse(job);
  return withTokenPlace(job, former, async (place) => {
    const token = await requestRefresh(job, refreshToken, former.notes.scope);
    const isNew = !refreshToken.equals(token.refreshToken);
    if (isNew) {
      const committed =
        former.accessToken === undefined
          ? // There is no old line 1 to keep, and it must never be empty.
            recordOf(job, token, unprovenNote(job.world.now()), former.notes)
          : { ...former, refreshToken: token.refreshToken };
      await place.commit(committed);
    }
    job.tell({ is: "refreshed", newRefreshToken: isNew });
    return { is: "refreshed", token, former };
  });
}

/** Steps 6 and 7: prove the new access token, then let it replace line 1. */
async function finish(job: Job, token: Token, former: TokenRecord): Promise<Outcome> {
  const { tokenFile } = job;
  const proof = await proveUnlessInterrupted(job, token, former);
  const isStored = isWorthStoring(proof);
  if (isStored) {
    const isReplaced = await replaceLineOne(job, token, former, proof);
    if (!isReplaced) await waitForOther(job, token, former, proof);
  }
  requireAccepted(job.mailbox, proof, {
    refused: isStored
      ? `the new token is in ${tokenFile} for what it opens`
      : "the new refresh token is kept, and the first line of the file stays as it was",
    unreachable: `the new token is in ${tokenFile}, not proven yet`,
  });
  return outcomeOf(job, "refreshed", token.expiresAt, proof.findings);
}

/**
 * Whoever keeps a token fresh leaves the new one in the file when a signal comes in the middle, not
 * proven: it lives longer than the old one, and nobody has said anything against it.
 */
async function proveUnlessInterrupted(job: Job, token: Token, former: TokenRecord): Promise<Proof> {
  try {
    job.world.interrupted.throwIfAborted();
    return await prove(job, token);
  } catch (error) {
    const isLeft = error instanceof Interrupted && job.isStoredWithoutProof === true;
    if (isLeft) await replaceLineOne(job, token, former, undefined);
    throw error;
  }
}

/**
 * @param proof undefined when there was no time for one
 * @returns false when line 2 is no longer what this process left there
 */
async function replaceLineOne(
  job: Job,
  token: Token,
  former: TokenRecord,
  proof: Proof | undefined,
): Promise<boolean> {
  const work = async () => {
    const current = await readAgain(job);
    const left = { ...former, refreshToken: token.refreshToken };
    if (current === undefined || !sameLine(current, left, "refreshToken")) return false;
    return withTokenPlace(job, current, async (place) => {
      const now = job.world.now();
      const verified = proof === undefined ? unprovenNote(now) : verifiedNote(proof, now);
      const record = recordOf(job, token, verified, former.notes);
      await place.commit(record);
      return true;
    });
  };
  // What is to be saved now is saved even while the process is asked to end.
  const stop = proof === undefined ? new AbortController().signal : undefined;
  return withTokenFileLock(job, work, stop);
}

/**
 * Another process has refreshed after this one: its result is waited for. Where it leaves line 1 as
 * it was, as `mxtoken show --nocache` does, this one's proven token takes that place, beside the
 * other's refresh token.
 */
async function waitForOther(
  job: Job,
  token: Token,
  former: TokenRecord,
  proof: Proof,
): Promise<void> {
  if ((await renewedLineOne(job, former)) !== undefined) return;
  await withTokenFileLock(job, async () => {
    const current = await readAgain(job);
    if (current === undefined) {
      throw new MxtokenError("unreachable", `${job.tokenFile} was removed meanwhile`, {
        hint: "run the command again",
      });
    }
    if (!sameLine(current, former, "accessToken")) return;
    await withTokenPlace(job, current, async (place) => {
      const { refreshToken } = current;
      const verified = verifiedNote(proof, job.world.now());
      const own = recordOf(job, { ...token, refreshToken }, verified, former.notes);
      await place.commit(own);
    });
  });
}

async function resultOfOther(
  job: Job,
  before: TokenRecord,
  current: TokenRecord,
): Promise<TokenRecord | undefined> {
  return sameLine(before, current, "accessToken") ? renewedLineOne(job, current) : current;
}

/**
 * Waits until another process, which has committed its refresh token, has proven its access token
 * and put it into line 1.
 *
 * @returns undefined when that does not happen for longer than a proof can take
 */
async function renewedLineOne(job: Job, before: TokenRecord): Promise<TokenRecord | undefined> {
  const { world, tokenFile, tell } = job;
  tell({ is: "waitingForOther", tokenFile });
  const end = world.now() + otherProofPatience;
  for (;;) {
    const current = await readAgain(job);
    if (current === undefined) return undefined;
    if (!sameLine(before, current, "accessToken")) return current;
    if (world.now() >= end) return undefined;
    await world.sleep(pollInterval, world.interrupted);
  }
}

async function useResultOfOther(job: Job, record: TokenRecord): Promise<Outcome | undefined> {
  job.tell({ is: "otherRefreshed" });
  if (record.accessToken === undefined) return undefined;
  const { accessToken } = record;
  const proof = await prove(job, { accessToken });
  const consequence = "this is the token that another process has just stored";
  requireAccepted(job.mailbox, proof, { refused: consequence, unreachable: consequence });
  return outcomeOf(job, "another process", record.notes.expiresAt, proof.findings);
}
