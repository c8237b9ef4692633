import { randomBytes } from "node:crypto";
import { unlink } from "node:fs/promises";
import { Interrupted, MxtokenError } from "../errors.ts";
import { authorizationUrl } from "../grant/code.ts";
import type { LineInput } from "../grant/line-input.ts";
import { createProofs, exchangeCode, type Proofs } from "../grant/oauth.ts";
import { readPaste } from "../grant/paste.ts";
import type { Secret } from "../secret.ts";
import { formatTokenFile, type TokenRecord } from "../store/token-file.ts";
import { type Token, tokenFrom } from "../token.ts";
import type { Finding } from "../verify/finding.ts";
import { proveByImap } from "../verify/imap.ts";
import type { Outcome } from "./events.ts";
import {
  type Job,
  outcomeOf,
  readAgain,
  recordOf,
  requestRefresh,
  unprovenNote,
  verifiedNote,
  withReservation,
  withTokenFileLock,
  withTokenRequest,
} from "./job.ts";
import { requireAccepted } from "./judge-finding.ts";
import { checkSameOwner, ownerOf } from "./prepare.ts";
import { refreshStored } from "./refresh.ts";

/** Enough for every honest mistake; an endless input must come to an end. */
const pastes = 20;

/**
 * Lets a person sign in (authorization code grant with PKCE, RFC 6749 section 4.1, RFC 7636), then
 * proves the token and stores it.
 *
 * @param ask why a person is needed, and how many seconds there are
 * @throws MxtokenError `signInNeeded` when nobody answers, `signInDeclined`, `mailboxRefused` …
 */
export async function signIn(
  job: Job,
  input: LineInput,
  ask: { why: string; timeout: number },
): Promise<Outcome> {
  // Before the person is troubled: what was consented to must find its place on the disk.
  await withTokenFileLock(job, () => withReservation(job, async () => undefined));
  const { world, client, tell } = job;
  const proofs = await createProofs();
  input.open();
  tell({
    is: "signIn",
    account: client.loginHint,
    why: ask.why,
    url: authorizationUrl(client, client.redirectUri, proofs),
    redirectUri: client.redirectUri,
    consentName: client.consentName,
    isTerminal: world.stdin.isTTY === true,
    timeout: ask.timeout,
  });
  const token = await obtainByPaste(job, input, proofs, ask.timeout);
  if (token.refreshToken === undefined) tell({ is: "noRefreshToken" });
  return proveAndStore(job, token);
}

/** Asks for the answer until one of them can be exchanged. */
async function obtainByPaste(
  job: Job,
  input: LineInput,
  proofs: Proofs,
  timeout: number,
): Promise<Token> {
  const { world, client, tell } = job;
  const deadline = world.deadline(timeout * 1000);
  const wait = AbortSignal.any([deadline, world.interrupted]);
  for (let count = 0; count < pastes; count += 1) {
    const line = await nextPaste(input, wait, deadline, timeout);
    world.interrupted.throwIfAborted();
    const verdict = readPaste(line, { ...proofs, ...client });
    if (verdict.is === "rubbish") {
      tell({ is: "pasteRefused", reason: verdict.reason });
      continue;
    }
    if (!verdict.stateChecked) tell({ is: "stateUnchecked" });
    const token = await exchange(job, verdict.code, proofs);
    if (token !== undefined) return token;
  }
  throw new MxtokenError("signInNeeded", `nothing usable was pasted in ${pastes} attempts`);
}

async function nextPaste(
  input: LineInput,
  wait: AbortSignal,
  deadline: AbortSignal,
  timeout: number,
): Promise<string> {
  try {
    const line = await input.next(wait);
    if (line !== undefined) return line;
  } catch (error) {
    if (!deadline.aborted) throw error;
    throw new MxtokenError("signInNeeded", `nobody signed in within ${timeout} seconds`, {
      hint: "run the command again; --timeout gives more time",
    });
  }
  throw new MxtokenError("signInNeeded", "the input ended before an answer was pasted", {
    hint: "nothing was stored; run the command again in a terminal",
  });
}

/** @returns undefined for a code that the server does not take: another one may be pasted */
async function exchange(job: Job, code: Secret, proofs: Proofs): Promise<Token | undefined> {
  const { world, client, tell } = job;
  tell({ is: "exchanging" });
  try {
    const response = await withTokenRequest(job, (context) =>
      exchangeCode(context, code, proofs.verifier),
    );
    return tokenFrom(response, world.now(), client.scope, undefined);
  } catch (error) {
    if (!(error instanceof MxtokenError) || error.code !== "signInNeeded") throw error;
    tell({
      is: "pasteRefused",
      reason: `the code was not taken (${error.message}); open the address above again for a new one`,
    });
    return undefined;
  }
}

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
    const isFree = (await replaceable(job)) === undefined;
    const path = isFree ? job.tokenFile : besideOf(job.tokenFile);
    return withReservation(
      job,
      async (reservation) => {
        const granted = await requestRefresh(job, refreshToken, undefined);
        const isNew = !refreshToken.equals(granted.refreshToken);
        if (isNew) {
          const now = world.now();
          await reservation.commit(formatTokenFile(recordOf(job, granted, unprovenNote(now), now)));
          tell({ is: "keptUntilProven", path });
        }
        tell({ is: "refreshed", newRefreshToken: isNew });
        return { token: granted, keptIn: isNew ? path : undefined };
      },
      path,
    );
  });
  world.interrupted.throwIfAborted();
  const finding = await prove(job, token);
  const isStored = finding.result !== "refused" && (await store(job, token, finding));
  if (isStored && keptIn !== job.tokenFile && keptIn !== undefined) await unlink(keptIn);
  const kept =
    keptIn === undefined
      ? "the refresh token that you gave is still good"
      : `the refresh token that you gave is spent, and its successor is in ${keptIn}`;
  const accepted = requireAccepted(finding, {
    refused: kept,
    unreachable: isStored ? `the token is in ${job.tokenFile}, not proven yet` : kept,
  });
  return outcomeOf(job, "refreshed", token.expiresAt, accepted);
}

/** A name of its own: what an earlier run has left there may be somebody's only token. */
function besideOf(tokenFile: string): string {
  return `${tokenFile}.unproven-${randomBytes(4).toString("hex")}`;
}

/** After a sign-in: proven or unreachable, it is stored; refused, it is not. */
async function proveAndStore(job: Job, token: Token): Promise<Outcome> {
  const { world, tokenFile } = job;
  let finding: Finding;
  try {
    finding = await prove(job, token);
  } catch (error) {
    // Somebody has signed in: that is not thrown away for a Ctrl-C that came meanwhile.
    if (error instanceof Interrupted && (await store(job, token, undefined))) {
      job.tell({ is: "keptUntilProven", path: tokenFile });
    }
    throw error;
  }
  const isStored = finding.result !== "refused" && (await store(job, token, finding));
  const accepted = requireAccepted(finding, {
    refused: "nothing was stored",
    unreachable: isStored
      ? `the token is in ${tokenFile}, not proven yet`
      : `${tokenFile} stays as it was, because the new token is not proven`,
  });
  world.interrupted.throwIfAborted();
  return outcomeOf(job, "signed in", token.expiresAt, accepted);
}

async function prove(job: Job, token: Token): Promise<Finding> {
  job.tell({ is: "proving", mailbox: job.mailbox });
  const finding = await proveByImap(job.world, job.mailbox, token.accessToken);
  job.tell({ is: "proven", finding });
  return finding;
}

/**
 * Writes both lines. The file is read again first: another process may have put something there
 * since. With --startover an old file is only replaced by a proven token.
 *
 * @param finding undefined when there was no time for a proof
 * @returns whether it was written
 */
async function store(job: Job, token: Token, finding: Finding | undefined): Promise<boolean> {
  const work = async () => {
    const former = await replaceable(job);
    const isProven = finding?.result === "accepted";
    if (former !== undefined && job.startover && !isProven) return false;
    return withReservation(job, async (reservation) => {
      const now = job.world.now();
      const note = finding === undefined ? unprovenNote(now) : verifiedNote(finding, now);
      const whole = { ...token, refreshToken: token.refreshToken ?? stillGood(job, former) };
      await reservation.commit(formatTokenFile(recordOf(job, whole, note, now)));
      return true;
    });
  };
  // What is to be saved now is saved even while the process is asked to end.
  return withTokenFileLock(job, work, new AbortController().signal);
}

/**
 * With --startover the stored refresh token may still be good: a server that gives none this time
 * must not cost it.
 */
function stillGood(job: Job, former: TokenRecord | undefined): Secret | undefined {
  if (!job.startover || former?.refreshToken === undefined) return undefined;
  try {
    checkSameOwner(job.tokenFile, former.notes, ownerOf(job));
    return former.refreshToken;
  } catch {
    return undefined;
  }
}

/** What stands in the file now; with --startover also a file that nobody can understand. */
async function replaceable(job: Job): Promise<TokenRecord | undefined> {
  try {
    return await readAgain(job);
  } catch (error) {
    const isUnreadable = error instanceof MxtokenError && error.code === "unreadable";
    if (!job.startover || !isUnreadable) throw error;
    return { accessToken: undefined, refreshToken: undefined, notes: {} };
  }
}
