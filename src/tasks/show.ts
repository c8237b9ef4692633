import { readStored } from "../account/choose-token-file.ts";
import { checkTokenFits } from "../account/owner.ts";
import { prepare } from "../account/prepare.ts";
import { MxtokenError, signInHint } from "../errors.ts";
import type { Tell } from "../events.ts";
import { refuseRefreshToken } from "../life/app-only.ts";
import { freshToken, type ShownToken } from "../life/fresh-token.ts";
import { showForApplication } from "../life/issue-for-program.ts";
import type { Job } from "../life/job.ts";
import { refreshAndShow, showByRefreshToken } from "../life/refresh-for-program.ts";
import { nothingStored, type ShowRequest } from "../life/show-request.ts";
import type { Secret } from "../secret.ts";
import { flowWanted, isAppOnly } from "../settings/flow.ts";
import { explicitProvider } from "../settings/provider.ts";
import type { Settings } from "../settings/settings.ts";
import { LineInput } from "../sign-in/line-input.ts";
import { groupId } from "../store/group.ts";
import type { World } from "../world/world.ts";
import { readToken } from "./read-token.ts";

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
    throw error.with({ hint: signInHint, commands: [request.signInCommand] });
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
  const { tokenFile, record } = await readStored(world, settings, tell);
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
