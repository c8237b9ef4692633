import { type Account, resolveAccount } from "../account/account.ts";
import type { Stored } from "../account/peek.ts";
import { noRefreshToken, nothingStored, readStored } from "../account/stored.ts";
import { isAppOnly } from "../catalog/provider-row.ts";
import { MxtokenError } from "../errors.ts";
import type { Tell } from "../events.ts";
import { issueAndProve } from "../life/application.ts";
import { type Life, lifeOf, prove, recordOf } from "../life/life.ts";
import { type Renewal, renew } from "../life/renew.ts";
import type { Finding } from "../mail-server.ts";
import { knownEndOf } from "../proof/identity.ts";
import { requireAccepted, resultOf } from "../proof/proof.ts";
import { flowWanted } from "../settings/provider.ts";
import type { Settings } from "../settings/settings.ts";
import type { Entry } from "../store/entry.ts";
import { identityOf, type TokenIdentity } from "../store/token-file.ts";
import { tokenFiles } from "../store/token-file-store.ts";
import { type TokenLife, type TokenRecord, tokenLifeOf } from "../token.ts";
import type { World } from "../world/world.ts";

/** What one turn of `mxtoken keep` for one mailbox is to do. Nobody is ever asked anything. */
export interface TurnRequest {
  readonly settings: Settings;
  /** whether a stored token has to be replaced by now */
  isDue(life: TokenLife | undefined): boolean;
  /** whether the token is to be proven by a login, refreshed or not */
  readonly proves: boolean;
  /** whether this process has replaced the token file before */
  readonly isPlaceKnown: boolean;
  /** told when nobody at the provider is asked any more, and the rest is storing */
  onLastAnswer?(): void;
}

/** What a turn came to, whether it went well or not. */
export interface Turn {
  /** absolute */
  readonly tokenFile: string;
  readonly provider: string | undefined;
  /** host of the token endpoint */
  readonly server: string | undefined;
  /** whether the token file could be looked at after the turn; if not, nobody knows its life */
  readonly isLookedAt: boolean;
  /** of the stored token, as it is after the turn; undefined where there is none */
  readonly life: TokenLife | undefined;
  /** of the tokens that the turn began with; undefined where there were none, or nobody knows */
  readonly identity: TokenIdentity | undefined;
  /** whether there is anything to ask with: tokens, or an application that needs none */
  readonly isAskable: boolean;
  /** whether this process got a new token */
  readonly isRenewed: boolean;
  /** of the last login; undefined where there was none */
  readonly findings: readonly Finding[] | undefined;
  /** what went wrong; an MxtokenError, Interrupted, or a defect */
  readonly error: unknown;
}

/**
 * One turn: proves the stored token, refreshes it where it is due or not accepted, or does nothing.
 * It never throws; what went wrong is a part of the result.
 */
export async function takeTurn(world: World, request: TurnRequest, tell: Tell): Promise<Turn> {
  const { settings } = request;
  const begun: Begun = { entry: tokenFiles(world, settings, tell).entry() };
  let step: Step = { record: undefined, isRenewed: false, findings: undefined };
  let error: unknown;
  try {
    step = await work(world, request, begun, tell);
  } catch (cause) {
    error = cause;
  }
  const { account, stored } = begun;
  const entry = stored?.entry ?? begun.entry;
  const after = error === undefined ? { record: step.record } : await lookAfter(entry);
  error ??= after.error;
  // What failed after a login had tried the token is of one that is stored, or was asked for just now.
  const failed = error instanceof MxtokenError ? error.findings : undefined;
  const identity =
    stored === undefined
      ? await entry.identity().catch(() => undefined)
      : stored.record && identityOf(stored.record);
  const flow = account?.client.flow ?? flowWanted(settings, {});
  return {
    tokenFile: entry.place,
    provider: account?.mailbox.provider,
    server: account === undefined ? undefined : new URL(account.client.tokenEndpoint).host,
    isLookedAt: after.error === undefined,
    life: lifeOfStored(after.record),
    identity,
    isAskable: identity !== undefined || isAppOnly(flow),
    isRenewed: step.isRenewed || (begun.isRenewing === true && failed !== undefined),
    findings: failed ?? step.findings,
    error,
  };
}

/** How far a turn has come. */
interface Begun {
  readonly entry: Entry;
  stored?: Stored;
  account?: Account;
  /** whether a new token is asked for */
  isRenewing?: boolean;
}

/** What a turn has done. */
interface Step {
  /** what is stored now */
  readonly record: TokenRecord | undefined;
  readonly isRenewed: boolean;
  readonly findings: readonly Finding[] | undefined;
}

async function work(world: World, request: TurnRequest, begun: Begun, tell: Tell): Promise<Step> {
  const { settings } = request;
  const first = await readStored(world, { settings }, tell);
  begun.stored = first;
  const isNamed = settings.provider !== undefined || settings.flow !== undefined;
  // Nobody has to be asked for the provider of nothing.
  if (!isNamed && first.record === undefined) throw await nothingStored(first.entry);
  const accountRequest = { settings, purpose: "refresh" } as const;
  const { account, stored } = await resolveAccount(world, accountRequest, first, tell);
  begun.stored = stored;
  begun.account = account;
  const life = lifeOf(world, account, stored, tell);
  const { record, entry } = stored;
  if (record === undefined && !isAppOnly(account.client.flow)) throw await nothingStored(entry);
  const renewing = () => {
    begun.isRenewing = true;
    return renewStored(life, request, record);
  };
  const tokenLife = lifeOfStored(record);
  if (request.isDue(tokenLife) || record?.accessToken === undefined) return renewing();
  const nothing = { record, isRenewed: false, findings: undefined };
  // A failed login would count against the mailbox.
  const isOver = tokenLife?.expiresAt !== undefined && tokenLife.expiresAt <= world.now();
  if (!request.proves || account.mailbox.verify.length === 0 || isOver) return nothing;
  const proof = await prove(life, { accessToken: record.accessToken });
  // The server has ended it before its time; a new one may do.
  if (resultOf(proof) === "refused") return renewing();
  requireAccepted(account.mailbox, proof, {
    refused: "the stored token is kept",
    unreachable: "the stored token is kept, and is proven later",
  });
  return { ...nothing, findings: proof.findings };
}

async function renewStored(
  life: Life,
  request: TurnRequest,
  seen: TokenRecord | undefined,
): Promise<Step> {
  const { account, entry, tell } = life;
  const { isPlaceKnown } = request;
  // `keep` asks more and more rarely by itself, and must not end for what another process was told.
  const isRefusalHeeded = false;
  const isForApplication = isAppOnly(account.client.flow);
  // Where nothing is proven, both lines are stored at once.
  const proves = request.proves && account.mailbox.verify.length > 0;
  if (isForApplication && proves) {
    const { token, proof } = await issueAndProve(life);
    const record = recordOf(life, token, proof, undefined);
    return { record, isRenewed: true, findings: proof.findings };
  }
  if (seen === undefined && !isForApplication) throw await nothingStored(entry);
  const how: Renewal =
    proves && seen !== undefined
      ? {
          proof: "before it is shown",
          seen,
          isPlaceKnown,
          isRefusalHeeded,
          isStoredWithoutProof: true,
        }
      : {
          proof: "none",
          by: isForApplication ? "application" : "refresh",
          // Another process may have refreshed it while the lock was waited for.
          unless: (record) =>
            !isForApplication &&
            record.accessToken !== undefined &&
            !request.isDue(lifeOfStored(record)),
          lineOne: "replaced",
          isPlaceKnown,
          isRefusalHeeded,
          onLastAnswer: () => request.onLastAnswer?.(),
        };
  const renewed = await renew(life, how);
  if (renewed.is === "nothingToRenew") {
    throw renewed.record === undefined ? await nothingStored(entry) : noRefreshToken(entry);
  }
  const { record, proof } = renewed;
  if (renewed.is === "byOther" && proof === undefined) tell({ is: "otherRefreshed" });
  return { record, isRenewed: renewed.is === "renewed", findings: proof?.findings };
}

/** What is stored after something has gone wrong; another process may have had better luck. */
async function lookAfter(
  entry: Entry,
): Promise<{ readonly record: TokenRecord | undefined; readonly error?: unknown }> {
  try {
    return { record: await entry.peek() };
  } catch (error) {
    const isAway = error instanceof MxtokenError && error.code === "unreachable";
    return isAway ? { record: undefined, error } : { record: undefined };
  }
}

/** Where no note says when it ends, the token itself may. */
function lifeOfStored(record: TokenRecord | undefined): TokenLife | undefined {
  if (record === undefined) return undefined;
  const notes = { ...record.notes, expiresAt: knownEndOf(record) };
  return tokenLifeOf({ ...record, notes });
}
