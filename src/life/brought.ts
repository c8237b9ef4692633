import {
  afterProof,
  findOtherAccount,
  isWorthStoring,
  opensMailbox,
  type Proof,
  requireAccepted,
  resultOf,
  wrongAccount,
} from "../proof/proof.ts";
import type { Secret } from "../secret.ts";
import type { OpenEntry } from "../store/entry.ts";
import type { Token, TokenRecord } from "../token.ts";
import { type Accepted, checkAccount, store } from "./accept.ts";
import { type Life, prove, recordOf, requestRefresh } from "./life.ts";

// A refresh token that the person already has, from elsewhere. The account that is stored must not be lost
// for one that nobody has proven.

/** What a token that was brought was refreshed to. */
interface Refreshed {
  readonly token: Token;
  /** where its successor is, which the server gave in its place; undefined: it is still good itself */
  readonly keptIn: string | undefined;
}

/**
 * Takes over a refresh token instead of a sign-in. A token that the server has replaced is stored before
 * anything can fail: where nothing is yet, else beside it.
 *
 * @throws MxtokenError; Interrupted
 */
export async function acceptBrought(life: Life, brought: Secret): Promise<Accepted> {
  const { world, account, entry, tell } = life;
  const { token, keptIn } = await entry.edit(account.owner, async (open): Promise<Refreshed> => {
    await open.reserve({ isBeside: open.record !== undefined, isKnown: true });
    const granted = await requestRefresh(life, brought, undefined);
    const isNew = !brought.equals(granted.refreshToken);
    const path = isNew ? await keep(life, open, granted) : undefined;
    if (path !== undefined) tell({ is: "keptUntilProven", path });
    tell({ is: "refreshed", newRefreshToken: isNew });
    return { token: granted, keptIn: path };
  });
  world.interrupted.throwIfAborted();
  const proof = await prove(life, token, true);
  return afterProof(proof, async () => {
    const isOthers = proof.otherAccount !== undefined && !opensMailbox(proof);
    const isInPlace = keptIn === entry.place;
    const kept = whereKept(isOthers && isInPlace ? await moveAside(life, token) : keptIn);
    checkAccount(life, proof, kept);
    const isStored = isWorthStoring(proof) && (await storeBrought(life, { token, keptIn }, proof));
    if (isStored && keptIn !== undefined && !isInPlace) {
      await entry.edit(account.owner, (open) => open.removeBeside(keptIn));
    }
    requireAccepted(account.mailbox, proof, {
      refused: isStored ? `the token is in ${entry.place} for what it opens` : kept,
      unreachable: isStored ? `the token is in ${entry.place}, not proven yet` : kept,
    });
    return { token, proof };
  });
}

/** @returns where it is */
async function keep(life: Life, open: OpenEntry, token: Token): Promise<string> {
  const record = recordOf(life, token, undefined, undefined);
  if (open.record !== undefined) return open.keepBeside(record);
  await open.commit(record);
  return life.entry.place;
}

/** What became of a refresh token that was brought, for an error. */
function whereKept(path: string | undefined): string {
  return path === undefined
    ? "the refresh token that you gave is still good"
    : `the refresh token that you gave is spent, and its successor is in ${path}`;
}

/** An account that is stored here already is only replaced by one that is known to be good. */
async function storeBrought(
  life: Life,
  { token, keptIn }: Refreshed,
  proof: Proof,
): Promise<boolean> {
  const { account, entry, startover } = life;
  const isUnproven = resultOf(proof) === "unreachable";
  // It is there already, where --startover would keep an unproven one beside it.
  if (isUnproven && keptIn === entry.place && startover) return true;
  if (isUnproven && keptIn !== entry.place) {
    const isTaken = await entry.edit(account.owner, async (open) => open.record !== undefined);
    if (isTaken) return false;
  }
  return (await store(life, token, proof)) === entry.place;
}

/**
 * Somebody else's token is not left where this mailbox's is looked for. What another process has put
 * there meanwhile stays.
 */
function moveAside(life: Life, token: Token): Promise<string> {
  const stop = new AbortController().signal;
  const move = async (open: OpenEntry) =>
    token.refreshToken?.equals(open.record?.refreshToken)
      ? open.moveBeside()
      : open.keepBeside(recordOf(life, token, undefined, undefined));
  return life.entry.edit(life.account.owner, move, stop);
}

/**
 * Uses a refresh token for a program that is about to log in. An account that is stored already is not
 * replaced: then only a new refresh token is kept, beside it.
 *
 * @param isCached whether the access token is to be stored, too, where nothing is yet
 * @returns what the program is shown; undefined where it is the refresh token that is stored
 * @throws MxtokenError `wrongAccount` for a token that is evidently somebody else's
 */
export function refreshBrought(
  life: Life,
  brought: Secret,
  isCached: boolean,
): Promise<TokenRecord | undefined> {
  const { world, account, entry, tell } = life;
  return entry.edit(account.owner, async (open) => {
    if (brought.equals(open.record?.refreshToken)) return undefined;
    const isFree = open.record === undefined;
    await open.reserve({ isBeside: !isFree, isKnown: true });
    const token = await requestRefresh(life, brought, undefined);
    const isNew = !brought.equals(token.refreshToken);
    const other = await findOtherAccount({ world, ...account }, token, false);
    if (other !== undefined) {
      const path = isNew ? await keep(life, open, token) : undefined;
      // Somebody else's token is not left where this mailbox's is looked for.
      const aside = path === entry.place ? await open.moveBeside() : path;
      throw wrongAccount(account.mailbox, other, whereKept(aside));
    }
    if (isNew || (isFree && isCached)) {
      tell({ is: "keptUntilProven", path: await keep(life, open, token) });
    }
    return recordOf(life, token, undefined, undefined);
  });
}
