import type { Accepted } from "../life/accept.ts";
import { accept } from "../life/accept.ts";
import type { Life } from "../life/life.ts";
import { keepingAnswer, tellMissingScopes } from "../life/life.ts";
import { signInByCode } from "../sign-in/by-code.ts";
import { signInByDevice } from "../sign-in/by-device.ts";
import type { LineInput } from "../sign-in/line-input.ts";
import type { LoopbackRedirect } from "../sign-in/redirect.ts";
import type { BrowserSettings, SignInRequest } from "../sign-in/request.ts";
import { SignInDesk } from "../sign-in/sign-in-desk.ts";
import type { Token } from "../token.ts";

/** How a person signs in, where one is needed. */
export interface SignInWishes {
  readonly browser: BrowserSettings;
  /** seconds to sign in; undefined: 300, and none at all when nobody is there */
  readonly timeout: number | undefined;
  /** whether a QR code is wanted; undefined: where there is room for it */
  readonly qr: boolean | undefined;
}

const signInTimeout = 300;

/** What is known of a sign-in when a person is asked for it. */
export interface Occasion {
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
  const ask: SignInRequest["ask"] = (send) => keepingAnswer(life, () => requests.send(send));
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
