import { MxtokenError } from "../errors.ts";
import { authorizationUrl } from "../grant/code.ts";
import type { LineInput } from "../grant/line-input.ts";
import { createProofs, exchangeCode, type Proofs } from "../grant/oauth.ts";
import { readPaste } from "../grant/paste.ts";
import type { Secret } from "../secret.ts";
import { formatTokenFile } from "../store/token-file.ts";
import { type Token, tokenFrom } from "../token.ts";
import type { Finding } from "../verify/finding.ts";
import { proveByImap } from "../verify/imap.ts";
import type { Outcome, Source } from "./events.ts";
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
  return proveAndStore(job, token, "signed in");
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
 * Takes over a refresh token that the person already has, instead of a sign-in.
 *
 * @throws MxtokenError
 */
export async function adoptRefreshToken(job: Job, refreshToken: Secret): Promise<Outcome> {
  const token = await withTokenFileLock(job, () =>
    withReservation(job, async (reservation) => {
      // Where there is no stored account to protect, a rotated token is saved before anything can
      // fail; a stored one is replaced only when the new token is known to be worth it.
      const isReplacing = await isThereAFile(job);
      const granted = await requestRefresh(job, refreshToken, undefined);
      const isNew = !refreshToken.equals(granted.refreshToken);
      if (isNew && !isReplacing) {
        const now = job.world.now();
        await reservation.commit(formatTokenFile(recordOf(job, granted, unprovenNote(now), now)));
      }
      job.tell({ is: "refreshed", newRefreshToken: isNew });
      return granted;
    }),
  );
  job.world.interrupted.throwIfAborted();
  return proveAndStore(job, token, "refreshed");
}

async function proveAndStore(job: Job, token: Token, source: Source): Promise<Outcome> {
  job.tell({ is: "proving", mailbox: job.mailbox });
  const finding = await proveByImap(job.world, job.mailbox, token.accessToken);
  job.tell({ is: "proven", finding });
  const isStored = finding.result !== "refused" && (await store(job, token, finding));
  const accepted = requireAccepted(finding, {
    refused: "nothing was stored",
    unreachable: isStored
      ? `the token is in ${job.tokenFile}, not proven yet`
      : `${job.tokenFile} stays as it was, because the new token is not proven`,
  });
  return outcomeOf(job, source, token.expiresAt, accepted);
}

/**
 * Writes both lines. The file is read again first: another process may have put something there
 * since. With --startover an old file is only replaced by a proven token.
 *
 * @returns whether it was written
 */
async function store(job: Job, token: Token, finding: Finding): Promise<boolean> {
  return withTokenFileLock(job, async () => {
    const isReplacing = await isThereAFile(job);
    if (isReplacing && job.startover && finding.result !== "accepted") return false;
    return withReservation(job, async (reservation) => {
      const now = job.world.now();
      const record = recordOf(job, token, verifiedNote(finding, now), now);
      await reservation.commit(formatTokenFile(record));
      return true;
    });
  });
}

/** Whether there is a file to replace; with --startover also one that nobody can understand. */
async function isThereAFile(job: Job): Promise<boolean> {
  try {
    return (await readAgain(job)) !== undefined;
  } catch (error) {
    const isUnreadable = error instanceof MxtokenError && error.code === "unreadable";
    if (job.startover && isUnreadable) return true;
    throw error;
  }
}
