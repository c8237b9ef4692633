import type { Event } from "../events.ts";
import { showEndpoint } from "../settings/endpoint.ts";
import { isoSeconds } from "../token.ts";
import { askByDevice } from "./device-code.ts";
import { count, showFinding } from "./finding.ts";
import { showEvidence } from "./provider.ts";
import { askToSignIn } from "./sign-in.ts";

/**
 * What an event says, in lines for standard error; none where its error says it.
 *
 * @param columns of the terminal; undefined where there is none
 */
export function describe(event: Event, columns?: number): string[] {
  switch (event.is) {
    case "lookingUpMx":
      return [`mxtoken: asking DNS for the MX of ${event.domain}`];
    case "providerFound":
      return [`mxtoken: provider ${event.provider}: ${showEvidence(event.evidence)}`];
    case "started": {
      const { account, provider, title, application, tokenFile } = event;
      return [
        `mxtoken: ${account} at ${provider} (${title}), as ${application === undefined ? "an application of your own" : `the application ${application}`}`,
        `mxtoken: token file ${tokenFile}`,
      ];
    }
    case "otherProvidersFile":
      return [`mxtoken: ${event.tokenFile} belongs to ${event.provider} and is left alone`];
    case "readableByEverybody":
      return [`mxtoken: warning: ${event.path} can be read by everybody on this machine`];
    case "askingIssuer":
      return [`mxtoken: asking ${event.issuer} for its endpoints`];
    case "proving":
      return [`mxtoken: logging in to ${event.servers.map(showEndpoint).join(" and ")}`];
    case "storedExpired":
      return [`mxtoken: the stored access token expired at ${isoSeconds(event.expiresAt)}`];
    case "storedProven":
      return [
        ...event.findings.map((finding) => `mxtoken: stored token: ${showFinding(finding)}`),
        "mxtoken: getting a fresh one, whose life is the longest",
      ];
    case "waitingForLock":
      return [`mxtoken: waiting for another process that holds the lock of ${event.tokenFile}`];
    case "waitingForOther":
      return ["mxtoken: another process has refreshed this account; waiting for its proof"];
    case "otherRefreshed":
      return ["mxtoken: another process has just refreshed this account; using its token"];
    case "tokensRestored":
      return [
        `mxtoken: put into ${event.tokenFile} the tokens that a process that died had left beside it`,
      ];
    case "tokensKeptBeside":
      return [
        `mxtoken: warning: ${event.tokenFile} was replaced since a process that died had got new tokens for it: these are in ${event.path}`,
      ];
    case "refreshing":
      return ["mxtoken: asking for a new access token with the refresh token"];
    case "finishingRequest":
      return [
        "mxtoken: a request is on its way, and its answer may be all that counts: waiting up to 10 seconds to save it",
      ];
    case "refreshed":
      return [
        event.newRefreshToken
          ? "mxtoken: got a new access token and a new refresh token"
          : "mxtoken: got a new access token; the refresh token stays the same",
      ];
    case "askingForApplication":
      return [`mxtoken: ${askingForApplication(event)}`];
    case "scopeNotDelegated":
      return [
        `mxtoken: the scope ${event.scope} is not delegated to this service account; trying ${event.instead}`,
      ];
    case "clockDiffers":
      return [
        `mxtoken: warning: this machine's clock is ${count(Math.round(Math.abs(event.ahead) / 60_000), "minute")} ${event.ahead > 0 ? "ahead of" : "behind"} ${event.host}'s; asking again by that one`,
      ];
    case "issued":
      return ["mxtoken: got an access token; it is not refreshed but asked for again"];
    case "shortLived":
      return [
        `mxtoken: warning: even a new token is good until ${isoSeconds(event.expiresAt)} only: with this --min-life every call gets another one`,
      ];
    case "scopesMissing":
      return [scopesMissing(event)];
    case "rolesMissing":
      return [
        `mxtoken: warning: the token has no role ${event.roles.join(", ")}: what needs it will be refused`,
      ];
    case "notStored":
      return [`mxtoken: warning: the token is not stored: ${event.reason}`];
    case "otherAccount":
      return [
        `mxtoken: warning: the token is ${event.account}'s, and it opens ${event.mailbox} all the same: is that the one you meant?`,
      ];
    case "beforeSignIn":
      return event.remarks.map((remark) => `mxtoken: note: ${remark}`);
    case "signIn":
      return askToSignIn(event);
    case "deviceCode":
      return askByDevice(event, columns);
    case "deviceCodeExpired":
      return ["mxtoken: the code has expired; getting another one"];
    case "deviceCodeUsed":
      return ["mxtoken: somebody has signed in with the code"];
    case "pollFailed":
      return [`mxtoken: ${event.reason}; still waiting`];
    case "tokenWanted":
      return [`mxtoken: paste the ${event.what} and press Enter (the text is not shown):`];
    case "browserNotOpened":
      return [
        `mxtoken: no browser could be opened here (${event.reason}): open the address above in one`,
      ];
    case "certificateMade":
      return certificateMade(event);
    case "certificateNotKept":
      return [`mxtoken: the listener's certificate is for this run only: ${event.reason}`];
    case "cannotListen":
      return [`mxtoken: ${event.reason}: the answer must be pasted`];
    case "inputEnded":
      return ["mxtoken: the input ended: nothing can be pasted, only the browser is waited for"];
    case "cameBack":
      return ["mxtoken: the browser came back"];
    case "answerRefused":
      return [`mxtoken: not usable: ${event.reason}`, "mxtoken: still waiting; paste again:"];
    case "stateUnchecked":
      return [
        "mxtoken: a bare code carries no state, so whether it answers this very sign-in cannot be checked",
      ];
    case "keptUntilProven":
      return [`mxtoken: the new token is kept in ${event.path}, not proven yet`];
    case "exchanging":
      return ["mxtoken: exchanging the code for a token"];
    case "noRefreshToken":
      return [
        "mxtoken: warning: the server gave no refresh token: when this access token ends, somebody must sign in again",
      ];
    case "beforeRevocation":
      return [`mxtoken: note: ${event.text}`];
    case "nothingToRevoke":
      return [
        `mxtoken: nothing is left to revoke: the access token expired at ${isoSeconds(event.expiresAt)}, and there is no refresh token`,
      ];
    case "revoking":
      return [`mxtoken: revoking the token at ${event.host}`];
    case "alreadyRevoked":
      return [`mxtoken: ${event.host} did not know the token any more`];
    case "revokedByHand":
      return [
        event.how === undefined
          ? `mxtoken: ${event.provider} is not known to have a revocation endpoint: take the consent back in the settings of the account there`
          : `mxtoken: ${event.how}`,
      ];
    case "applicationNotRevoked":
      return [
        `mxtoken: an application's own token is not revoked: it ends by itself${event.expiresAt === undefined ? "" : ` at ${isoSeconds(event.expiresAt)}`}, and no new one is issued when its right, its secret or its key is taken away`,
      ];
    case "removed":
      return [
        `mxtoken: ${event.account}: ${event.isRevoked ? "revoked, and " : ""}${event.tokenFile} is removed`,
      ];
    case "nothingHere":
      return [
        `mxtoken: there is no account${event.provider === undefined ? "" : ` that says it is of ${event.provider}`} in ${event.directory}`,
      ];
    case "tokensBeside":
      return [`mxtoken: warning: ${event.path} holds tokens too, and is left alone`];
    case "notRevoked":
      return [
        event.reason.includes(event.tokenFile)
          ? `mxtoken: ${event.reason}`
          : `mxtoken: ${event.tokenFile}: ${event.reason}`,
      ];
    case "proven":
      // What was not accepted ends the run, and is told as its error.
      return event.findings
        .filter(({ result }) => result === "accepted")
        .map((finding) => `mxtoken: ${showFinding(finding)}`);
  }
}

function askingForApplication({
  who,
  scope,
}: Extract<Event, { is: "askingForApplication" }>): string {
  const name =
    "serviceAccount" in who
      ? `the service account ${who.serviceAccount}`
      : `the application ${who.application}, by its ${who.by}`;
  return `asking for an access token for ${name}, with the scope ${scope}`;
}

function scopesMissing({ scopes, isStored }: Extract<Event, { is: "scopesMissing" }>): string {
  const what = `mxtoken: warning: the scope ${scopes.join(" ")} was not granted`;
  return isStored
    ? `${what} when somebody signed in; to add it, sign in anew with --startover and the same options`
    : `${what}, though it was asked for: what needs it will be refused`;
}

function certificateMade(event: Extract<Event, { is: "certificateMade" }>): string[] {
  if (event.renewedBecause === undefined) {
    return [`mxtoken: made a certificate for the listener on this machine: ${event.path}`];
  }
  const again = event.command === undefined ? "" : `: ${event.command}`;
  return [
    `mxtoken: made a new certificate for the listener: ${event.renewedBecause}`,
    `mxtoken: a browser that was told to trust the old one must be told again${again}`,
  ];
}

/** When the access token ends, in one line. */
export function expiry(expiresAt: number | undefined, now: number): string {
  if (expiresAt === undefined) return "the server did not say when the access token expires";
  const minutes = Math.round((expiresAt - now) / 60_000);
  return `the access token expires at ${isoSeconds(expiresAt)}, in ${count(minutes, "minute")}`;
}
