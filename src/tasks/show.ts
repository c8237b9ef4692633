import { resolveAccount } from "../account/account.ts";
import { peekStored, type Stored } from "../account/peek.ts";
import { noRefreshToken, nothingStored, readStored } from "../account/stored.ts";
import { isAppOnly } from "../catalog/provider-row.ts";
import { MxtokenError, signInHintOf } from "../errors.ts";
import type { Tell } from "../events.ts";
import { refuseRefreshToken, requestForApplication } from "../life/application.ts";
import { refreshBrought } from "../life/brought.ts";
import { type Freshness, fresh, isFresh, type ShownToken, shownToken } from "../life/fresh.ts";
import { type Life, lifeOf, recordOf } from "../life/life.ts";
import { renew } from "../life/renew.ts";
import { knownEndOf } from "../proof/identity.ts";
import { explicitProvider, flowWanted } from "../settings/provider.ts";
import type { Settings } from "../settings/settings.ts";
import type { TokenRecord } from "../token.ts";
import type { Clock, Stop, Terminal, World } from "../world/world.ts";
import { tokenFromInput } from "./person.ts";

/** What a program wants to be shown. */
export interface ShowRequest extends Freshness {
  /** a new token in any case, and line 1 of the file left as it is */
  readonly nocache: boolean;
  /** the token is on standard input: it is only put into another form */
  readonly accessTokenFromInput: boolean;
  /** the refresh token is on standard input instead of in the file */
  readonly refreshTokenFromInput: boolean;
  /** the command by which a person gets the token that is missing */
  readonly signInCommand: string;
}

/**
 * A valid access token for a program: the stored one while it is fresh, else a new one, which is
 * stored. Nobody is asked anything, and no login proves it: the program that asks is about to.
 *
 * @throws MxtokenError `signInNeeded` with the command to run; Interrupted
 */
export async function show(world: World, request: ShowRequest, tell: Tell): Promise<ShownToken> {
  const { settings } = request;
  if (request.accessTokenFromInput) return shownFromInput(world, settings, tell);
  const isCacheUsed = !request.nocache && !request.refreshTokenFromInput;
  const stored = await peekStored(world, settings, tell);
  const token = isCacheUsed ? fresh(world, request, stored) : undefined;
  if (token !== undefined) {
    if (token.missingScopes.length > 0) {
      tell({ is: "scopesMissing", scopes: token.missingScopes, isStored: true });
    }
    return token;
  }
  try {
    const issued = await freshlyIssued(world, request, stored, tell);
    // It is stored; but whoever asked has gone.
    world.interrupted.throwIfAborted();
    return shownToken(settings, issued);
  } catch (error) {
    if (!(error instanceof MxtokenError) || error.code !== "signInNeeded") throw error;
    throw error.with({ hint: signInHintOf(error), commands: [request.signInCommand] });
  }
}

async function shownFromInput(
  world: Clock & Terminal & Stop,
  settings: Settings,
  tell: Tell,
): Promise<ShownToken> {
  const row = settings.provider === undefined ? undefined : explicitProvider(settings, {}, "")?.row;
  const accessToken = await tokenFromInput(world, tell, { what: "access token" });
  const notes = { provider: row?.name };
  return shownToken(settings, { accessToken, refreshToken: undefined, notes });
}

async function freshlyIssued(
  world: World,
  request: ShowRequest,
  seen: Stored,
  tell: Tell,
): Promise<TokenRecord> {
  const { settings, refreshTokenFromInput } = request;
  const first = seen.record === undefined ? await readStored(world, { settings }, tell) : seen;
  const isForApplication = isAppOnly(flowWanted(settings, first.record?.notes ?? {}));
  const needsRecord = !isForApplication && !refreshTokenFromInput;
  // Nobody has to be asked for the provider of nothing; --provider may have an entry of its own.
  if (needsRecord && first.record === undefined && settings.provider === undefined) {
    throw await nothingStored(first.entry);
  }
  const accountRequest = { settings, purpose: "refresh" } as const;
  const { account, stored } = await resolveAccount(world, accountRequest, first, tell);
  // Before a place for its lock is made.
  if (needsRecord && stored.record === undefined) throw await nothingStored(stored.entry);
  const life = lifeOf(world, account, stored, tell);
  if (isAppOnly(account.client.flow)) {
    refuseRefreshToken(refreshTokenFromInput);
    return showForApplication(life, request);
  }
  if (!refreshTokenFromInput) return refreshAndShow(life, request);
  const { foundRow } = account;
  const token = await tokenFromInput(world, tell, { what: "refresh token", foundRow });
  // Where it is the stored one, it is refreshed in any case.
  return (
    (await refreshBrought(life, token, !request.nocache)) ?? refreshAndShow(life, request, true)
  );
}

/** Refreshes the stored token, and stores the new one before anybody sees it. */
async function refreshAndShow(
  life: Life,
  { nocache, minLife }: ShowRequest,
  isInAnyCase = nocache,
): Promise<TokenRecord> {
  const { world, entry, tell } = life;
  const renewed = await renew(life, {
    by: "refresh",
    proof: "none",
    // Another process may have refreshed it while the lock was waited for.
    unless: (record) => !isInAnyCase && isFresh(world, record, minLife),
    lineOne: nocache ? "left" : "replaced",
    // Whoever brings the token wants it to be tried.
    isRefusalHeeded: nocache || !isInAnyCase,
  });
  const { record } = renewed;
  if (record === undefined) throw await nothingStored(entry);
  const { expiresAt } = record.notes;
  if (renewed.is === "nothingToRenew") {
    // Nobody knows when it ends, and there is no other.
    const end = knownEndOf(record);
    const isOver = end !== undefined && end <= world.now();
    const isAllThereIs = record.accessToken !== undefined && expiresAt === undefined && !isOver;
    if (isAllThereIs && !isInAnyCase) return record;
    throw noRefreshToken(entry);
  }
  if (renewed.is === "byOther") return record;
  if (expiresAt === undefined) tell({ is: "lifeUnknown" });
  // Then every call gets a new one, which no server likes.
  else if (expiresAt - world.now() < minLife) tell({ is: "shortLived", expiresAt });
  return record;
}

/** An application's own token is asked for anew; nothing is lost when it cannot be stored. */
async function showForApplication(life: Life, request: ShowRequest): Promise<TokenRecord> {
  const issueUnstored = async () =>
    recordOf(life, await requestForApplication(life), undefined, undefined);
  if (request.nocache) return issueUnstored();
  try {
    const renewed = await renew(life, {
      by: "application",
      proof: "none",
      unless: (record) => isFresh(life.world, record, request.minLife),
      lineOne: "replaced",
      isRefusalHeeded: false,
    });
    if (renewed.is === "nothingToRenew") throw new MxtokenError("defect", "no token was issued");
    return renewed.record;
  } catch (error) {
    if (!(error instanceof MxtokenError) || error.code !== "unwritable") throw error;
    life.tell({ is: "notStored", reason: error.message });
    return issueUnstored();
  }
}
