import { belongsTo, checkSameOwner, ownerOf } from "../account/owner.ts";
import type { Prepared } from "../account/prepare.ts";
import { MxtokenError } from "../errors.ts";
import type { ProviderEvidence, Tell } from "../events.ts";
import type { Finding } from "../finding.ts";
import type { Mailbox } from "../mailbox.ts";
import type { OAuthClient } from "../oauth/client.ts";
import { refreshToken } from "../oauth/refresh.ts";
import type { TokenRequestContext } from "../oauth/request-context.ts";
import { findOtherAccount, type Proof } from "../proof/proof.ts";
import { proveByEvery, serversToAsk } from "../proof/prove.ts";
import type { Secret } from "../secret.ts";
import { replaceByItself } from "../store/atomic.ts";
import { readTokenFile } from "../store/read.ts";
import { ofNoPlace } from "../store/sealed-tokens.ts";
import { withBelievedEnd } from "../store/token-life.ts";
import { reserveTokens, type TokenPlace } from "../store/token-place.ts";
import {
  missingScopes,
  type Token,
  type TokenNotes,
  type TokenRecord,
  tokenFrom,
} from "../token.ts";
import { whenAborted } from "../world/when-aborted.ts";
import type { World } from "../world/world.ts";
import { keepingAnswer } from "./kept-answer.ts";

/** One run for one mailbox. */
export interface Job extends Prepared {
  readonly world: World;
  readonly tell: Tell;
  /** the group that shall be able to read the token file */
  readonly gid: number | undefined;
  readonly startover: boolean;
  /** whether this process has replaced the token file before, so that it need not be rehearsed */
  readonly isPlaceKnown?: boolean;
  /** whether a new token that a signal leaves without its proof takes line 1 all the same */
  readonly isStoredWithoutProof?: boolean;
  /** told when the server has answered for the last time, and what is left is to be stored */
  onLastAnswer?(): void;
}

const tokenEndpointTimeout = 60_000;
/** How long a signal waits for the answer to a request that may already have spent a token. */
const graceAfterSignal = 10_000;

/**
 * Runs `work` with a place reserved for the next tokens of the token file, or of a file beside it;
 * only under the token file's lock.
 *
 * @param current what stands there now
 */
export async function withTokenPlace<T>(
  job: Job,
  current: TokenRecord | undefined,
  work: (place: TokenPlace) => Promise<T>,
  path = job.tokenFile,
): Promise<T> {
  // What is kept beside the file on purpose must never be taken for what belongs into it.
  const after = path === job.tokenFile ? undefined : ofNoPlace;
  const place = await reserveTokens(job.world, path, job.gid, current, after);
  try {
    return await work(place);
  } finally {
    await place.release();
  }
}

/**
 * Makes sure that the token file can be replaced, under its lock, before anything is asked; what else
 * that needs is a reservation's.
 */
export async function rehearse(job: Job): Promise<void> {
  if (job.isPlaceKnown !== true) await replaceByItself(job.world, job.tokenFile, job.gid);
}

/**
 * Reads the token file again and makes sure that it still belongs to this job: whatever another
 * process has put there meanwhile is neither sent to the wrong server nor overwritten.
 *
 * @throws MxtokenError `configuration`, `unreadable`
 */
export async function readAgain(
  job: Job,
  damaged: "refused" | "replaceable" = "refused",
): Promise<TokenRecord | undefined> {
  const read = await readTokenFile(job.tokenFile, damaged);
  const record = withBelievedEnd(job.world, job.tokenFile, read);
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
  const stop = new AbortController();
  // A deadline that nobody cancels is kept in memory until it is over.
  const answered = new AbortController();
  const stopAfter = async (ms: number) => {
    await whenAborted(world.deadline(ms, answered.signal));
    stop.abort();
  };
  const onSignal = () => {
    tell({ is: "finishingRequest" });
    void stopAfter(graceAfterSignal);
  };
  world.interrupted.addEventListener("abort", onSignal);
  void stopAfter(tokenEndpointTimeout);
  try {
    return await send({ world, client, ca: mailbox.ca, signal: stop.signal });
  } finally {
    // With a reason of our own: Node's would hold a stack trace.
    answered.abort("answered");
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
  const { unechoedScopes } = job.client;
  const refreshed = await keepingAnswer(job, async () => {
    const response = await withTokenRequest(job, (context) =>
      refreshToken(context, token, repeated),
    );
    return tokenFrom(response, job.world.now(), { scope, unechoedScopes }, token);
  });
  tellMissingScopes(job, refreshed, formerScope !== undefined);
  return refreshed;
}

/**
 * Tells which of the scopes that are wanted now the token was not granted.
 *
 * @param isStored whether it is the stored consent that lacks them
 */
export function tellMissingScopes({ client, tell }: Job, token: Token, isStored: boolean): void {
  const scopes = missingScopes(client.scope, token.scope);
  if (scopes.length > 0) tell({ is: "scopesMissing", scopes, isStored });
}

/**
 * Proves a token by real logins, and tells it; and compares its account with the mailbox's.
 *
 * @param isNew whether it may be anybody's: then the provider may be asked whose it is
 * @throws Interrupted
 */
export async function prove(
  job: Job,
  token: Pick<Token, "accessToken" | "idToken">,
  isNew = false,
): Promise<Proof> {
  const { world, mailbox, tell } = job;
  const other = await findOtherAccount(job, token, isNew);
  if (mailbox.verify.length > 0) tell({ is: "proving", servers: serversToAsk(mailbox) });
  const findings = await proveByEvery(world, mailbox, token.accessToken);
  tell({ is: "proven", findings });
  return { findings, otherAccount: other };
}

/**
 * The token file's next content.
 *
 * @param former the notes of the file whose account this still is: who signed in, and when, stays;
 * undefined after a sign-in
 */
export function recordOf(
  job: Job,
  token: Token,
  verified: string,
  former: TokenNotes | undefined,
): TokenRecord {
  const { mailbox, client } = job;
  const notes: TokenNotes = {
    account: mailbox.address.text,
    login: former?.account === undefined ? personOf(mailbox) : former.login,
    provider: mailbox.provider,
    flow: client.flow === "code" ? undefined : client.flow,
    app: client.app,
    client: client.id,
    tenant: client.tenant,
    tokenEndpoint: client.tokenEndpoint,
    scope: token.scope,
    signedInAt: former === undefined ? job.world.now() : former.signedInAt,
    issuedAt: token.issuedAt,
    expiresAt: token.expiresAt,
    verified,
  };
  return { accessToken: token.accessToken, refreshToken: token.refreshToken, notes };
}

/** @returns undefined where it is the mailbox itself */
function personOf({ login, address }: Mailbox): string | undefined {
  return login === address.text ? undefined : login;
}

export function outcomeOf(
  job: Job,
  source: Source,
  expiresAt: number | undefined,
  findings: readonly Finding[],
): Outcome {
  const { mailbox, client, tokenFile, evidence } = job;
  return { mailbox, client, tokenFile, evidence, source, expiresAt, findings };
}

/** How the token in the file came about. */
export type Source = "refreshed" | "signed in" | "issued" | "another process";

/** What `mxtoken <address>` achieved. */
export interface Outcome {
  readonly mailbox: Mailbox;
  readonly client: OAuthClient;
  /** absolute */
  readonly tokenFile: string;
  readonly source: Source;
  /** what told the provider */
  readonly evidence: ProviderEvidence;
  /** milliseconds since 1970 */
  readonly expiresAt: number | undefined;
  /** empty where no proof was wanted */
  readonly findings: readonly Finding[];
  /** the account that signed in just now, where that is another than the mailbox's */
  readonly otherAccount?: string | undefined;
}
