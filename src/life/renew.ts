import { Interrupted, MxtokenError } from "../errors.ts";
import { afterProof, isWorthStoring, type Proof, requireAccepted } from "../proof/proof.ts";
import type { OpenEntry } from "../store/entry.ts";
import { identityOf } from "../store/token-file.ts";
import type { TokenRecord } from "../token.ts";
import { requestForApplication } from "./application.ts";
import { type Life, prove, recordOf, requestRefresh } from "./life.ts";
import { type Grant, renewedLineOne, sameLine, waitForOther } from "./other-renewal.ts";
import { refusalOf, rememberingRefusal } from "./refusal.ts";

/** The occasion for a new token. */
export type Renewal = RenewalWithoutProof | RenewalWithProof;

interface RenewalWithoutProof {
  readonly proof: "none";
  readonly by: "refresh" | "application";
  /** whether what is stored will do after all: another process may have renewed it */
  unless(record: TokenRecord): boolean;
  /** whether the new access token is stored, or shown and no more */
  readonly lineOne: "replaced" | "left";
  /** whether this process has replaced what is stored before, so that it need not be tried out */
  readonly isPlaceKnown?: boolean;
  /** whether the server is not asked again shortly after it has refused the same request */
  readonly isRefusalHeeded: boolean;
  /** told when the server has answered for the last time, and what is left is to be stored */
  onLastAnswer?(): void;
}

interface RenewalWithProof {
  readonly proof: "before it is shown";
  /** what is to be refreshed, as it was read before the lock */
  readonly seen: TokenRecord;
  readonly isPlaceKnown?: boolean;
  readonly isRefusalHeeded: boolean;
  /** whether the new token takes line 1 unproven where a signal leaves no time for its proof */
  readonly isStoredWithoutProof?: boolean;
}

type Renewed =
  /** with `byOther`, another process has done it; `proof` is undefined where none was wanted */
  | { readonly is: "renewed" | "byOther"; readonly record: TokenRecord; readonly proof?: Proof }
  /** there is no refresh token */
  | { readonly is: "nothingToRenew"; readonly record: TokenRecord | undefined };

/** What the step under the lock came to; with what is still to be proven. */
type Step = Renewed & { readonly grant?: Grant };

/** How often another process may be seen refreshing before this one gives up. */
const rounds = 5;

/**
 * Gets a new token: steps 2 to 7 of the life of a token file. A new refresh token is stored before
 * anything else can fail, and before the new access token is even tried.
 *
 * @throws MxtokenError `mailboxRefused`, `wrongAccount`, `unreachable` … with the findings of the proof;
 * Interrupted after everything that must be saved is saved
 */
export async function renew(life: Life, how: Renewal): Promise<Renewed> {
  if (how.proof === "before it is shown") return renewAndProve(life, how);
  return renewUnderLock(life, how, (former) => how.unless(former));
}

async function renewAndProve(life: Life, how: RenewalWithProof): Promise<Renewed> {
  let { seen } = how;
  for (let round = 0; round < rounds; round += 1) {
    const before = seen;
    const step = await renewUnderLock(life, how, (former, isRestored) => {
      if (former.refreshToken === undefined || isRestored) return false;
      return identityOf(former).tokens !== identityOf(before).tokens;
    });
    if (step.grant !== undefined) return finish(life, how, step.grant);
    life.world.interrupted.throwIfAborted();
    if (step.is === "nothingToRenew") return step;
    const result = sameLine(before, step.record, "accessToken")
      ? await renewedLineOne(life, step.record)
      : step.record;
    if (result !== undefined) return useResultOfOther(life, result);
    // The other process ended before its token was proven; its refresh token is ours to use.
    seen = step.record;
  }
  const message = `other processes keep refreshing ${life.entry.place}`;
  const hint = "nothing was lost; try again when they are done";
  throw new MxtokenError("unreachable", message, { hint });
}

/**
 * Steps 2 to 5: lock, read again, reserve, ask, commit. What was read before the lock may hold a one-time
 * token that is spent by now.
 *
 * @param willDo whether nobody has to be asked after all
 */
function renewUnderLock(
  life: Life,
  how: Renewal,
  willDo: (former: TokenRecord, isRestored: boolean) => boolean,
): Promise<Step> {
  const { account, entry, tell } = life;
  return entry.edit(account.owner, async (open): Promise<Step> => {
    const former = open.record;
    if (former !== undefined && willDo(former, open.isRestored)) {
      return { is: "byOther", record: former };
    }
    if (how.proof === "none" && how.by === "application") return issueUnderLock(life, open);
    if (former?.refreshToken === undefined) return { is: "nothingToRenew", record: former };
    const { refreshToken } = former;
    const refusal = how.isRefusalHeeded ? refusalOf(life, former) : undefined;
    if (refusal !== undefined) throw refusal;
    await open.reserve({ isKnown: how.isPlaceKnown === true });
    const token = await rememberingRefusal(life, open, () =>
      requestRefresh(life, refreshToken, former.notes.scope),
    );
    if (how.proof === "none") how.onLastAnswer?.();
    const isNew = !refreshToken.equals(token.refreshToken);
    const record = recordOf(life, token, undefined, former.notes);
    // Whether the new access token opens the mailbox is not known yet, and the old one may still do;
    // but line 1 must never be empty.
    const isLineOneLeft =
      former.accessToken !== undefined && (how.proof !== "none" || how.lineOne === "left");
    const next = isLineOneLeft ? { ...former, refreshToken: token.refreshToken } : record;
    const isOther = isNew || (how.proof === "none" && !isLineOneLeft);
    if (isOther || former.refusal !== undefined) await open.commit(next);
    tell({ is: "refreshed", newRefreshToken: isNew });
    return { is: "renewed", record, grant: { token, former } };
  });
}

/** An application's own token is asked for anew; nothing is spent by it. */
async function issueUnderLock(life: Life, open: OpenEntry): Promise<Step> {
  await open.reserve({ isKnown: true });
  const token = await requestForApplication(life);
  const record = recordOf(life, token, undefined, open.record?.notes);
  await open.commit(record);
  return { is: "renewed", record };
}

/** Steps 6 and 7: prove the new access token, then let it replace line 1. */
async function finish(life: Life, how: RenewalWithProof, grant: Grant): Promise<Renewed> {
  const { account, entry } = life;
  const proof = await proveUnlessInterrupted(life, how, grant);
  return afterProof(proof, async () => {
    const isStored = isWorthStoring(proof);
    if (isStored) {
      const isReplaced = await replaceLineOne(life, grant, proof);
      if (!isReplaced) await waitForOther(life, grant, proof);
    }
    requireAccepted(account.mailbox, proof, {
      refused: isStored
        ? `the new token is in ${entry.place} for what it opens`
        : "the new refresh token is kept, and the first line of the file stays as it was",
      unreachable: `the new token is in ${entry.place}, not proven yet`,
    });
    const { token, former } = grant;
    return { is: "renewed", record: recordOf(life, token, proof, former.notes), proof };
  });
}

/**
 * Whoever keeps a token fresh leaves the new one in line 1 when a signal comes in the middle, not
 * proven: it lives longer than the old one, and nobody has said anything against it.
 */
async function proveUnlessInterrupted(
  life: Life,
  { isStoredWithoutProof }: RenewalWithProof,
  grant: Grant,
): Promise<Proof> {
  try {
    life.world.interrupted.throwIfAborted();
    return await prove(life, grant.token);
  } catch (error) {
    const isLeft = error instanceof Interrupted && isStoredWithoutProof === true;
    if (isLeft) await replaceLineOne(life, grant, undefined);
    throw error;
  }
}

/**
 * @param proof undefined when there was no time for one
 * @returns false when line 2 is no longer what this process left there
 */
function replaceLineOne(
  life: Life,
  { token, former }: Grant,
  proof: Proof | undefined,
): Promise<boolean> {
  const left = { ...former, refreshToken: token.refreshToken };
  const work = async (open: OpenEntry) => {
    if (open.record === undefined || !sameLine(open.record, left, "refreshToken")) return false;
    await open.commit(recordOf(life, token, proof, former.notes));
    return true;
  };
  // What is to be saved now is saved even while the process is asked to end.
  const stop = proof === undefined ? new AbortController().signal : undefined;
  return life.entry.edit(life.account.owner, work, stop);
}

async function useResultOfOther(life: Life, record: TokenRecord): Promise<Renewed> {
  life.tell({ is: "otherRefreshed" });
  const { accessToken } = record;
  if (accessToken === undefined) return { is: "nothingToRenew", record };
  const proof = await prove(life, { accessToken });
  const consequence = "this is the token that another process has just stored";
  requireAccepted(life.account.mailbox, proof, { refused: consequence, unreachable: consequence });
  return { is: "byOther", record, proof };
}
