import { rename } from "node:fs/promises";
import { flowWanted, isAppOnly } from "../config/flow.ts";
import { explicitProvider } from "../config/provider.ts";
import type { Settings } from "../config/settings.ts";
import { MxtokenError } from "../errors.ts";
import { LineInput } from "../grant/line-input.ts";
import type { Secret } from "../secret.ts";
import { rehearseReplacement } from "../store/atomic.ts";
import { groupId } from "../store/group.ts";
import { formatTokenFile, type TokenNotes, type TokenRecord } from "../store/token-file.ts";
import type { Token } from "../token.ts";
import type { World } from "../world/world.ts";
import { besideOf, whereKept } from "./adopt.ts";
import { refuseRefreshToken, requestForApplication } from "./app-only.ts";
import { readStored } from "./choose-token-file.ts";
import type { Tell } from "./events.ts";
import { type Freshness, freshToken, isFresh, type ShownToken, shownToken } from "./fresh-token.ts";
import {
  type Job,
  readAgain,
  recordOf,
  requestRefresh,
  unprovenNote,
  withReservation,
  withTokenFileLock,
} from "./job.ts";
import { checkTokenFits } from "./owner.ts";
import { prepare } from "./prepare.ts";
import { findOtherAccount, wrongAccount } from "./proof.ts";
import { readToken } from "./read-token.ts";

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
  const stored = isCacheUsed ? await freshToken(world, request) : undefined;
  if (stored !== undefined) {
    if (stored.missingScopes.length > 0) {
      tell({ is: "scopesMissing", scopes: stored.missingScopes, isStored: true });
    }
    return stored;
  }
  try {
    const issued = await freshlyIssued(world, request, tell);
    // It is stored; but whoever asked has gone.
    world.interrupted.throwIfAborted();
    return issued;
  } catch (error) {
    if (!(error instanceof MxtokenError) || error.code !== "signInNeeded") throw error;
    throw new MxtokenError("signInNeeded", error.message, {
      cause: error,
      oauthError: error.oauthError,
      hint: "somebody must sign in, by this command in a terminal:",
      commands: [request.signInCommand],
    });
  }
}

async function shownFromInput(world: World, settings: Settings, tell: Tell): Promise<ShownToken> {
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

async function tokenFromInput(world: World, tell: Tell, what: string): Promise<Secret> {
  const input = new LineInput(world);
  try {
    return await readToken(world, tell, input, what);
  } finally {
    input.close();
  }
}

async function freshlyIssued(world: World, request: ShowRequest, tell: Tell): Promise<ShownToken> {
  const { settings, refreshTokenFromInput } = request;
  const { tokenFile, record } = await readStored(world, settings);
  const isForApplication = isAppOnly(flowWanted(settings, record?.notes ?? {}));
  const needsRecord = !isForApplication && !refreshTokenFromInput;
  // Nobody has to be asked for the provider of nothing; --provider may have a file of its own.
  if (needsRecord && record === undefined && settings.provider === undefined) {
    throw nothingStored(tokenFile);
  }
  const prepared = await prepare(world, settings, false, tell, "refresh");
  // Before a place for its lock is made.
  if (needsRecord && prepared.record === undefined) throw nothingStored(prepared.tokenFile);
  const gid = settings.group === undefined ? undefined : await groupId(world, settings.group);
  const job: Job = { ...prepared, world, tell, gid, startover: false };
  if (isAppOnly(job.client.flow)) {
    refuseRefreshToken(refreshTokenFromInput);
    return showForApplication(job, request);
  }
  if (!refreshTokenFromInput) return refreshAndShow(job, request);
  const token = await tokenFromInput(world, tell, "refresh token");
  if (prepared.foundRow !== undefined) {
    checkTokenFits("what came on standard input seems to", token, prepared.foundRow);
  }
  return showByRefreshToken(job, request, token);
}

function nothingStored(tokenFile: string): MxtokenError {
  return new MxtokenError("signInNeeded", `there are no tokens in ${tokenFile}`);
}

/** Refreshes the stored token under the lock, and stores the new one before anybody sees it. */
async function refreshAndShow(job: Job, request: ShowRequest): Promise<ShownToken> {
  return withTokenFileLock(job, async () => {
    const { world, tokenFile } = job;
    const current = await readAgain(job);
    if (current === undefined) throw nothingStored(tokenFile);
    // Another process may have refreshed it while the lock was waited for.
    if (!request.nocache && isFresh(world, current, request.minLife))
      return shown(request, current);
    const { refreshToken } = current;
    if (refreshToken === undefined) {
      // Nobody knows when it ends, and there is no other.
      const isAllThereIs =
        current.accessToken !== undefined && current.notes.expiresAt === undefined;
      if (isAllThereIs && !request.nocache) return shown(request, current);
      throw new MxtokenError("signInNeeded", `there is no refresh token in ${tokenFile}`);
    }
    return refreshUnderLock(job, request, current, refreshToken);
  });
}

async function refreshUnderLock(
  job: Job,
  request: ShowRequest,
  current: TokenRecord,
  refreshToken: Secret,
): Promise<ShownToken> {
  await rehearseReplacement(job.world, job.tokenFile, job.gid);
  return withReservation(job, async (reservation) => {
    const token = await requestRefresh(job, refreshToken, current.notes.scope);
    const isNew = !refreshToken.equals(token.refreshToken);
    const keepsLineOne = request.nocache && current.accessToken !== undefined;
    const next = keepsLineOne
      ? { ...current, refreshToken: token.refreshToken }
      : renewed(job, token, current.notes);
    if (isNew || !keepsLineOne) await reservation.commit(formatTokenFile(next));
    job.tell({ is: "refreshed", newRefreshToken: isNew });
    tellShortLife(job, token, request);
    return shown(request, renewed(job, token, current.notes));
  });
}

/** Then every call gets a new one, which no server likes. */
function tellShortLife({ world, tell }: Job, { expiresAt }: Token, { minLife }: ShowRequest): void {
  if (expiresAt === undefined || expiresAt - world.now() >= minLife) return;
  tell({ is: "shortLived", expiresAt });
}

/** An application's own token is asked for anew; nothing is lost when it cannot be stored. */
async function showForApplication(job: Job, request: ShowRequest): Promise<ShownToken> {
  if (request.nocache) return issueUnstored(job, request);
  try {
    return await withTokenFileLock(job, () => issueUnderLock(job, request));
  } catch (error) {
    if (!(error instanceof MxtokenError) || error.code !== "unwritable") throw error;
    job.tell({ is: "notStored", reason: error.message });
    return issueUnstored(job, request);
  }
}

async function issueUnstored(job: Job, request: ShowRequest): Promise<ShownToken> {
  return shown(request, renewed(job, await requestForApplication(job), undefined));
}

async function issueUnderLock(job: Job, request: ShowRequest): Promise<ShownToken> {
  const current = await readAgain(job);
  if (current !== undefined && isFresh(job.world, current, request.minLife)) {
    return shown(request, current);
  }
  return withReservation(job, async (reservation) => {
    const token = await requestForApplication(job);
    const next = renewed(job, token, current?.notes);
    await reservation.commit(formatTokenFile(next));
    return shown(request, next);
  });
}

/**
 * Uses a refresh token that the person brings. An account that is stored already is not replaced by
 * one that nobody has proven: then only a new refresh token is kept, beside it.
 *
 * @throws MxtokenError `wrongAccount` for a token that is evidently somebody else's
 */
async function showByRefreshToken(
  job: Job,
  request: ShowRequest,
  refreshToken: Secret,
): Promise<ShownToken> {
  return withTokenFileLock(job, async () => {
    const current = await readAgain(job);
    if (current !== undefined && refreshToken.equals(current.refreshToken)) {
      return refreshUnderLock(job, request, current, refreshToken);
    }
    const isFree = current === undefined;
    const path = isFree ? job.tokenFile : besideOf(job.tokenFile);
    return withReservation(
      job,
      async (reservation) => {
        const token = await requestRefresh(job, refreshToken, undefined);
        const isNew = !refreshToken.equals(token.refreshToken);
        const next = renewed(job, token, undefined);
        const account = await findOtherAccount(job, token, false);
        if (account !== undefined) {
          if (isNew) await reservation.commit(formatTokenFile(next));
          // Somebody else's token is not left where this mailbox's is looked for.
          const keptIn = isNew && isFree ? besideOf(path) : path;
          if (keptIn !== path) await rename(path, keptIn);
          throw wrongAccount(job.mailbox, account, whereKept(isNew ? keptIn : undefined));
        }
        if (isNew || (isFree && !request.nocache)) {
          await reservation.commit(formatTokenFile(next));
          job.tell({ is: "keptUntilProven", path });
        }
        return shown(request, next);
      },
      path,
    );
  });
}

function renewed(job: Job, token: Token, former: TokenNotes | undefined): TokenRecord {
  return recordOf(job, token, unprovenNote(job.world.now()), former);
}

function shown({ settings }: ShowRequest, record: TokenRecord): ShownToken {
  const token = shownToken(settings, record);
  if (token === undefined) throw new MxtokenError("defect", "there is no access token to show");
  return token;
}
