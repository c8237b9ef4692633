import type { Event } from "../events.ts";
import { showEndpoint } from "../settings/servers.ts";
import { isoSeconds } from "../token.ts";
import { askByDevice, askToSignIn } from "./how-to-sign-in.ts";
import { showEvidence } from "./provider.ts";
import { alert, always, note, notice, step, type Tellings, warning } from "./telling.ts";
import { duration, showFinding } from "./words.ts";

/** What happens on the way to a token, and to its end. */
export const tellings = {
  lookingUpMx: step(({ domain }) => `asking DNS for the MX of ${domain}`),
  providerFound: step(
    ({ provider, evidence }) => `provider ${provider}: ${showEvidence(evidence)}`,
  ),
  askingIssuer: step(({ issuer }) => `asking ${issuer} for its endpoints`),
  started: step(({ account, provider, title, application, tokenFile }) => [
    `${account} at ${provider} (${title}), as ${application === undefined ? "an application of your own" : `the application ${application}`}`,
    `token file ${tokenFile}`,
  ]),
  otherProvidersFile: step(
    ({ tokenFile, provider }) => `${tokenFile} belongs to ${provider} and is left alone`,
  ),
  tokensElsewhere: note(
    ({ tokenFile, option }) => `there are tokens of this address in ${tokenFile}: pass ${option}`,
  ),
  readableByEverybody: warning(({ path }) => `${path} can be read by everybody on this machine`),

  proving: step(({ servers }) => `logging in to ${servers.map(showEndpoint).join(" and ")}`),
  // What was not accepted ends the run, and is told as its error.
  proven: {
    level: ({ findings }) =>
      findings.some(({ alerts }) => alerts !== undefined) ? "always" : "step",
    says: ({ findings }) => findings.filter(({ result }) => result === "accepted").map(showFinding),
  },
  storedExpired: step(
    ({ expiresAt }) => `the stored access token expired at ${isoSeconds(expiresAt)}`,
  ),
  storedProven: step(({ findings }) => [
    ...findings.map((finding) => `stored token: ${showFinding(finding)}`),
    "getting a fresh one, whose life is the longest",
  ]),
  otherAccount: alert(
    ({ account, mailbox }) =>
      `the token is ${account}'s, and it opens ${mailbox} all the same: is that the one you meant?`,
  ),

  waitingForLock: step(
    ({ tokenFile }) => `waiting for another process that holds the lock of ${tokenFile}`,
  ),
  waitingForOther: step("another process has refreshed this account; waiting for its proof"),
  otherRefreshed: step("another process has just refreshed this account; using its token"),
  tokensRestored: step(
    ({ tokenFile }) =>
      `put into ${tokenFile} the tokens that a process that died had left beside it`,
  ),
  tokensKeptBeside: alert(
    ({ tokenFile, path }) =>
      `${tokenFile} was replaced since a process that died had got new tokens for it: these are in ${path}`,
  ),

  refreshing: step("asking for a new access token with the refresh token"),
  finishingRequest: always(
    "a request is on its way, and its answer may be all that counts: waiting up to 10 seconds to save it",
  ),
  refreshed: step(({ newRefreshToken }) =>
    newRefreshToken
      ? "got a new access token and a new refresh token"
      : "got a new access token; the refresh token stays the same",
  ),
  askingForApplication: step(({ who, scope }) => {
    const name =
      "serviceAccount" in who
        ? `the service account ${who.serviceAccount}`
        : `the application ${who.application}, by its ${who.by}`;
    return `asking for an access token for ${name}, with the scope ${scope}`;
  }),
  scopeNotDelegated: notice(
    ({ scope, instead }) =>
      `the scope ${scope} is not delegated to this service account; trying ${instead}`,
  ),
  clockDiffers: warning(
    ({ ahead, host }) =>
      `this machine's clock is ${duration(Math.abs(ahead))} ${ahead > 0 ? "ahead of" : "behind"} ${host}'s; asking again by that one`,
  ),
  issued: step("got an access token; it is not refreshed but asked for again"),
  notStored: warning(({ reason }) => `the token is not stored: ${reason}`),
  shortLived: warning(
    ({ expiresAt }) =>
      `even a new token is good until ${isoSeconds(expiresAt)} only: with this --min-life every call gets another one`,
  ),
  lifeUnknown: step("the server does not say how long the token lives; an hour is assumed"),
  scopesMissing: warning(
    ({ scopes, isStored }) =>
      `the scope ${scopes.join(" ")} was not granted${isStored ? " when somebody signed in; to add it, sign in anew with --startover and the same options" : ", though it was asked for: what needs it will be refused"}`,
  ),
  rolesMissing: warning(
    ({ roles }) => `the token has no role ${roles.join(", ")}: what needs it will be refused`,
  ),
  noRefreshToken: alert(
    "the server gave no refresh token: when this access token ends, somebody must sign in again",
  ),
  keptUntilProven: notice(({ path }) => `the new token is kept in ${path}, not proven yet`),

  beforeSignIn: note(({ remarks }) => remarks),
  signIn: always(askToSignIn),
  deviceCode: always(askByDevice),
  deviceCodeExpired: always("the code has expired; getting another one"),
  deviceCodeUsed: step("somebody has signed in with the code"),
  pollFailed: step(({ reason }) => `${reason}; still waiting`),
  browserNotOpened: always(
    ({ reason }) => `no browser could be opened here (${reason}): open the address above in one`,
  ),
  certificateMade: step(({ path, renewedBecause, command }) =>
    renewedBecause === undefined
      ? `made a certificate for the listener on this machine: ${path}`
      : [
          `made a new certificate for the listener: ${renewedBecause}`,
          `a browser that was told to trust the old one must be told again${command === undefined ? "" : `: ${command}`}`,
        ],
  ),
  certificateNotKept: step(
    ({ reason }) => `the listener's certificate is for this run only: ${reason}`,
  ),
  cannotListen: step(({ reason }) => `${reason}: the answer must be pasted`),
  inputEnded: step("the input ended: nothing can be pasted, only the browser is waited for"),
  cameBack: step("the browser came back"),
  tokenWanted: always(({ what }) => `paste the ${what} and press Enter (the text is not shown):`),
  answerRefused: always(({ reason }) => [`not usable: ${reason}`, "still waiting; paste again:"]),
  uselessAnswer: {
    level: ({ isExpected }) => (isExpected ? "step" : "always"),
    says: ({ reason, hint, remedy }) => [
      `the browser came back with something that is of no use: ${reason}`,
      ...(hint === undefined ? [] : [hint]),
      `still waiting; ${remedy}`,
    ],
  },
  stateUnchecked: step(
    "a bare code carries no state, so whether it answers this very sign-in cannot be checked",
  ),
  exchanging: step("exchanging the code for a token"),

  beforeRevocation: note(({ text }) => text),
  nothingToRevoke: step(
    ({ expiresAt }) =>
      `nothing is left to revoke: the access token expired at ${isoSeconds(expiresAt)}, and there is no refresh token`,
  ),
  revoking: step(({ host }) => `revoking the token at ${host}`),
  alreadyRevoked: step(({ host }) => `${host} did not know the token any more`),
  revokedByHand: always(
    ({ provider, how }) =>
      how ??
      `${provider} is not known to have a revocation endpoint: take the consent back in the settings of the account there`,
  ),
  applicationNotRevoked: step(
    ({ expiresAt }) =>
      `an application's own token is not revoked: it ends by itself${expiresAt === undefined ? "" : ` at ${isoSeconds(expiresAt)}`}, and no new one is issued when its right, its secret or its key is taken away`,
  ),
  removed: step(
    ({ account, tokenFile, isRevoked }) =>
      `${account}: ${isRevoked ? "revoked, and " : ""}${tokenFile} is removed`,
  ),
  nothingHere: always(
    ({ directory, provider }) =>
      `there is no account${provider === undefined ? "" : ` that says it is of ${provider}`} in ${directory}`,
  ),
  tokensBeside: alert(({ path }) => `${path} holds tokens too, and is left alone`),
  notRevoked: always(({ tokenFile, reason, isNamed }) =>
    isNamed ? reason : `${tokenFile}: ${reason}`,
  ),
} as const satisfies Tellings<Event>;
