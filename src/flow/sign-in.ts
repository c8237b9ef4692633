import { Interrupted, MxtokenError } from "../errors.ts";
import { authorizationUrl } from "../grant/code.ts";
import type { LineInput } from "../grant/line-input.ts";
import { createProofs, exchangeCode, type Proofs } from "../grant/oauth.ts";
import { readPaste } from "../grant/paste.ts";
import type { Secret } from "../secret.ts";
import { rehearseReplacement } from "../store/atomic.ts";
import { type Token, tokenFrom } from "../token.ts";
import type { Finding } from "../verify/finding.ts";
import type { Outcome } from "./events.ts";
import { type Job, outcomeOf, prove, withTokenFileLock, withTokenRequest } from "./job.ts";
import { requireAccepted } from "./judge-finding.ts";
import { store } from "./new-token.ts";

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
  const { world, client, tell } = job;
  await withTokenFileLock(job, () => rehearseReplacement(world, job.tokenFile, job.gid));
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

/** After a sign-in: proven or unreachable, it is stored; refused, it is not. */
async function proveAndStore(job: Job, token: Token): Promise<Outcome> {
  const { world, tokenFile } = job;
  let finding: Finding;
  try {
    finding = await prove(job, token.accessToken);
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
