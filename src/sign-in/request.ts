import type { Tell } from "../events.ts";
import type { OAuthClient, TokenRequestContext } from "../oauth/client.ts";
import type { World } from "../world/world.ts";
import type { ListenerSettings, LoopbackRedirect } from "./redirect.ts";
import type { DeskSettings } from "./sign-in-desk.ts";

/** For which client a person is asked to sign in, and why. */
export interface SignInRequest {
  readonly world: World;
  readonly client: OAuthClient;
  readonly tell: Tell;
  /** the mailbox */
  readonly account: string;
  /** why a person is needed */
  readonly why: string;
  /** what a person has to know of the provider before */
  readonly beforeSignIn: readonly string[];
  /**
   * Asks the authorization server once, with a deadline; an answer that may hold tokens and is not
   * understood is not lost.
   */
  ask<T>(send: (context: TokenRequestContext) => Promise<T>): Promise<T>;
}

/** A person signs in with a browser. */
export interface CodeSignInRequest extends SignInRequest {
  /** seconds */
  readonly timeout: number;
  /** undefined: the redirect URI is not on this machine */
  readonly redirect: LoopbackRedirect | undefined;
  readonly browser: BrowserSettings;
}

/** A person signs in on another device. */
export interface DeviceSignInRequest extends SignInRequest {
  /** seconds; undefined: as long as the codes last */
  readonly timeout: number | undefined;
  /** whether a QR code is wanted; undefined: where there is room for it */
  readonly qr: boolean | undefined;
}

/** How the person signs in and how the answer comes back. */
export interface BrowserSettings extends DeskSettings {
  /** a browser may be opened here */
  readonly open: boolean;
  /** `--remotebrowser`: the browser is on another machine */
  readonly isRemote: boolean;
  readonly listener: ListenerSettings;
}
