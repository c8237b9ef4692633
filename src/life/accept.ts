import { isAppOnly } from "../catalog/provider-row.ts";
import {
  afterProof,
  isWorthStoring,
  opensMailbox,
  type Proof,
  requireAccepted,
  resultOf,
  wrongAccount,
} from "../proof/proof.ts";
import type { Secret } from "../secret.ts";
import { checkSameOwner } from "../store/entry.ts";
import type { Token, TokenRecord } from "../token.ts";
import { type Life, prove, recordOf } from "./life.ts";

/** A token that is stored, and what its proof showed. */
export interface Accepted {
  readonly token: Token;
  readonly proof: Proof;
}

/**
 * Takes in a token that was granted just now, after a sign-in for example: proves it and stores it.
 * Proven or unreachable it is kept, refused it is not.
 *
 * @throws MxtokenError `mailboxRefused`, `wrongAccount`, `unreachable`, `unwritable`; Interrupted
 */
export async function accept(life: Life, token: Token): Promise<Accepted> {
  const { world, account, entry, tell } = life;
  const proof = await prove(life, token, true).catch(async (error) => {
    // Somebody has signed in: that is not thrown away for a Ctrl-C that came meanwhile, nor for a
    // defect of ours.
    tell({ is: "keptUntilProven", path: await store(life, token, undefined) });
    throw error;
  });
  return afterProof(proof, async () => {
    checkAccount(life, proof, "nothing was stored, because no login has shown otherwise");
    const place = isWorthStoring(proof) ? await store(life, token, proof) : undefined;
    requireAccepted(account.mailbox, proof, {
      refused:
        place === undefined ? "nothing was stored" : `the token is in ${place} for what it opens`,
      unreachable:
        place === entry.place
          ? `the token is in ${place}, not proven yet: run the command again`
          : `${entry.place} stays as it was, and the new token is in ${place}, because it is not proven`,
    });
    world.interrupted.throwIfAborted();
    return { token, proof };
  });
}

/**
 * Stores both tokens. What is stored is read again first: another process may have put something there
 * since. With --startover it is only replaced by a proven token; another one is kept beside it, because a
 * person has signed in for it.
 *
 * @param proof undefined when there was no time for one
 * @returns where it is now, for sentences
 */
export async function store(life: Life, token: Token, proof: Proof | undefined): Promise<string> {
  const { account, entry, startover } = life;
  const isProven = proof !== undefined && ["accepted", "none"].includes(resultOf(proof));
  // What is to be saved now is saved even while the process is asked to end.
  const stop = new AbortController().signal;
  return entry.edit(
    account.owner,
    async (open) => {
      const isBeside = open.record !== undefined && startover && !isProven;
      const kept = isBeside ? undefined : stillGood(life, open.record);
      const refreshToken = token.refreshToken ?? kept;
      const record = recordOf(life, { ...token, refreshToken }, proof, undefined);
      if (isBeside) return open.keepBeside(record);
      await open.commit(record);
      return entry.place;
    },
    stop,
  );
}

/**
 * With --startover the stored refresh token may still be good: a server that gives none this time
 * must not cost it.
 */
function stillGood(life: Life, former: TokenRecord | undefined): Secret | undefined {
  const { account, entry, startover } = life;
  const isPersons = !isAppOnly(account.client.flow);
  if (!startover || !isPersons || former?.refreshToken === undefined) return undefined;
  try {
    checkSameOwner(entry.place, former.notes, account.ownOwner);
    return former.refreshToken;
  } catch {
    return undefined;
  }
}

/**
 * Another account than the mailbox's is no harm where the mailbox opens: it has an alias, a sign-in
 * name of its own, or a delegate.
 *
 * @param consequence what became of the token, for the error
 * @throws MxtokenError `wrongAccount`
 */
export function checkAccount({ account, tell }: Life, proof: Proof, consequence: string): void {
  const { otherAccount } = proof;
  const { mailbox } = account;
  if (otherAccount === undefined) return;
  if (opensMailbox(proof) || resultOf(proof) === "accepted") {
    tell({ is: "otherAccount", account: otherAccount, mailbox: mailbox.address.text });
    return;
  }
  if (resultOf(proof) === "refused") return;
  throw wrongAccount(mailbox, otherAccount, consequence);
}
