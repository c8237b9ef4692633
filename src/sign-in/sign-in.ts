import { Interrupted, MxtokenError } from "../errors.ts";
import { type Accepted, accept } from "../life/accept.ts";
import { type Life, tellMissingScopes } from "../life/life.ts";
import { authorizationUrl } from "../oauth/grants.ts";
import { createProofs } from "../oauth/transport.ts";
import { isBrowserSeen, isOverSsh, sshTunnel } from "../world/run.ts";
import type { SignInResult } from "./catcher.ts";
import type { LineInput } from "./line-input.ts";
import { type BrowserSettings, type Listening, listen, wantsListener } from "./listen.ts";
import { type AuthorizationRequest, obtain } from "./obtain.ts";
import type { LoopbackRedirect } from "./redirect.ts";

/** For the tunnel of a run that does not listen; any other would do. */
const suggestedPort = 8765;

/** How a person is asked to sign in. */
export interface SignInRequest {
  /** why a person is needed */
  readonly why: string;
  /** seconds */
  readonly timeout: number;
  /** undefined: the redirect URI is not on this machine */
  readonly redirect: LoopbackRedirect | undefined;
  readonly browser: BrowserSettings;
}

/**
 * Lets a person sign in (authorization code grant with PKCE, RFC 6749 section 4.1, RFC 7636), then
 * proves the token and stores it. The answer comes back to a listener on this machine, or by
 * paste, whichever is first.
 *
 * @throws MxtokenError `signInNeeded` when nobody answers, `signInDeclined`, `mailboxRefused` …
 */
export async function signIn(
  job: Life,
  input: LineInput,
  request: SignInRequest,
): Promise<Accepted> {
  // Before the person is troubled: what was consented to must find its place on the disk.
  const { account, redirect, browser } = { ...job, ...request };
  const { client } = account;
  const { authorizationEndpoint } = client;
  if (authorizationEndpoint === undefined) throw new MxtokenError("defect", "nowhere to sign in");
  await job.entry.edit(account.owner, (open) => open.reserve());
  await job.requests.prepare();
  const proofs = await createProofs();
  const { issuer, isIssuerInAnswer } = client;
  const { state } = proofs;
  const expected = { state, issuer, isIssuerInAnswer, authorizationEndpoint };
  const listening = await listen(job, redirect, browser, expected);
  const catcher = listening?.catcher;
  let result: SignInResult | undefined;
  try {
    const redirectUri = catcher?.redirectUri ?? redirect?.uri ?? client.redirectUri;
    const sent = { job, proofs, expected, redirectUri, timeout: request.timeout };
    input.open();
    job.tell({ is: "beforeSignIn", remarks: account.beforeSignIn });
    ask(sent, request, listening);
    const token = await obtain(sent, input, catcher);
    if (token.refreshToken === undefined) job.tell({ is: "noRefreshToken" });
    tellMissingScopes(job, token, false);
    let otherAccount: string | undefined;
    const tell: Life["tell"] = (event) => {
      if (event.is === "otherAccount") otherAccount = event.account;
      job.tell(event);
    };
    const outcome = await accept({ ...job, tell }, token);
    const { mailbox } = account;
    const { findings } = outcome.proof;
    const hosts = [...new Set(findings.map(({ host }) => host))];
    result = { is: "signedIn", account: mailbox.address.text, hosts, otherAccount };
    return outcome;
  } catch (error) {
    result = failure(error);
    throw error;
  } finally {
    await catcher?.close(result);
  }
}

function ask(
  { job, proofs, expected, redirectUri, timeout }: AuthorizationRequest,
  { why, redirect, browser }: SignInRequest,
  listening: Listening | undefined,
): void {
  const { world, tell, account } = job;
  const { client } = account;
  const url = authorizationUrl({ ...client, ...expected }, redirectUri, proofs);
  const opensBrowser = browser.open && isBrowserSeen(world.platform, world.env);
  tell({
    is: "signIn",
    account: client.loginHint,
    why,
    url,
    redirectUri,
    consentName: client.consentName,
    isTerminal: world.stdin.isTTY === true,
    timeout,
    opensBrowser,
    listener: listening && {
      fingerprint: listening.certificate?.facts.fingerprint,
      certificateCommand: listening.isCertificateKept ? browser.certificateCommand : undefined,
    },
    tunnel: tunnelFor(job, redirect, browser, listening),
  });
  if (!opensBrowser) return;
  world.openBrowser(url).catch((error: Error) => {
    tell({ is: "browserNotOpened", reason: error.message });
  });
}

/** How a browser on another machine could come back, where that is where it is. */
function tunnelFor(
  { world }: Life,
  redirect: LoopbackRedirect | undefined,
  browser: BrowserSettings,
  listening: Listening | undefined,
): { port: number; command: string } | undefined {
  const isElsewhere = browser.isRemote || isOverSsh(world.env);
  // One that was wanted and cannot be is no use to a tunnel.
  const isMissing = listening === undefined && wantsListener(browser);
  if (redirect === undefined || !isElsewhere || isMissing) return undefined;
  const port = listening?.catcher.port ?? redirect.port ?? suggestedPort;
  return { port, command: sshTunnel(world.env, port) };
}

/** For the page in the browser; an unexpected error's own words may quote anything. */
function failure(error: unknown): SignInResult {
  if (error instanceof Interrupted) {
    return { is: "unfinished", message: `the program was ${error.message}`, hint: undefined };
  }
  if (!(error instanceof MxtokenError)) {
    return { is: "unfinished", message: "the program has a defect", hint: undefined };
  }
  const { code, message, hint } = error;
  return { is: code === "unreachable" ? "unfinished" : "failed", message, hint };
}
