import type { Finding } from "./mail-server.ts";

/** What tells whose a mail domain is. */
export type Evidence =
  /** every mailbox of the domain is this provider's */
  | { readonly by: "domain"; readonly domain: string }
  | {
      readonly by: "mx";
      readonly host: string;
      /** hosts of a really better preference, which tell nothing */
      readonly before: readonly string[];
      /** no source says for sure that the host is the provider's */
      readonly isProbable?: true;
    };

/** What tells the provider of a run: somebody who named it, or the address. */
export type ProviderEvidence = Evidence | { readonly by: "name" | "tokenFile" | "values" };

/** An application that asks for a token of its own. */
export type ApplicationAsking =
  | { readonly application: string; readonly by: "secret" | "certificate" }
  | { readonly serviceAccount: string };

/** The listener that a sign-in comes back to, for who is asked to sign in. */
export interface ListenerFacts {
  readonly port: number;
  /** of its certificate, for HTTPS */
  readonly fingerprint: string | undefined;
  /** shows how to trust the certificate, where it is kept */
  readonly certificateCommand: string | undefined;
}

/** What happens on the way, as data; `report/tellings.ts` has the sentences. */
export type Event =
  | { is: "lookingUpMx"; domain: string }
  | { is: "providerFound"; provider: string; evidence: ProviderEvidence }
  /** the server is asked for its metadata (RFC 8414) */
  | { is: "askingIssuer"; issuer: string }
  | {
      is: "started";
      account: string;
      provider: string;
      /** for people */
      title: string;
      /** the registered application; undefined: the person's own */
      application: string | undefined;
      tokenFile: string;
    }
  | { is: "otherProvidersFile"; tokenFile: string; provider: string }
  /** of this account, in another place than the one where they are looked for */
  | { is: "tokensElsewhere"; tokenFile: string; option: string }
  /** a file with secrets in it */
  | { is: "readableByEverybody"; path: string }
  | { is: "proving"; servers: readonly { host: string; port: number }[] }
  | { is: "storedExpired"; expiresAt: number }
  | { is: "storedProven"; findings: readonly Finding[] }
  | { is: "waitingForLock"; tokenFile: string }
  | { is: "waitingForOther"; tokenFile: string }
  | { is: "otherRefreshed" }
  /** what a process that died had left beside the file was put into it */
  | { is: "tokensRestored"; tokenFile: string }
  /** what such a process had left does not follow what stands in the file, and has a name of its own */
  | { is: "tokensKeptBeside"; tokenFile: string; path: string }
  | { is: "refreshing" }
  | { is: "finishingRequest" }
  | { is: "refreshed"; newRefreshToken: boolean }
  /** an application asks for a token of its own */
  | { is: "askingForApplication"; who: ApplicationAsking; scope: string }
  | { is: "scopeNotDelegated"; scope: string; instead: string }
  /** by how many ms this machine's clock is ahead of the server's */
  | { is: "clockDiffers"; ahead: number; host: string }
  | { is: "issued" }
  /** it is good all the same */
  | { is: "notStored"; reason: string }
  /** shorter than what is wanted of it */
  | { is: "shortLived"; expiresAt: number }
  /** the server has not said how long it is */
  | { is: "lifeUnknown" }
  /** scopes that were asked for and not granted */
  | { is: "scopesMissing"; scopes: readonly string[]; isStored: boolean }
  /** an application's token lacks what some of its uses need */
  | { is: "rolesMissing"; roles: readonly string[] }
  /** somebody else's token opens the mailbox all the same */
  | { is: "otherAccount"; account: string; mailbox: string }
  /** what is known of the provider and may keep the sign-in from being of use */
  | { is: "beforeSignIn"; remarks: readonly string[] }
  | {
      is: "signIn";
      account: string;
      /** why a person is needed */
      why: string;
      url: string;
      redirectUri: string;
      consentName: string | undefined;
      isTerminal: boolean;
      /** seconds */
      timeout: number;
      opensBrowser: boolean;
      /** undefined: nobody listens, the answer must be pasted */
      listener: ListenerFacts | undefined;
      /** the ssh command for the machine that has the browser, where that is another one */
      tunnel: { port: number; command: string } | undefined;
    }
  | {
      is: "deviceCode";
      account: string;
      /** why a person is needed */
      why: string;
      userCode: string;
      verificationUri: string;
      /** with the code in it, where the server has one */
      verificationUriComplete: string | undefined;
      consentName: string | undefined;
      /** seconds */
      expiresIn: number;
      /** whether the person wants a QR code; undefined: where there is room for it */
      qr: boolean | undefined;
    }
  | { is: "deviceCodeExpired" }
  | { is: "deviceCodeUsed" }
  | { is: "pollFailed"; reason: string }
  | { is: "browserNotOpened"; reason: string }
  | {
      is: "certificateMade";
      path: string;
      renewedBecause: string | undefined;
      /** shows how to trust it; undefined where that is being shown */
      command: string | undefined;
    }
  | { is: "certificateNotKept"; reason: string }
  | { is: "cannotListen"; reason: string }
  | { is: "inputEnded" }
  | { is: "cameBack" }
  | { is: "tokenWanted"; what: string }
  | { is: "answerRefused"; reason: string }
  /** a browser has come back with something that is no answer, as none has before in this sign-in */
  | {
      is: "uselessAnswer";
      reason: string;
      /** what is known of an error that the browser was told */
      hint: string | undefined;
      /** what to do, beginning with a verb */
      remedy: string;
      /** most browsers bring this at first, and it was announced */
      isExpected: boolean;
    }
  | { is: "stateUnchecked" }
  | { is: "exchanging" }
  | { is: "keptUntilProven"; path: string }
  | { is: "noRefreshToken" }
  /** what else a revocation ends */
  | { is: "beforeRevocation"; text: string }
  | { is: "nothingToRevoke"; expiresAt: number }
  | { is: "revoking"; host: string }
  | { is: "alreadyRevoked"; host: string }
  | { is: "revokedByHand"; provider: string; how: string | undefined }
  | { is: "applicationNotRevoked"; expiresAt: number | undefined }
  | { is: "removed"; account: string; tokenFile: string; isRevoked: boolean }
  | { is: "nothingHere"; directory: string; provider: string | undefined }
  | { is: "tokensBeside"; path: string }
  /** whether the reason names the file itself */
  | { is: "notRevoked"; tokenFile: string; reason: string; isNamed: boolean }
  | { is: "proven"; findings: readonly Finding[] };

export type Tell = (event: Event) => void;

/** An event; and which account it is about, where many are told of at once. */
export type Told = Event & { readonly of?: string };

/** A sentence about one of many accounts. */
export function ofAccount(account: string | undefined, sentence: string): string {
  return account === undefined ? sentence : `${account}: ${sentence}`;
}
