import { checkSameOwner, ownerOf } from "../account/owner.ts";
import { unprovenNote, verifiedNote } from "../proof/notes.ts";
import {
  isWorthStoring,
  opensMailbox,
  type Proof,
  requireAccepted,
  resultOf,
  wrongAccount,
} from "../proof/proof.ts";
import type { Secret } from "../secret.ts";
import { isAppOnly } from "../settings/flow.ts";
import { keptPath } from "../store/kept-tokens.ts";
import { withTokenFileLock } from "../store/token-file-lock.ts";
import type { Token, TokenRecord } from "../token.ts";
import {
  type Job,
  type Outcome,
  outcomeOf,
  prove,
  readAgain,
  recordOf,
  type Source,
  withTokenPlace,
} from "./job.ts";

/**
 * Writes both lines. The file is read again first: another process may have put something there
 * since. With --startover an old file is only replaced by a proven token; another one is kept beside it,
 * because a person has signed in for it.
 *
 * @param proof undefined when there was no time for one
 * @returns where it is now, absolute
 */
export async function store(job: Job, token: Token, proof: Proof | undefined): Promise<string> {
  const work = async () => {
    const former = await readReplaceable(job);
    const isProven = proof !== undefined && ["accepted", "none"].includes(resultOf(proof));
    const isBeside = former !== undefined && job.startover && !isProven;
    const path = isBeside ? keptPath(job.world, job.tokenFile) : job.tokenFile;
    const now = job.world.now();
    const note = proof === undefined ? unprovenNote(now) : verifiedNote(proof, now);
    const refreshToken = token.refreshToken ?? (isBeside ? undefined : stillGood(job, former));
    const record = recordOf(job, { ...token, refreshToken }, note, undefined);
    const current = isBeside ? undefined : former;
    await withTokenPlace(job, current, (place) => place.commit(record), path);
    return path;
  };
  // What is to be saved now is saved even while the process is asked to end.
  return withTokenFileLock(job, work, new AbortController().signal);
}

/**
 * With --startover the stored refresh token may still be good: a server that gives none this time
 * must not cost it.
 */
function stillGood(job: Job, former: TokenRecord | undefined): Secret | undefined {
  const isPersons = !isAppOnly(job.client.flow);
  if (!job.startover || !isPersons || former?.refreshToken === undefined) return undefined;
  try {
    checkSameOwner(job.tokenFile, former.notes, ownerOf(job));
    return former.refreshToken;
  } catch {
    return undefined;
  }
}

/** What stands in the file now; with --startover nothing, where its tokens cannot be read. */
export async function readReplaceable(job: Job): Promise<TokenRecord | undefined> {
  return readAgain(job, job.startover ? "replaceable" : "refused");
}

/**
 * Proves a token that was granted just now, and stores it: proven or unreachable it is kept, refused
 * it is not.
 *
 * @throws MxtokenError `mailboxRefused`, `wrongAccount`, `unreachable`, `unwritable`; Interrupted
 */
export async function proveAndStore(job: Job, token: Token, source: Source): Promise<Outcome> {
  const { world, tokenFile } = job;
  let proof: Proof;
  try {
    proof = await prove(job, token, true);
  } catch (error) {
    // Somebody has signed in: that is not thrown away for a Ctrl-C that came meanwhile, nor for a
    // defect of ours.
    const path = await store(job, token, undefined);
    job.tell({ is: "keptUntilProven", path });
    throw error;
  }
  checkAccount(job, proof, "nothing was stored, because no login has shown otherwise");
  const path = isWorthStoring(proof) ? await store(job, token, proof) : undefined;
  requireAccepted(job.mailbox, proof, {
    refused:
      path === undefined ? "nothing was stored" : `the token is in ${path} for what it opens`,
    unreachable:
      path === tokenFile
        ? `the token is in ${path}, not proven yet: run the command again`
        : `${tokenFile} stays as it was, and the new token is in ${path}, because it is not proven`,
  });
  world.interrupted.throwIfAborted();
  const { findings, otherAccount } = proof;
  return { ...outcomeOf(job, source, token.expiresAt, findings), otherAccount };
}

/**
 * Another account than the mailbox's is no harm where the mailbox opens: it has an alias, a sign-in
 * name of its own, or a delegate.
 *
 * @param consequence what became of the token, for the error
 * @throws MxtokenError `wrongAccount`
 */
export function checkAccount({ mailbox, tell }: Job, proof: Proof, consequence: string): void {
  const { otherAccount: account } = proof;
  if (account === undefined) return;
  if (opensMailbox(proof) || resultOf(proof) === "accepted") {
    tell({ is: "otherAccount", account, mailbox: mailbox.address.text });
    return;
  }
  if (resultOf(proof) === "refused") return;
  throw wrongAccount(mailbox, account, consequence);
}
