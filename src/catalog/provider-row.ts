import type { Endpoint, Mechanism, Protocol } from "../mail-server.ts";

/**
 * Ways to the first token, as `--flow` names them: authorization code (RFC 6749 section 4.1),
 * device authorization (RFC 8628), client credentials (RFC 6749 section 4.4), and a service
 * account's signed assertion (RFC 7523).
 */
export type Flow = "code" | "device" | "client-credentials" | "service-account";

/** Flows that give an application a token of its own: nobody signs in, and nothing is refreshed. */
export function isAppOnly(flow: Flow): boolean {
  return flow === "client-credentials" || flow === "service-account";
}

type Sources = readonly [string, ...string[]];

/** An OAuth application that is registered at a provider. */
export interface ApplicationRow {
  readonly clientId: string;
  /** a secret that the application's own publisher shows to everybody: it protects nothing */
  readonly publishedClientSecret?: string;
  /** the application has a secret that is not ours to ship: the user must bring it */
  readonly needsOwnSecret?: true;
  /** exactly as registered; a port is inserted only where a listener needs one */
  readonly redirectUri: string;
  /**
   * the provider is not known to take the redirect URI with a port in it, so that nobody can
   * listen for the answer: it is pasted
   */
  readonly isRedirectUriExact?: true;
  /** the name that the provider's consent page shows */
  readonly consentName: string;
  readonly sources: Sources;
}

/** How the mailboxes of a provider are recognised, and where they are. */
interface MailHostRow {
  readonly name: string;
  /** other names that `--provider` takes */
  readonly aliases: readonly string[];
  readonly title: string;
  /** mail domains of which every mailbox is here: these need no look-up */
  readonly domains: readonly string[];
  /** names of MX hosts: exact, or `*.` and the labels they end with */
  readonly mx: readonly string[];
  /** as `mx`, but no source says so for sure: enough for an advice, and for nothing else */
  readonly unconfirmedMx?: readonly string[];
  /** names that fit `mx` and receive no mail of a mailbox */
  readonly notMx?: readonly string[];
  readonly imap: Endpoint;
  readonly smtp?: Endpoint;
  readonly pop?: Endpoint;
  /** what is worth knowing */
  readonly remarks?: readonly string[];
  readonly sources: Sources;
}

/** One mail provider. `{tenant}` in an endpoint stands for the Microsoft tenant. */
export interface ProviderRow extends MailHostRow {
  /** how its tokens begin, where they can be told from everybody else's */
  readonly tokenPrefixes?: readonly string[];
  /** oauth2_imap, whose token files name no provider, knows it */
  readonly isKnownToOauth2Imap?: true;
  readonly authorizationEndpoint: string;
  readonly tokenEndpoint: string;
  /** RFC 8628 */
  readonly deviceAuthorizationEndpoint?: string;
  /** RFC 7009 */
  readonly revocationEndpoint?: string;
  /** what else a revocation ends; told before it is asked for */
  readonly beforeRevocation?: string;
  /** where a person takes a consent back where no endpoint does it; a sentence without a full stop */
  readonly revokeByHand?: string;
  /** tells whose an opaque access token is */
  readonly tokenInfoEndpoint?: string;
  /** what RFC 9207's `iss` must be, where the provider is known to send it */
  readonly issuer?: string;
  /** the tenant when the person names none; only where endpoints have `{tenant}` */
  readonly defaultTenant?: string;
  /** protocols whose servers take no token */
  readonly withoutToken?: readonly Protocol[];
  /** what each protocol needs; one that is missing is not known for sure, or does not exist */
  readonly scopes: { readonly imap?: string; readonly smtp?: string; readonly pop?: string };
  /** asked for beside the scopes of the protocols */
  readonly extraScopes: readonly string[];
  /** granted without being named in the answer: a refresh must go on asking for them */
  readonly unechoedScopes?: readonly string[];
  /** sent with the authorization request beside the standard parameters */
  readonly authorizationParameters: Readonly<Record<string, string>>;
  /** no PKCE (RFC 7636): the provider's own clients leave it out as well */
  readonly withoutPkce?: true;
  /** the token endpoint wants the scope repeated when a token is refreshed */
  readonly scopeOnRefresh?: true;
  /** at the exchange of a code the secret is sent by HTTP Basic (RFC 6749 section 2.3.1) */
  readonly basicAtCodeExchange?: true;
  /** what an application of the person's own must ask for, where the catalogue's need not */
  readonly ownApplication?: {
    /** RFC 8707 */
    readonly resource: string;
    readonly scope: string;
  };
  /** client credentials (RFC 6749 section 4.4), where their scope is known for sure */
  readonly clientCredentials?: {
    readonly scope: string;
    /** the claim `roles` of the token must hold it; in tokens that can be read */
    readonly roles: Readonly<Record<Protocol, string>>;
  };
  /** a service account's assertion (RFC 7523): the scope for IMAP alone, and the one for all */
  readonly serviceAccount?: { readonly imapScope: string; readonly scope: string };
  /** why one of the usual flows is not there; a sentence without a full stop */
  readonly withoutFlow?: Readonly<Partial<Record<Flow, string>>>;
  /** where an application of one's own is registered */
  readonly registration?: string;
  readonly mechanisms: readonly [Mechanism, ...Mechanism[]];
  /** the POP server wants AUTH and the token on two lines, however short it is */
  readonly isPopTokenOnNextLine?: true;
  readonly flows: readonly [Flow, ...Flow[]];
  /** what a person has to know before it works; told before every sign-in */
  readonly beforeSignIn?: readonly string[];
  /** the same for a public client (RFC 6749 section 2.1): one without a secret */
  readonly beforePublicSignIn?: readonly string[];
  /** the default is `thunderbird`, where it is there */
  readonly applications: Readonly<Record<string, ApplicationRow>>;
  /** what no source says for sure: left out above, or told to the person */
  readonly unconfirmed?: readonly string[];
}

/** A provider whose IMAP server takes no OAuth 2.0 token. */
export interface PasswordOnlyRow extends MailHostRow {
  /** what a person can do instead, in one sentence without a full stop */
  readonly instead: string;
}

/** Whether its IMAP server takes a token or not. */
export type AnyProviderRow = ProviderRow | PasswordOnlyRow;

/** A service that filters mail and passes it on: its MX does not tell where the mailboxes are. */
export interface GatewayRow {
  readonly title: string;
  readonly mx: readonly [string, ...string[]];
  readonly sources: Sources;
}

/** Sources that several rows cite: `owner/repository:path@commit`, or an address. */
export const thunderbirdTable =
  "mozilla/releases-comm-central:mailnews/base/src/OAuth2Providers.sys.mjs@003b6e96";
export const oauth2Imap = "imapsync/imapsync:oauth2/oauth2_imap/oauth2_imap";
export const emailEngine = "postalsys/emailengine:lib/oauth/outlook.js,lib/tools.js@aea45350";
export const fairEmail = "M66B/FairEmail:app/src/main/res/xml/providers.xml@e23dd9df";
export const kumoMta = "KumoCorp/kumomta:assets/policy-extras/shaping.toml@016ebf44";
/** Thunderbird's database of mail servers: hosts, ports, domains and, in places, MX names. */
export const ispdb = (file: string) => `thunderbird/autoconfig:ispdb/${file}@c6ad7965`;
