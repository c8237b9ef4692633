import { checkTokenFits } from "../account/owner.ts";
import { prepare } from "../account/prepare.ts";
import { MxtokenError, signInHint } from "../errors.ts";
import type { Tell } from "../events.ts";
import { adoptRefreshToken } from "../life/adopt.ts";
import { obtainForApplication, refuseRefreshToken } from "../life/app-only.ts";
import { type Job, type Outcome, tellMissingScopes, withTokenRequest } from "../life/job.ts";
import { keepingAnswer } from "../life/kept-answer.ts";
import { proveAndStore } from "../life/new-token.ts";
import { refreshStored } from "../life/refresh.ts";
import type { TokenRequestContext } from "../oauth/request-context.ts";
import { proveByEvery, serversToAsk } from "../proof/prove.ts";
import { isAppOnly } from "../settings/flow.ts";
import type { Settings } from "../settings/settings.ts";
import { signInByCode } from "../sign-in/by-code.ts";
import { signInByDevice } from "../sign-in/by-device.ts";
import { LineInput } from "../sign-in/line-input.ts";
import { type LoopbackRedirect, loopbackRedirect } from "../sign-in/redirect.ts";
import type { BrowserSettings } from "../sign-in/request.ts";
import { SignInDesk } from "../sign-in/sign-in-desk.ts";
import { rehearseReplacement } from "../store/atomic.ts";
import { groupId } from "../store/group.ts";
import { isReadableByEverybody } from "../store/read.ts";
import { withTokenFileLock } from "../store/token-file-lock.ts";
import type { Token, TokenRecord } from "../token.ts";
import type { World } from "../world/world.ts";
import { readToken } from "./read-token.ts";

/** What the person wants of one run. */
export interface GetRequest {
  readonly settings: Settings;
  /** ignore the stored tokens */
  readonly startover: boolean;
  /** take the refresh token from standard input instead of the file */
  readonly refreshTokenFromInput: boolean;
  /** how a person signs in, where one is needed */
  readonly browser: BrowserSettings;
  /** seconds to sign in; undefined: 300, and none at all when nobody is there */
  readonly timeout: number | undefined;
  /** whether a QR code is wanted; undefined: where there is room for it */
  readonly qr: boolean | undefined;
  /** whether a person may be asked to sign in; a program may be waiting for what stands on stdin */
  readonly mayAsk: boolean;
  /** the command by which a person signs in, in a terminal */
  signInCommand(): string;
}

const signInTimeout = 300;

/**
 * The whole job for one mailbox: prove the stored token, refresh it or let the person sign in,
 * prove the new one, write the token file.
 *
 * @throws MxtokenError; Interrupted
 */
export async function get(world: World, request: GetRequest, tell: Tell): Promise<Outcome> {
  const { settings, startover, browser } = request;
  const prepared = await prepare(world, settings, startover, tell);
  const gid = settings.group === undefined ? undefined : await groupId(world, settings.group);
  const job: Job = { ...prepared, world, tell, gid, startover };
  const { mailbox, client, tokenFile, record, passedOver } = job;
  // A contradiction is told at every run, not only when somebody has to sign in.
  const redirect =
    client.flow === "code"
      ? loopbackRedirect(client.redirectUri, browser.listener, client.isRedirectUriExact)
      : undefined;
  tell({
    is: "started",
    account: mailbox.address.text,
    provider: mailbox.provider,
    title: mailbox.title,
    application: client.consentName === undefined ? undefined : client.app,
    tokenFile,
  });
  if (passedOver !== undefined) tell({ is: "otherProvidersFile", ...passedOver });
  if (await isReadableByEverybody(world, tokenFile)) {
    tell({ is: "readableByEverybody", path: tokenFile });
  }
  if (isAppOnly(client.flow)) {
    refuseRefreshToken(request.refreshTokenFromInput);
    if (record !== undefined && !startover) await proveStored(job, record);
    return obtainForApplication(job);
  }
  const key = client.certificate?.readableByEverybody;
  if (key !== undefined) tell({ is: "readableByEverybody", path: key });
  const input = new LineInput(world);
  try {
    if (request.refreshTokenFromInput) {
      const token = await readToken(world, tell, input, "refresh token");
      if (prepared.foundRow !== undefined) {
        checkTokenFits("what came on standard input seems to", token, prepared.foundRow);
      }
      return await adoptRefreshToken(job, token);
    }
    const renewed = await renew(job, record);
    if (typeof renewed !== "string") return renewed;
    await requireSomebody(world, input, request, renewed);
    return await signIn(job, request, { input, redirect, why: renewed });
  } finally {
    input.close();
  }
}

/** @returns why only a person can help, where that is so */
async function renew(job: Job, record: TokenRecord | undefined): Promise<Outcome | string> {
  if (job.startover) return "--startover ignores the stored tokens";
  if (record === undefined) return `there are no tokens yet in ${job.tokenFile}`;
  await proveStored(job, record);
  try {
    return (await refreshStored(job, record)) ?? `there is no refresh token in ${job.tokenFile}`;
  } catch (error) {
    if (!(error instanceof MxtokenError) || error.code !== "signInNeeded") throw error;
    return error.message;
  }
}

/** Only to tell the person: whatever comes out, a fresh token has the longest life before it. */
async function proveStored(job: Job, record: TokenRecord): Promise<void> {
  const { accessToken, notes } = record;
  if (accessToken === undefined) return;
  if (notes.expiresAt !== undefined && notes.expiresAt <= job.world.now()) {
    // A failed login would count against the mailbox.
    job.tell({ is: "storedExpired", expiresAt: notes.expiresAt });
    return;
  }
  if (job.mailbox.verify.length === 0) return;
  job.tell({ is: "proving", servers: serversToAsk(job.mailbox) });
  const findings = await proveByEvery(job.world, job.mailbox, accessToken);
  job.tell({ is: "storedProven", findings });
}

/** What is known of a sign-in when a person is asked for it. */
interface Occasion {
  readonly input: LineInput;
  /** undefined: the redirect URI is not on this machine */
  readonly redirect: LoopbackRedirect | undefined;
  /** why a person is needed */
  readonly why: string;
}

/** Lets a person sign in, proves the token and stores it. */
async function signIn(
  job: Job,
  { browser, timeout, qr }: GetRequest,
  { input, redirect, why }: Occasion,
): Promise<Outcome> {
  const { world, client, tell, tokenFile, beforeSignIn } = job;
  // Before the person is troubled: what was consented to must find its place on the disk.
  await withTokenFileLock(job, () => rehearseReplacement(world, tokenFile, job.gid));
  const ask = <T>(send: (context: TokenRequestContext) => Promise<T>) =>
    keepingAnswer(job, () => withTokenRequest(job, send));
  const asked = { world, client, tell, why, beforeSignIn, ask };
  const use = async (token: Token) => {
    if (token.refreshToken === undefined) tell({ is: "noRefreshToken" });
    tellMissingScopes(job, token, false);
    return proveAndStore(job, token, "signed in");
  };
  if (client.flow === "device") return use(await signInByDevice({ ...asked, timeout, qr }));
  const desk = new SignInDesk(world, browser);
  try {
    const patience = timeout ?? signInTimeout;
    const byCode = { ...asked, timeout: patience, redirect, browser };
    return await signInByCode(desk, input, byCode, use);
  } finally {
    await desk.close();
  }
}

/** Under cron and in CI nobody can sign in: then nothing is begun. */
async function requireSomebody(
  world: World,
  input: LineInput,
  { timeout, mayAsk, signInCommand }: GetRequest,
  why: string,
): Promise<void> {
  const isTerminal = world.stdin.isTTY === true || world.stderr.isTTY === true;
  const isSomebodyThere = isTerminal || timeout !== undefined;
  if (mayAsk && (isSomebodyThere || !(await input.isAtEnd()))) return;
  const nobody = mayAsk ? ", and nobody is there" : "";
  throw new MxtokenError("signInNeeded", `a person must sign in${nobody}: ${why}`, {
    hint: signInHint,
    commands: [signInCommand()],
  });
}
