import { MxtokenError } from "../errors.ts";
import { type Accepted, accept } from "../life/accept.ts";
import { keepingAnswer, type Life, tellMissingScopes } from "../life/life.ts";
import { type DeviceAuthorization, pollDeviceCode, requestDeviceCode } from "../oauth/device.ts";
import { type Token, type TokenResponse, tokenFrom } from "../token.ts";

/** How a person is asked to sign in on another device. */
export interface DeviceSignInRequest {
  /** why a person is needed */
  readonly why: string;
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

/**
 * Lets a person sign in on any device (device authorization grant, RFC 8628), then proves the token
 * and stores it.
 *
 * @throws MxtokenError `signInNeeded` when nobody signs in, `signInDeclined`, `mailboxRefused` …;
 * Interrupted
 */
export async function signInByDevice(job: Life, request: DeviceSignInRequest): Promise<Accepted> {
  // Before the person is troubled: what was consented to must find its place on the disk.
  const { account, entry, tell } = job;
  await entry.edit(account.owner, (open) => open.reserve());
  tell({ is: "beforeSignIn", remarks: account.beforeSignIn });
  const token = await keepingAnswer(job, () => obtainByDevice(job, request));
  tell({ is: "deviceCodeUsed" });
  if (token.refreshToken === undefined) tell({ is: "noRefreshToken" });
  tellMissingScopes(job, token, false);
  return accept(job, token);
}

async function obtainByDevice(job: Life, request: DeviceSignInRequest): Promise<Token> {
  const { world, account: life, tell } = job;
  const { client } = life;
  const { timeout } = request;
  const end = timeout === undefined ? Number.POSITIVE_INFINITY : world.now() + timeout * 1000;
  for (let renewed = 0; renewed <= renewals; renewed += 1) {
    if (renewed > 0) tell({ is: "deviceCodeExpired" });
    const authorization = await fetchCode(job, renewed);
    if (authorization === undefined) continue;
    const { consentName, loginHint: account } = client;
    tell({ ...request, ...authorization, is: "deviceCode", account, consentName });
    const response = await waitForPerson(job, authorization, end);
    if (response !== undefined) return tokenFrom(response, world.now(), client, undefined);
    if (world.now() >= end) {
      throw new MxtokenError("signInNeeded", `nobody signed in within ${timeout} seconds`, {
        hint: "run the command again; --timeout gives more time",
      });
    }
  }
  throw new MxtokenError("signInNeeded", `nobody signed in before ${renewals + 1} codes expired`, {
    hint: "run the command again when somebody is there",
  });
}

/** @returns undefined where another one could not be had, which is no end of the wait */
async function fetchCode(job: Life, renewed: number): Promise<DeviceAuthorization | undefined> {
  try {
    return await job.requests.send(requestDeviceCode);
  } catch (error) {
    const isUnreachable = error instanceof MxtokenError && error.code === "unreachable";
    if (!isUnreachable || renewed === 0) throw error;
    job.tell({ is: "pollFailed", reason: error.message });
    await job.world.sleep(longestPause);
    return undefined;
  }
}

/** @returns undefined when the code has expired, or it is the end of the wait */
async function waitForPerson(
  job: Life,
  authorization: DeviceAuthorization,
  end: number,
): Promise<TokenResponse | undefined> {
  const { world, tell } = job;
  const until = Math.min(end, world.now() + authorization.expiresIn * 1000);
  let interval = authorization.interval * 1000;
  let pause = interval;
  let isReachable = true;
  for (;;) {
    const left = until - world.now();
    // Asked once more at the very end: somebody may have signed in since the last time.
    if (left <= 0) return undefined;
    await world.sleep(Math.min(pause, left));
    const { deviceCode } = authorization;
    const poll = await job.requests.send((context) => pollDeviceCode(context, deviceCode));
    if (poll.is === "granted") return poll.response;
    if (poll.is === "expired") return undefined;
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
