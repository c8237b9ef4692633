import { checkTokenFits } from "../account/stored.ts";
import type { ProviderRow } from "../catalog/provider-row.ts";
import { MxtokenError } from "../errors.ts";
import type { Tell } from "../events.ts";
import { type Accepted, accept } from "../life/accept.ts";
import { keepingAnswer, type Life, send, tellMissingScopes } from "../life/life.ts";
import { Secret } from "../secret.ts";
import { signInByCode } from "../sign-in/by-code.ts";
import { type SignInRequest, signInByDevice } from "../sign-in/by-device.ts";
import { LineInput } from "../sign-in/line-input.ts";
import type { BrowserSettings, LoopbackRedirect } from "../sign-in/redirect.ts";
import { type DeskSettings, SignInDesk } from "../sign-in/sign-in-desk.ts";
import { otherThanToken } from "../store/token-file-kind.ts";
import { isTokenText, type Token } from "../token.ts";
import { within } from "../world/waiting.ts";
import type { Clock, Stop, Terminal } from "../world/world.ts";

/** How a person signs in, where one is needed. */
export interface SignInWishes {
  readonly browser: BrowserSettings & DeskSettings;
  /** seconds to sign in; undefined: 300, and none at all when nobody is there */
  readonly timeout: number | undefined;
  /** whether a QR code is wanted; undefined: where there is room for it */
  readonly qr: boolean | undefined;
}

const signInTimeout = 300;

/** What is known of a sign-in when a person is asked for it. */
interface Occasion {
  readonly input: LineInput;
  /** undefined: the redirect URI is not on this machine */
  readonly redirect: LoopbackRedirect | undefined;
  /** why a person is needed */
  readonly why: string;
}

/** Lets a person sign in, proves the token and stores it. */
export async function signIn(
  life: Life,
  { browser, timeout, qr }: SignInWishes,
  { input, redirect, why }: Occasion,
): Promise<Accepted> {
  const { world, account, entry, requests, tell } = life;
  const { client, beforeSignIn, mailbox } = account;
  // Before the person is troubled: what was consented to must find its place.
  await entry.edit(account.owner, (open) => open.reserve());
  await requests.prepare();
  const ask: SignInRequest["ask"] = (request, patience) =>
    keepingAnswer(life, () => send(life, request, patience));
  const asked = { world, client, tell, why, beforeSignIn, ask, account: mailbox.address.text };
  const use = (token: Token) => {
    if (token.refreshToken === undefined) tell({ is: "noRefreshToken" });
    tellMissingScopes(life, token, false);
    return accept(life, token);
  };
  if (client.flow === "device") return use(await signInByDevice({ ...asked, timeout, qr }));
  const desk = new SignInDesk(world, browser);
  try {
    const patience = timeout ?? signInTimeout;
    return await signInByCode(desk, input, { ...asked, timeout: patience, redirect, browser }, use);
  } finally {
    await desk.close();
  }
}

/** As long as a person has to sign in. */
const patience = 300_000;

interface WantedToken {
  /** its kind, for the question and the error */
  readonly what: "access token" | "refresh token";
  /** the provider, where only the address tells it: then a token that is evidently another's is refused */
  readonly foundRow?: ProviderRow | undefined;
}

/**
 * Reads a token from standard input: its first line that is not blank.
 *
 * @throws MxtokenError `usage`, `configuration`; Interrupted
 */
export async function tokenFromInput(
  world: Clock & Terminal & Stop,
  tell: Tell,
  { what, foundRow }: WantedToken,
): Promise<Secret> {
  const input = new LineInput(world);
  try {
    input.open();
    if (world.stdin.isTTY === true) tell({ is: "tokenWanted", what });
    const nothing = () => undefined;
    const text = await within(world, patience, (stop) => input.next(stop), nothing);
    if (text === undefined) throw new MxtokenError("usage", `no ${what} came on standard input`);
    const other = otherThanToken(text);
    if (!isTokenText(text) || other !== undefined) {
      const seen = other ?? (text.includes("\0") ? "in UTF-32, or no text" : undefined);
      const why = seen === undefined ? "" : `: it is ${seen}`;
      throw new MxtokenError("usage", `what came on standard input is no ${what}${why}`);
    }
    const token = new Secret(text);
    const where = "what came on standard input seems to";
    if (foundRow !== undefined) checkTokenFits(where, token, foundRow);
    return token;
  } finally {
    input.close();
  }
}
