import { dirname } from "node:path";
import { MxtokenError } from "../errors.ts";
import { refreshToken, type TokenRequestContext } from "../grant/oauth.ts";
import type { Secret } from "../secret.ts";
import { type Reservation, reserve } from "../store/atomic.ts";
import { makeDirectory } from "../store/directory.ts";
import { withLock } from "../store/lock.ts";
import { readTokenFile } from "../store/read.ts";
import { isoSeconds, type TokenNotes, type TokenRecord } from "../store/token-file.ts";
import { type Token, tokenFrom } from "../token.ts";
import type { Accepted, Finding } from "../verify/finding.ts";
import { proveByImap } from "../verify/imap.ts";
import type { World } from "../world/world.ts";
import type { Outcome, Source, Tell } from "./events.ts";
import { belongsTo, checkSameOwner, ownerOf } from "./owner.ts";
import type { Prepared } from "./prepare.ts";

/** One run for one mailbox. */
export interface Job extends Prepared {
  readonly world: World;
  readonly tell: Tell;
  /** the group that shall be able to read the token file */
  readonly gid: number | undefined;
  readonly startover: boolean;
}

const tokenEndpointTimeout = 60_000;
/** How long a signal waits for the answer to a request that may already have spent a token. */
const graceAfterSignal = 10_000;

/**
 * Runs `work` with a place reserved for the next content of the token file, or of a file beside it;
 * only under the token file's lock.
 */
export async function withReservation<T>(
  job: Job,
  work: (reservation: Reservation) => Promise<T>,
  path = job.tokenFile,
): Promise<T> {
  const reservation = await reserve(job.world, path, job.gid);
  try {
    return await work(reservation);
  } finally {
    await reservation.release();
  }
}

/**
 * Runs `work` under the lock of the token file.
 *
 * @param stop ends the wait; by default the signals that ask the process to end
 */
export async function withTokenFileLock<T>(
  job: Job,
  work: () => Promise<T>,
  stop?: AbortSignal,
): Promise<T> {
  const { world, tokenFile, gid, tell } = job;
  await makeDirectory(dirname(tokenFile), gid);
  const onWait = () => tell({ is: "waitingForLock", tokenFile });
  return withLock(world, tokenFile, onWait, work, stop);
}

/**
 * Reads the token file again and makes sure that it still belongs to this job: whatever another
 * process has put there meanwhile is neither sent to the wrong server nor overwritten.
 *
 * @throws MxtokenError `configuration`, `unreadable`
 */
export async function readAgain(job: Job): Promise<TokenRecord | undefined> {
  const record = await readTokenFile(job.tokenFile);
  if (record === undefined) return undefined;
  if (!belongsTo(record.notes, job.mailbox.provider)) {
    throw new MxtokenError(
      "configuration",
      `${job.tokenFile} belongs to ${record.notes.provider} by now and is not overwritten`,
      { hint: "pass another --token-file" },
    );
  }
  if (!job.startover) checkSameOwner(job.tokenFile, record.notes, ownerOf(job));
  return record;
}

/**
 * Sends a token request: with a deadline, and given up only 10 s after a signal, because the
 * answer may hold the only refresh token that still counts.
 */
export async function withTokenRequest<T>(
  job: Job,
  send: (context: TokenRequestContext) => Promise<T>,
): Promise<T> {
  const { world, client, mailbox, tell } = job;
  world.interrupted.throwIfAborted();
  const afterSignal = new AbortController();
  const onSignal = () => {
    tell({ is: "finishingRequest" });
    world.deadline(graceAfterSignal).addEventListener("abort", () => afterSignal.abort());
  };
  world.interrupted.addEventListener("abort", onSignal);
  const signal = AbortSignal.any([world.deadline(tokenEndpointTimeout), afterSignal.signal]);
  try {
    return await send({ world, client, ca: mailbox.ca, signal });
  } finally {
    world.interrupted.removeEventListener("abort", onSignal);
  }
}

/**
 * Asks the token endpoint for a new token, once.
 *
 * @param formerScope what the file says was granted
 */
export async function requestRefresh(
  job: Job,
  token: Secret,
  formerScope: string | undefined,
): Promise<Token> {
  job.tell({ is: "refreshing" });
  const scope = formerScope ?? job.client.scope;
  const repeated = job.client.scopeOnRefresh ? scope : undefined;
  const response = await withTokenRequest(job, (context) => refreshToken(context, token, repeated));
  const { unechoedScopes } = job.client;
  return tokenFrom(response, job.world.now(), { scope, unechoedScopes }, token);
}

/**
 * Proves an access token by a real login, and tells it.
 *
 * @throws Interrupted
 */
export async function prove(job: Job, accessToken: Secret): Promise<Finding> {
  job.tell({ is: "proving", mailbox: job.mailbox });
  const finding = await proveByImap(job.world, job.mailbox, accessToken);
  job.tell({ is: "proven", finding });
  return finding;
}

/** The token file's next content. */
export function recordOf(
  job: Job,
  token: Token,
  verified: string,
  signedInAt: number | undefined,
): TokenRecord {
  const { mailbox, client } = job;
  const notes: TokenNotes = {
    account: mailbox.address.text,
    provider: mailbox.provider,
    app: client.app,
    client: client.id,
    tenant: client.tenant,
    tokenEndpoint: client.tokenEndpoint,
    scope: token.scope,
    signedInAt,
    expiresAt: token.expiresAt,
    verified,
  };
  return { accessToken: token.accessToken, refreshToken: token.refreshToken, notes };
}

/** The comment about a proof; one that did not come about is called unverified. */
export function verifiedNote(finding: Finding, now: number): string {
  const where = `${finding.host}:${finding.port}`;
  return finding.result === "accepted"
    ? `${isoSeconds(now)} by IMAP at ${where}`
    : `no, unverified: ${where} was not reachable at ${isoSeconds(now)}`;
}

/** The comment about a token that is not proven yet. */
export function unprovenNote(now: number): string {
  return `no, unverified: not tried yet at ${isoSeconds(now)}`;
}

export function outcomeOf(
  job: Job,
  source: Source,
  expiresAt: number | undefined,
  finding: Accepted,
): Outcome {
  const { mailbox, client, tokenFile, evidence } = job;
  return { mailbox, client, tokenFile, evidence, source, expiresAt, finding };
}
