import { readStored } from "../account/choose-token-file.ts";
import { prepare } from "../account/prepare.ts";
import { providerByName } from "../catalog/providers.ts";
import { MxtokenError } from "../errors.ts";
import type { Tell } from "../events.ts";
import type { Finding } from "../finding.ts";
import { obtainForApplication } from "../life/app-only.ts";
import { issueUnproven } from "../life/issue-unproven.ts";
import { type Job, prove, readAgain } from "../life/job.ts";
import { refreshStored } from "../life/refresh.ts";
import { refreshUnproven } from "../life/refresh-unproven.ts";
import { noRefreshToken, nothingStored } from "../life/show-request.ts";
import { requireAccepted, resultOf } from "../proof/proof.ts";
import { flowWanted, isAppOnly } from "../settings/flow.ts";
import type { Settings } from "../settings/settings.ts";
import { groupId } from "../store/group.ts";
import { identityIn, readTokenFile, signatureOf, writtenAt } from "../store/read.ts";
import { identityOf, type TokenIdentity } from "../store/token-file.ts";
import { withTokenFileLock } from "../store/token-file-lock.ts";
import { tokenFileOf } from "../store/token-file-path.ts";
import { lifeOf, type TokenLife, withBelievedEnd } from "../store/token-life.ts";
import type { TokenRecord } from "../token.ts";
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
  /** absolute; undefined where nobody may even look for it */
  readonly tokenFile: string | undefined;
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
  let job: Job | undefined;
  let findings: readonly Finding[] | undefined;
  let isRenewed = false;
  let error: unknown;
  const before = signatureOf(tokenFileOf(world, request.settings));
  const watch: Tell = (event) => {
    if (event.is === "proven") findings = event.findings;
    // What a login said of the token before says nothing of the next one.
    if (event.is === "refreshing" || event.is === "askingForApplication") findings = undefined;
    if (event.is === "refreshed" || event.is === "issued") isRenewed = true;
    tell(event);
  };
  try {
    job = await jobOf(world, request, watch);
    await renewOrProve(job, request);
  } catch (cause) {
    error = cause;
  }
  const after = await lookAfter(world, request, job, before, isRenewed).catch((cause) => {
    error ??= cause;
    const tokenFile = job?.tokenFile;
    return { tokenFile, isLookedAt: false, life: undefined, identity: undefined };
  });
  const provider = job?.mailbox.provider;
  const server = job === undefined ? undefined : new URL(job.client.tokenEndpoint).host;
  const flow = job?.client.flow ?? flowWanted(request.settings, {});
  const isAskable = after.identity !== undefined || isAppOnly(flow);
  return { ...after, provider, server, isAskable, isRenewed, findings, error };
}

/**
 * The host of the token endpoint that is given, or that the token file names, or of the provider that
 * they name; undefined where neither does.
 */
export async function storedServer(world: World, settings: Settings): Promise<string | undefined> {
  try {
    const { record } = await readStored(world, settings, () => undefined);
    const name = settings.provider ?? record?.notes.provider;
    const row = name === undefined ? undefined : providerByName(name);
    const named = settings.provider === undefined ? record?.notes.tokenEndpoint : undefined;
    const uri = settings.tokenUri ?? named ?? row?.tokenEndpoint;
    return uri !== undefined && URL.canParse(uri) ? new URL(uri).host : undefined;
  } catch {
    // The turn will say what is wrong.
    return undefined;
  }
}

/** What has become of the token file, and what it was when the turn began. */
async function lookAfter(
  world: World,
  { settings }: TurnRequest,
  job: Job | undefined,
  before: string | undefined,
  isRenewed: boolean,
): Promise<Pick<Turn, "tokenFile" | "isLookedAt" | "life" | "identity">> {
  const tokenFile = job?.tokenFile ?? tokenFileOf(world, settings);
  const read = await readTokenFile(tokenFile).catch((error) => {
    if (error instanceof MxtokenError && error.code === "unreachable") throw error;
    return undefined;
  });
  const record = withBelievedEnd(world, tokenFile, read);
  const isLookedAt = true;
  const life = lifeOf(record, isRenewed ? world.now() : writtenAt(tokenFile));
  if (job !== undefined) {
    const identity = job.record === undefined ? undefined : identityOf(job.record);
    return { tokenFile, isLookedAt, life, identity };
  }
  // It failed before anybody read the tokens, and somebody may have replaced them meanwhile.
  const isUnchanged = signatureOf(tokenFile) === before;
  const identity = isUnchanged ? await identityIn(tokenFile) : undefined;
  return { tokenFile, isLookedAt, life, identity };
}

async function jobOf(world: World, request: TurnRequest, tell: Tell): Promise<Job> {
  const { settings, isPlaceKnown, onLastAnswer = () => undefined } = request;
  const isNamed = settings.provider !== undefined || settings.flow !== undefined;
  if (!isNamed) {
    const { record, tokenFile } = await readStored(world, settings, tell);
    // Nobody has to be asked for the provider of nothing.
    if (record === undefined) throw nothingStored(tokenFile);
  }
  const prepared = await prepare(world, settings, false, tell, "refresh");
  const gid = settings.group === undefined ? undefined : await groupId(world, settings.group);
  const settled = { startover: false, isPlaceKnown, isStoredWithoutProof: true, onLastAnswer };
  return { ...prepared, ...settled, world, tell, gid };
}

async function renewOrProve(job: Job, request: TurnRequest): Promise<void> {
  const { record, tokenFile } = job;
  const isForApplication = isAppOnly(job.client.flow);
  if (record === undefined && !isForApplication) throw nothingStored(tokenFile);
  const life = lifeOf(record, writtenAt(tokenFile));
  if (request.isDue(life) || record?.accessToken === undefined) {
    await renew(job, request, record);
    return;
  }
  // A failed login would count against the mailbox.
  const isOver = life?.expiresAt !== undefined && life.expiresAt <= job.world.now();
  if (!request.proves || job.mailbox.verify.length === 0 || isOver) return;
  const proof = await prove(job, { accessToken: record.accessToken });
  // The server has ended it before its time; a new one may do.
  if (resultOf(proof) === "refused") await renew(job, { ...request, isDue: () => true }, record);
  else requireAccepted(job.mailbox, proof, consequence);
}

const consequence = {
  refused: "the stored token is kept",
  unreachable: "the stored token is kept, and is proven later",
};

async function renew(
  job: Job,
  request: TurnRequest,
  record: TokenRecord | undefined,
): Promise<void> {
  if (isAppOnly(job.client.flow)) {
    if (request.proves) await obtainForApplication(job);
    else await issueUnproven(job, () => false);
    return;
  }
  if (record === undefined) throw nothingStored(job.tokenFile);
  // Where nothing is proven, both lines are stored at once.
  if (!request.proves || job.mailbox.verify.length === 0) return renewUnproven(job, request);
  if ((await refreshStored(job, record)) === undefined) throw noRefreshToken(job.tokenFile);
}

async function renewUnproven(job: Job, request: TurnRequest): Promise<void> {
  await withTokenFileLock(job, async () => {
    const current = await readAgain(job);
    if (current === undefined) throw nothingStored(job.tokenFile);
    // Another process may have refreshed it while the lock was waited for.
    const life = lifeOf(current, writtenAt(job.tokenFile));
    if (current.accessToken !== undefined && !request.isDue(life)) {
      job.tell({ is: "otherRefreshed" });
      return;
    }
    if (current.refreshToken === undefined) throw noRefreshToken(job.tokenFile);
    await refreshUnproven(job, current, current.refreshToken, false);
  });
}
