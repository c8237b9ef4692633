import { MxtokenError } from "../errors.ts";
import type { Tell } from "../events.ts";
import type { OAuthClient, TokenRequestContext } from "../oauth/client.ts";
import { type DeviceAuthorization, pollDeviceCode, requestDeviceCode } from "../oauth/device.ts";
import { type Token, tokenFrom } from "../token.ts";
import type { World } from "../world/world.ts";
import type { UselessAnswer } from "./result-page.ts";

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
   *
   * @param patience for how long it waits at most, ms
   */
  ask<T>(send: (context: TokenRequestContext) => Promise<T>, patience?: number): Promise<T>;
}

/** A person signs in on another device. */
interface DeviceSignInRequest extends SignInRequest {
  /** seconds; undefined: as long as the codes last */
  readonly timeout: number | undefined;
  /** whether a QR code is wanted; undefined: where there is room for it */
  readonly qr: boolean | undefined;
}

/** How many codes are fetched after the first one has expired. */
const renewals = 3;
/** RFC 8628 section 3.5 */
const slowDownBy = 5000;
const longestPause = 60_000;
/** For what is asked at the very end of the wait; ms. */
const lastPatience = 5000;

/**
 * Lets a person sign in on any device (device authorization grant, RFC 8628).
 *
 * @throws MxtokenError `signInNeeded` when nobody signs in, `signInDeclined`, and as the requests do;
 * Interrupted
 */
export async function signInByDevice(request: DeviceSignInRequest): Promise<Token> {
  const { world, client, tell, why, qr, timeout, beforeSignIn } = request;
  tell({ is: "beforeSignIn", remarks: beforeSignIn });
  const end = timeout === undefined ? Number.POSITIVE_INFINITY : world.now() + timeout * 1000;
  let refusal: MxtokenError | undefined;
  for (let renewed = 0; renewed <= renewals; renewed += 1) {
    if (renewed > 0) tell({ is: "deviceCodeExpired" });
    const authorization = await fetchCode(request, renewed, end);
    if (authorization === undefined) {
      if (timeout !== undefined && world.now() >= end) throw nobodySignedIn(timeout);
      continue;
    }
    const { consentName, loginHint: account } = client;
    const { userCode, verificationUri, verificationUriComplete, expiresIn } = authorization;
    const shown = { userCode, verificationUri, verificationUriComplete, expiresIn };
    tell({ is: "deviceCode", account, consentName, why, qr, ...shown });
    const waited = await waitForPerson(request, authorization, end);
    if (waited.is === "granted") {
      tell({ is: "deviceCodeUsed" });
      return waited.token;
    }
    refusal = waited.is === "expired" ? waited.error : undefined;
    if (timeout !== undefined && world.now() >= end) throw nobodySignedIn(timeout);
  }
  const said = refusal?.facts.said === undefined ? "" : ` (the server says: ${refusal.facts.said})`;
  throw new MxtokenError(
    "signInNeeded",
    `nobody signed in before ${renewals + 1} codes expired${said}`,
    { facts: refusal?.facts, hint: "run the command again when somebody is there" },
  );
}

/** So many kinds of what came in the place of an answer are told again at the end, beside errors. */
const retold = 3;

/**
 * @param timeout how long was waited, seconds
 * @param missed what came in the place of an answer
 */
export function nobodySignedIn(
  timeout: number,
  missed: readonly UselessAnswer[] = [],
): MxtokenError {
  const last = missed.at(-1);
  if (last === undefined) {
    return new MxtokenError("signInNeeded", `nobody signed in within ${timeout} seconds`, {
      hint: "run the command again; --timeout gives more time",
    });
  }
  const errors = missed.filter(({ known }) => known !== undefined);
  const others = missed.filter(({ known }) => known === undefined);
  const told = [...errors, ...others.slice(-retold)];
  const known = errors[0]?.known;
  const what = told.map(({ reason }) => reason).join("; ");
  return new MxtokenError(
    "signInNeeded",
    `nothing usable came back within ${timeout} seconds: ${what}`,
    { ...known, hint: known?.hint ?? `run the command again, and ${last.remedy}` },
  );
}

/** @returns undefined where another one could not be had, which is no end of the wait */
async function fetchCode(
  { world, tell, ask }: DeviceSignInRequest,
  renewed: number,
  end: number,
): Promise<DeviceAuthorization | undefined> {
  try {
    return await ask(requestDeviceCode, Math.max(end - world.now(), lastPatience));
  } catch (error) {
    const isUnreachable = error instanceof MxtokenError && error.code === "unreachable";
    if (!isUnreachable || renewed === 0) throw error;
    tell({ is: "pollFailed", reason: error.message });
    await world.sleep(Math.max(0, Math.min(longestPause, end - world.now())));
    return undefined;
  }
}

/** What came of a code; `timedOut` at the end of its time or of the wait. */
async function waitForPerson(
  request: DeviceSignInRequest,
  authorization: DeviceAuthorization,
  end: number,
) {
  const { world, tell } = request;
  const until = Math.min(end, world.now() + authorization.expiresIn * 1000);
  let interval = authorization.interval * 1000;
  let pause = interval;
  let isReachable = true;
  for (;;) {
    const left = until - world.now();
    // Asked once more at the very end: somebody may have signed in since the last time.
    if (left <= 0) return { is: "timedOut" } as const;
    await world.sleep(Math.min(pause, left));
    const patience = Math.max(until - world.now(), lastPatience);
    const poll = await askOnce(request, authorization, patience);
    if (poll.is === "granted" || poll.is === "expired") return poll;
    if (poll.is === "slowDown") interval += slowDownBy;
    if (poll.is === "unreachable") {
      // Exponential backoff (RFC 8628 section 3.5), and never sooner than the server says.
      pause = Math.max(Math.min(pause * 2, longestPause), (poll.error.retryAfter ?? 0) * 1000);
      if (isReachable) tell({ is: "pollFailed", reason: poll.error.message });
    } else {
      pause = interval;
    }
    isReachable = poll.is !== "unreachable";
  }
}

function askOnce(
  { world, client, ask }: DeviceSignInRequest,
  { deviceCode }: DeviceAuthorization,
  patience: number,
) {
  return ask(async (context) => {
    const poll = await pollDeviceCode(context, deviceCode);
    if (poll.is !== "granted") return poll;
    return { is: poll.is, token: tokenFrom(poll.response, world.now(), client, undefined) };
  }, patience);
}
