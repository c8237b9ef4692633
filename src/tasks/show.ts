import { resolveAccount } from "../account/account.ts";
import { peekStored, type Stored } from "../account/peek.ts";
import { checkTokenFits, readStored } from "../account/stored.ts";
import { isAppOnly } from "../catalog/provider-row.ts";
import { MxtokenError, signInHint } from "../errors.ts";
import type { Tell } from "../events.ts";
import { refuseRefreshToken, requestForApplication } from "../life/application.ts";
import { refreshBrought } from "../life/brought.ts";
import { type Freshness, fresh, isFresh, type ShownToken, shownToken } from "../life/fresh.ts";
import { type Life, lifeOf, recordOf } from "../life/life.ts";
import { noRefreshToken, nothingStored, type Renewed, renew } from "../life/renew.ts";
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
    return shown(request, issued);
  } catch (error) {
    if (!(error instanceof MxtokenError) || error.code !== "signInNeeded") throw error;
    throw error.with({ hint: signInHint, commands: [request.signInCommand] });
  }
}

function shown({ settings }: ShowRequest, record: TokenRecord): ShownToken {
  const token = shownToken(settings, record);
  if (token === undefined) throw new MxtokenError("defect", "there is no access token to show");
  return token;
}

async function shownFromInput(
  world: Clock & Terminal & Stop,
  settings: Settings,
  tell: Tell,
): Promise<ShownToken> {
  const { address, login } = settings;
  const row = settings.provider === undefined ? undefined : explicitProvider(settings, {}, "")?.row;
  const accessToken = await tokenFromInput(world, tell, "access token");
  const nothing = {
    refreshToken: undefined,
    expiresAt: undefined,
    scope: undefined,
    missingScopes: [],
  };
  const account = address.text;
  return { ...nothing, accessToken, account, login: login ?? account, provider: row?.name };
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
    throw nothingStored(first.entry);
  }
  const accountRequest = { settings, purpose: "refresh" } as const;
  const { account, stored } = await resolveAccount(world, accountRequest, first, tell);
  // Before a place for its lock is made.
  if (needsRecord && stored.record === undefined) throw nothingStored(stored.entry);
  const life = lifeOf(world, account, stored, tell);
  if (isAppOnly(account.client.flow)) {
    refuseRefreshToken(refreshTokenFromInput);
    return showForApplication(life, request);
  }
  if (!refreshTokenFromInput) return refreshAndShow(life, request);
  const token = await tokenFromInput(world, tell, "refresh token");
  if (account.foundRow !== undefined) {
    checkTokenFits("what came on standard input seems to", token, account.foundRow);
  }
  const isCached = !request.nocache;
  return (await refreshBrought(life, token, isCached)) ?? refreshInAnyCase(life, request);
}

/** Refreshes the stored token, and stores the new one before anybody sees it. */
async function refreshAndShow(life: Life, request: ShowRequest): Promise<TokenRecord> {
  const { world, entry } = life;
  const renewed = await renew(life, {
    by: "refresh",
    proof: "none",
    // Another process may have refreshed it while the lock was waited for.
    unless: (record) => !request.nocache && isFresh(world, record, request.minLife),
    lineOne: request.nocache ? "left" : "replaced",
  });
  if (renewed.is === "byOther") return renewed.record;
  if (renewed.is === "renewed") return toldOfLife(life, request, renewed);
  const { record } = renewed;
  if (record === undefined) throw nothingStored(entry);
  // Nobody knows when it ends, and there is no other.
  const isAllThereIs = record.accessToken !== undefined && record.notes.expiresAt === undefined;
  if (isAllThereIs && !request.nocache) return record;
  throw noRefreshToken(entry);
}

/** The refresh token that was brought is the stored one. */
async function refreshInAnyCase(life: Life, request: ShowRequest): Promise<TokenRecord> {
  const renewed = await renew(life, {
    by: "refresh",
    proof: "none",
    unless: () => false,
    lineOne: request.nocache ? "left" : "replaced",
  });
  if (renewed.is === "nothingToRenew") throw noRefreshToken(life.entry);
  return toldOfLife(life, request, renewed);
}

/** Of a life so short that every call gets a new one, which no server likes; or that nobody knows. */
function toldOfLife(
  { world, tell }: Life,
  { minLife }: ShowRequest,
  { record }: Exclude<Renewed, { is: "nothingToRenew" }>,
): TokenRecord {
  const { expiresAt } = record.notes;
  if (expiresAt === undefined) tell({ is: "lifeUnknown" });
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
    });
    if (renewed.is === "nothingToRenew") throw new MxtokenError("defect", "no token was issued");
    return renewed.record;
  } catch (error) {
    if (!(error instanceof MxtokenError) || error.code !== "unwritable") throw error;
    life.tell({ is: "notStored", reason: error.message });
    return issueUnstored();
  }
}
