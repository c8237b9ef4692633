import { MxtokenError } from "../errors.ts";
import { exchangeCode } from "../oauth/grants.ts";
import type { Proof } from "../proof/proof.ts";
import { type Token, tokenFrom } from "../token.ts";
import { isBrowserSeen, isOverSsh, sshTunnel } from "../world/run.ts";
import { nobodySignedIn, type SignInRequest } from "./by-device.ts";
import type { LineInput } from "./line-input.ts";
import type { BrowserSettings, LoopbackRedirect } from "./redirect.ts";
import { failedSignIn, type SignInResult, successfulSignIn } from "./result-page.ts";
import type { CaughtCode, SignIn } from "./sign-in.ts";
import type { SignInDesk } from "./sign-in-desk.ts";

/** A person signs in with a browser. */
interface CodeSignInRequest extends SignInRequest {
  /** seconds */
  readonly timeout: number;
  /** undefined: the redirect URI is not on this machine */
  readonly redirect: LoopbackRedirect | undefined;
  readonly browser: BrowserSettings;
}

/** For the tunnel of a run that does not listen; any other would do. */
const suggestedPort = 8765;
/** Enough for every honest mistake; an endless input must come to an end. */
const attempts = 20;

/**
 * Lets a person sign in (authorization code grant with PKCE, RFC 6749 section 4.1, RFC 7636). The
 * answer comes back to the desk's listener, or by paste, whichever is first; the browser is told what
 * `use` makes of the token.
 *
 * @throws MxtokenError `signInNeeded` when nobody answers, `signInDeclined`, and as the exchange and
 * `use` do; Interrupted
 */
export async function signInByCode<T extends { readonly proof: Proof }>(
  desk: SignInDesk,
  input: LineInput,
  request: CodeSignInRequest,
  use: (token: Token) => Promise<T>,
): Promise<T> {
  const { client, tell, redirect, browser, beforeSignIn } = request;
  const { authorizationEndpoint } = client;
  if (authorizationEndpoint === undefined) throw new MxtokenError("defect", "nowhere to sign in");
  const signIn = await desk.begin({
    client: { ...client, authorizationEndpoint },
    tell: (event) => {
      input.hideProgress();
      tell(event);
    },
    redirectUri: redirect?.uri ?? client.redirectUri,
    listenAt: wantsListener(browser) ? redirect : undefined,
  });
  let result: SignInResult | undefined;
  try {
    input.open();
    tell({ is: "beforeSignIn", remarks: beforeSignIn });
    askPerson(request, signIn);
    const token = await waitForToken(request, signIn, input);
    // Whichever came first has won, and the other is closed.
    input.close();
    if (!signIn.isWatched) await signIn.end();
    const used = await use(token);
    result = successfulSignIn(request.account, used.proof);
    return used;
  } catch (error) {
    result = failedSignIn(error);
    throw error;
  } finally {
    await signIn.end(result);
  }
}

function askPerson(request: CodeSignInRequest, { request: asked }: SignIn): void {
  const { world, client, tell, why, timeout, browser } = request;
  const { url, redirectUri, listener } = asked;
  const opensBrowser = browser.open && isBrowserSeen(world.platform, world.env);
  tell({
    is: "signIn",
    account: client.loginHint,
    consentName: client.consentName,
    ...{ why, url, redirectUri, timeout, opensBrowser, listener },
    isTerminal: world.stdin.isTTY === true,
    tunnel: tunnelFor(request, listener?.port),
  });
  if (!opensBrowser) return;
  world.openBrowser(url).catch((error: Error) => {
    tell({ is: "browserNotOpened", reason: error.message });
  });
}

/** A remote browser comes back through a tunnel only, and that needs a port that is known. */
function wantsListener(browser: BrowserSettings): boolean {
  return !browser.isRemote || browser.listener.port !== undefined;
}

/**
 * How a browser on another machine could come back, where that is where it is.
 *
 * @param listens the listener's port
 */
function tunnelFor(
  { world, redirect, browser }: CodeSignInRequest,
  listens: number | undefined,
): { port: number; command: string } | undefined {
  const isElsewhere = browser.isRemote || isOverSsh(world.env);
  // One that was wanted and cannot be is no use to a tunnel.
  const isMissing = listens === undefined && wantsListener(browser);
  if (redirect === undefined || !isElsewhere || isMissing) return undefined;
  const port = listens ?? redirect.port ?? suggestedPort;
  return { port, command: sshTunnel(world.env, port) };
}

/** Waits for codes until one of them can be exchanged. */
async function waitForToken(
  request: CodeSignInRequest,
  signIn: SignIn,
  input: LineInput,
): Promise<Token> {
  const { world, timeout } = request;
  const over = new AbortController();
  const deadline = world.deadline(timeout * 1000, over.signal);
  const wait = AbortSignal.any([deadline, world.interrupted]);
  let count = 0;
  try {
    for await (const caught of comingCodes(request, signIn, input, wait)) {
      const token = caught && (await exchange(request, caught));
      if (token !== undefined) return token;
      count += 1;
      if (count === attempts) break;
    }
  } catch (error) {
    if (!deadline.aborted || !Object.is(error, deadline.reason)) throw error;
    throw nobodySignedIn(timeout, [...signIn.missed.values()]);
  } finally {
    over.abort("over");
  }
  throw new MxtokenError("signInNeeded", `nothing usable came back in ${attempts} attempts`);
}

/**
 * The codes that come back, both ways open at the same time; what comes the other way at the same
 * moment is kept. The end of the input counts only where nobody listens. Yields undefined for a paste
 * that is no answer: another one may be pasted.
 *
 * @throws the reason of the wait's end; what {@link LineInput.next} and {@link SignIn.code} throw
 */
async function* comingCodes(
  { world, tell }: CodeSignInRequest,
  signIn: SignIn,
  input: LineInput,
  wait: AbortSignal,
): AsyncGenerator<CaughtCode | undefined, never> {
  let lines: LineInput | undefined = input;
  let line: Promise<{ readonly is: "line"; readonly text: string | undefined }> | undefined;
  let code: Promise<CaughtCode> | undefined;
  let wasPiece = false;
  for (;;) {
    code ??= signIn.code(wait);
    line ??= lines?.next(wait).then((text) => ({ is: "line", text }));
    const first = await Promise.race(line === undefined ? [code] : [code, line]);
    world.interrupted.throwIfAborted();
    if (first.is === "line") {
      line = undefined;
      if (first.text === undefined) {
        lines = undefined;
        if (signIn.request.listener === undefined) {
          throw new MxtokenError("signInNeeded", "the input ended before an answer was pasted", {
            hint: "nothing was stored; run the command again in a terminal",
          });
        }
        tell({ is: "inputEnded" });
        continue;
      }
      const verdict = signIn.paste(first.text, lines?.waiting);
      if (verdict.is === "taken" && verdict.stateChecked) lines?.dropWaiting();
      if (verdict.is !== "taken") {
        const isPiece = verdict.is === "piece";
        if (!isPiece || !wasPiece) tell({ is: "answerRefused", reason: verdict.reason });
        wasPiece = isPiece;
        // Its rest may come with the next lines, which are no more attempts than it is.
        if (!isPiece) yield undefined;
        continue;
      }
      if (!verdict.stateChecked) tell({ is: "stateUnchecked" });
    }
    const caught = await code;
    code = undefined;
    if (caught.from === "browser") {
      input.hideProgress();
      tell({ is: "cameBack" });
    }
    yield caught;
  }
}

/** @returns undefined where the code was not taken, and another one may be */
async function exchange(
  { world, client, tell, ask }: CodeSignInRequest,
  caught: CaughtCode,
): Promise<Token | undefined> {
  tell({ is: "exchanging" });
  try {
    return await ask(async (context) =>
      tokenFrom(await exchangeCode(context, caught), world.now(), client, undefined),
    );
  } catch (error) {
    if (!(error instanceof MxtokenError) || error.code !== "signInNeeded") throw error;
    const reason = `the code was not taken (${error.message}); open the sign-in address again for a new one`;
    tell({ is: "answerRefused", reason });
    caught.refuse(reason);
    return undefined;
  }
}
