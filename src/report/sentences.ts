import { showEndpoint } from "../config/endpoint.ts";
import type { Event } from "../flow/events.ts";
import { isoSeconds } from "../store/token-file.ts";
import { count, showFinding } from "./finding.ts";
import { showEvidence } from "./provider.ts";
import { askToSignIn } from "./sign-in.ts";

/** What an event says, in lines for standard error; none where its error says it. */
export function describe(event: Event): string[] {
  switch (event.is) {
    case "lookingUpMx":
      return [`mxtoken: asking DNS for the MX of ${event.domain}`];
    case "providerFound":
      return [`mxtoken: provider ${event.provider}: ${showEvidence(event.evidence)}`];
    case "started": {
      const { mailbox, client, tokenFile } = event;
      return [
        `mxtoken: ${mailbox.address.text} at ${mailbox.provider} (${mailbox.title}), as ${client.consentName === undefined ? "an application of your own" : `the application ${client.app}`}`,
        `mxtoken: token file ${tokenFile}`,
      ];
    }
    case "otherProvidersFile":
      return [`mxtoken: ${event.tokenFile} belongs to ${event.provider} and is left alone`];
    case "readableByEverybody":
      return [`mxtoken: warning: ${event.tokenFile} can be read by everybody on this machine`];
    case "proving":
      return [`mxtoken: logging in to ${showEndpoint(event.mailbox.imap)}`];
    case "storedExpired":
      return [`mxtoken: the stored access token expired at ${isoSeconds(event.expiresAt)}`];
    case "storedProven":
      return [
        `mxtoken: stored token: ${showFinding(event.finding)}; getting a fresh one all the same`,
      ];
    case "waitingForLock":
      return [`mxtoken: waiting for another process that holds the lock of ${event.tokenFile}`];
    case "waitingForOther":
      return ["mxtoken: another process has refreshed this account; waiting for its proof"];
    case "otherRefreshed":
      return ["mxtoken: another process has just refreshed this account; using its token"];
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
    case "beforeSignIn":
      return event.remarks.map((remark) => `mxtoken: note: ${remark}`);
    case "signIn":
      return askToSignIn(event);
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
    case "oldTokensKept":
      return [`mxtoken: ${event.path} stays as it was, because the new token is not proven`];
    case "exchanging":
      return ["mxtoken: exchanging the code for a token"];
    case "noRefreshToken":
      return [
        "mxtoken: warning: the server gave no refresh token: when this access token ends, somebody must sign in again",
      ];
    case "proven":
      // What was not accepted ends the run, and is told as its error.
      return event.finding.result === "accepted" ? [`mxtoken: ${showFinding(event.finding)}`] : [];
  }
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
