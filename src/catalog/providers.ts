/** How TLS begins: at once, or by STARTTLS, which is then mandatory. */
export type TlsStart = "implicit" | "starttls";

/** Where a mail server listens. */
export interface Endpoint {
  readonly host: string;
  readonly port: number;
  readonly tls: TlsStart;
}

/** SASL mechanisms that carry an OAuth 2.0 access token (RFC 7628, and Google's older one). */
export type Mechanism = "OAUTHBEARER" | "XOAUTH2";

/** An OAuth application that is registered at a provider. */
export interface ApplicationRow {
  readonly clientId: string;
  /** a secret that the application's own publisher shows to everybody: it protects nothing */
  readonly publishedClientSecret?: string;
  /** the application has a secret that is not ours to ship: the user must bring it */
  readonly needsOwnSecret?: true;
  /** exactly as registered; a port is inserted only where a listener needs one */
  readonly redirectUri: string;
  /** the name that the provider's consent page shows */
  readonly consentName: string;
  readonly sources: readonly [string, ...string[]];
}

/** One mail provider. `{tenant}` in an endpoint stands for the Microsoft tenant. */
export interface ProviderRow {
  readonly name: string;
  /** other names that `--provider` takes */
  readonly aliases: readonly string[];
  readonly title: string;
  readonly authorizationEndpoint: string;
  readonly tokenEndpoint: string;
  /** what RFC 9207's `iss` must be, where the provider is known to send it */
  readonly issuer?: string;
  /** the tenant when the person names none; only where endpoints have `{tenant}` */
  readonly defaultTenant?: string;
  readonly scopes: { readonly imap: string };
  /** asked for beside the scopes of the protocols */
  readonly extraScopes: readonly string[];
  /** sent with the authorization request beside the standard parameters */
  readonly authorizationParameters: Readonly<Record<string, string>>;
  /** the token endpoint wants the scope repeated when a token is refreshed */
  readonly scopeOnRefresh?: true;
  readonly imap: Endpoint;
  readonly mechanisms: readonly [Mechanism, ...Mechanism[]];
  /** the first one is the default */
  readonly applications: Readonly<Record<string, ApplicationRow>>;
  readonly sources: readonly [string, ...string[]];
}

const thunderbirdSource =
  "mozilla/releases-comm-central:mailnews/base/src/OAuth2Providers.sys.mjs@003b6e96";
const oauth2ImapSource = "imapsync/imapsync:oauth2/oauth2_imap/oauth2_imap";
const exchangeSource =
  "https://learn.microsoft.com/exchange/client-developer/legacy-protocols/how-to-authenticate-an-imap-pop-smtp-application-by-using-oauth";

const thunderbirdAtMicrosoft: ApplicationRow = {
  clientId: "9e5f94bc-e8a4-4e73-b8be-63364c29d753",
  // Thunderbird itself has moved on to plain http; https is the form that is known to be
  // registered, and Microsoft compares it without the port and without a slash at its end.
  redirectUri: "https://localhost",
  consentName: "Thunderbird",
  sources: [thunderbirdSource, "simonrob/email-oauth2-proxy issue 267"],
};

/** Every provider that is known by name. A row holds facts, each from its sources, and no code. */
export const providers = [
  {
    name: "google",
    aliases: ["gmail", "googlemail", "google-workspace"],
    title: "Gmail and Google Workspace",
    authorizationEndpoint: "https://accounts.google.com/o/oauth2/v2/auth",
    tokenEndpoint: "https://oauth2.googleapis.com/token",
    issuer: "https://accounts.google.com",
    scopes: { imap: "https://mail.google.com/" },
    extraScopes: [],
    // Without these two a second consent brings no refresh token.
    authorizationParameters: { access_type: "offline", prompt: "consent" },
    imap: { host: "imap.gmail.com", port: 993, tls: "implicit" },
    mechanisms: ["OAUTHBEARER", "XOAUTH2"],
    applications: {
      thunderbird: {
        clientId: "406964657835-aq8lmia8j95dhl1a2bvharmfk3t1hgqj.apps.googleusercontent.com",
        publishedClientSecret: "kSmqreRr0qwBWJgbf5Y-PjSU",
        redirectUri: "http://127.0.0.1",
        consentName: "Thunderbird",
        sources: [thunderbirdSource],
      },
      imapsync: {
        clientId: "108687549524-s5ijqmadnmi4qfgfgicuquftv8f8a3da.apps.googleusercontent.com",
        needsOwnSecret: true,
        redirectUri: "http://localhost",
        consentName: "imapsync",
        sources: [oauth2ImapSource],
      },
    },
    sources: [
      "https://developers.google.com/gmail/imap/xoauth2-protocol",
      "https://developers.google.com/identity/protocols/oauth2",
      "pimalaya/ortie@274bd4c6 (the older pair of endpoints shows “This app is blocked”)",
    ],
  },
  {
    name: "office365",
    aliases: ["microsoft365", "m365", "microsoft", "exchange-online"],
    title: "Microsoft 365, work or school",
    authorizationEndpoint: "https://login.microsoftonline.com/{tenant}/oauth2/v2.0/authorize",
    tokenEndpoint: "https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token",
    defaultTenant: "common",
    scopes: { imap: "https://outlook.office.com/IMAP.AccessAsUser.All" },
    extraScopes: ["offline_access"],
    authorizationParameters: {},
    scopeOnRefresh: true,
    imap: { host: "outlook.office365.com", port: 993, tls: "implicit" },
    mechanisms: ["XOAUTH2"],
    applications: {
      thunderbird: thunderbirdAtMicrosoft,
      imapsync: {
        clientId: "c46947ca-867f-48b7-9231-64213fdd765e",
        needsOwnSecret: true,
        redirectUri: "https://imapsync.lamiral.info/cgi-bin/auth",
        consentName: "imapsync",
        sources: [oauth2ImapSource],
      },
    },
    sources: [
      exchangeSource,
      "https://learn.microsoft.com/entra/identity-platform/v2-oauth2-auth-code-flow",
      "golang/oauth2 pull request 540 (a refresh without scope fails for some resources)",
    ],
  },
  {
    name: "outlook",
    aliases: ["outlook.com", "hotmail", "live", "msn", "outlook-personal"],
    title: "Outlook.com, Hotmail, Live and MSN",
    authorizationEndpoint: "https://login.microsoftonline.com/{tenant}/oauth2/v2.0/authorize",
    tokenEndpoint: "https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token",
    // Thunderbird's application is only known to work with this one; `consumers` can be named.
    defaultTenant: "common",
    scopes: { imap: "https://outlook.office.com/IMAP.AccessAsUser.All" },
    extraScopes: ["offline_access"],
    authorizationParameters: {},
    scopeOnRefresh: true,
    imap: { host: "outlook.office365.com", port: 993, tls: "implicit" },
    mechanisms: ["XOAUTH2"],
    applications: { thunderbird: thunderbirdAtMicrosoft },
    sources: [exchangeSource, "thunderbird/autoconfig:ispdb/hotmail.com.xml@c6ad7965"],
  },
] as const satisfies readonly ProviderRow[];

/** The row that a name or an alias means, in any case of letters. */
export function findProvider(name: string): ProviderRow | undefined {
  const wanted = name.toLowerCase();
  return providers.find(
    (row) => row.name === wanted || (row.aliases as readonly string[]).includes(wanted),
  );
}
