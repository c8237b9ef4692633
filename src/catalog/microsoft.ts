import {
  type ApplicationRow,
  emailEngine,
  ispdb,
  kumoMta,
  oauth2Imap,
  type ProviderRow,
  thunderbirdTable,
} from "./provider-row.ts";

const exchangeDocument =
  "https://learn.microsoft.com/exchange/client-developer/legacy-protocols/how-to-authenticate-an-imap-pop-smtp-application-by-using-oauth";

const thunderbird: ApplicationRow = {
  clientId: "9e5f94bc-e8a4-4e73-b8be-63364c29d753",
  // Thunderbird itself has moved on to plain http; https is the form that is known to be
  // registered, and Microsoft compares it without the port and without a slash at its end.
  redirectUri: "https://localhost",
  consentName: "Thunderbird",
  sources: [thunderbirdTable, "simonrob/email-oauth2-proxy issue 267"],
};

/** What all of Microsoft's clouds have in common. */
const everywhere = {
  extraScopes: ["offline_access"],
  unechoedScopes: ["offline_access"],
  authorizationParameters: {},
  scopeOnRefresh: true,
  mechanisms: ["XOAUTH2"],
  isPopTokenOnNextLine: true,
} as const;

const revokeByHand =
  "Microsoft has no revocation endpoint: an administrator ends the refresh tokens of a person by “Revoke sessions” in Entra, and a change of the password ends those of public clients";

/** What work accounts and personal accounts have in common. */
const worldwide = {
  ...everywhere,
  isKnownToOauth2Imap: true,
  authorizationEndpoint: "https://login.microsoftonline.com/{tenant}/oauth2/v2.0/authorize",
  tokenEndpoint: "https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token",
  deviceAuthorizationEndpoint: "https://login.microsoftonline.com/{tenant}/oauth2/v2.0/devicecode",
  scopes: {
    imap: "https://outlook.office.com/IMAP.AccessAsUser.All",
    smtp: "https://outlook.office.com/SMTP.Send",
    pop: "https://outlook.office.com/POP.AccessAsUser.All",
  },
  imap: { host: "outlook.office365.com", port: 993, tls: "implicit" },
  pop: { host: "outlook.office365.com", port: 995, tls: "implicit" },
} as const;

/** Microsoft 365 of companies and schools, in the worldwide cloud and in GCC. */
export const office365 = {
  ...worldwide,
  name: "office365",
  aliases: ["microsoft365", "m365", "microsoft", "exchange-online"],
  title: "Microsoft 365, work or school",
  domains: ["office365.com"],
  mx: ["*.mail.protection.outlook.com", "*.mx.microsoft"],
  // Its submission server for high volume is no mail exchanger.
  notMx: ["*.hve.mx.microsoft"],
  // The name of the years before 2013; whether anybody still has it is not known.
  unconfirmedMx: ["*.mail.eo.outlook.com"],
  defaultTenant: "common",
  smtp: { host: "smtp.office365.com", port: 587, tls: "starttls" },
  flows: ["code", "device", "client-credentials"],
  clientCredentials: {
    scope: "https://outlook.office365.com/.default",
    roles: { imap: "IMAP.AccessAsApp", smtp: "SMTP.SendAsApp", pop: "POP.AccessAsApp" },
  },
  revokeByHand,
  applications: {
    thunderbird,
    imapsync: {
      clientId: "c46947ca-867f-48b7-9231-64213fdd765e",
      needsOwnSecret: true,
      redirectUri: "https://imapsync.lamiral.info/cgi-bin/auth",
      consentName: "imapsync",
      sources: [oauth2Imap],
    },
  },
  sources: [
    exchangeDocument,
    "https://learn.microsoft.com/entra/identity-platform/v2-oauth2-auth-code-flow",
    "https://learn.microsoft.com/entra/identity-platform/v2-oauth2-device-code",
    "https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow",
    "https://learn.microsoft.com/entra/identity-platform/refresh-tokens (what ends them)",
    "golang/oauth2 pull request 540 (a refresh without scope fails for some resources)",
    "mozilla/releases-comm-central:mailnews/base/src/OAuth2.sys.mjs@050876b8 (offline_access is not echoed)",
    "https://learn.microsoft.com/microsoft-365/enterprise/external-domain-name-system-records (MX names)",
    "https://learn.microsoft.com/purview/how-smtp-dane-works (MX names that end in mx.microsoft)",
    kumoMta,
    ispdb("office365.com.xml"),
  ],
} as const satisfies ProviderRow;

/** Personal accounts at Microsoft. */
export const outlook = {
  ...worldwide,
  name: "outlook",
  aliases: ["outlook.com", "hotmail", "live", "msn", "outlook-personal"],
  title: "Outlook.com, Hotmail, Live and MSN",
  domains: ["outlook.com", "hotmail.com", "live.com", "msn.com", "windowslive.com"],
  mx: ["*.olc.protection.outlook.com"],
  // Thunderbird's application is only known to work with this one; `consumers` can be named.
  defaultTenant: "common",
  smtp: { host: "smtp-mail.outlook.com", port: 587, tls: "starttls" },
  flows: ["code", "device"],
  withoutFlow: { "client-credentials": "personal accounts have no application permissions" },
  revokeByHand:
    "Microsoft has no revocation endpoint: a change of the password ends the refresh tokens of public clients",
  applications: { thunderbird },
  beforeSignIn: [
    "IMAP is off until the person switches it on in Outlook.com: Settings, Mail, Forwarding and IMAP",
  ],
  unconfirmed: ["that the tenant consumers takes Thunderbird's application, as common does"],
  sources: [
    exchangeDocument,
    "https://support.microsoft.com article 8361e398-8af4-4e97-b147-6c6c4ac95353",
    kumoMta,
    ispdb("hotmail.com.xml"),
  ],
} as const satisfies ProviderRow;

// The national clouds know none of the applications of the worldwide one: each has its own
// registrations, so a client id must be given.
const nationalClouds =
  "https://learn.microsoft.com/entra/identity-platform/authentication-national-cloud";

const national = {
  ...everywhere,
  defaultTenant: "organizations",
  revokeByHand,
  flows: ["code", "device", "client-credentials"],
  applications: {},
} as const;

const unitedStates = {
  ...national,
  // The two clouds share the name of their MX hosts, so the MX alone does not tell them apart.
  mx: ["*.mail.protection.office365.us"],
  authorizationEndpoint: "https://login.microsoftonline.us/{tenant}/oauth2/v2.0/authorize",
  tokenEndpoint: "https://login.microsoftonline.us/{tenant}/oauth2/v2.0/token",
  deviceAuthorizationEndpoint: "https://login.microsoftonline.us/{tenant}/oauth2/v2.0/devicecode",
  registration: "https://portal.azure.us/",
} as const;

/** Microsoft 365 Government, GCC High. */
export const office365GccHigh = {
  ...unitedStates,
  name: "office365-gcc-high",
  aliases: ["microsoft-gcc-high", "gcc-high"],
  title: "Microsoft 365 for the US government, GCC High",
  domains: [],
  scopes: {
    imap: "https://outlook.office365.us/IMAP.AccessAsUser.All",
    smtp: "https://outlook.office365.us/SMTP.Send",
  },
  imap: { host: "outlook.office365.us", port: 993, tls: "implicit" },
  smtp: { host: "smtp.office365.us", port: 587, tls: "starttls" },
  unconfirmed: ["POP: its scope and its host"],
  sources: [
    nationalClouds,
    emailEngine,
    "MicrosoftDocs/microsoft-365-docs:microsoft-365/enterprise/dns-records-for-office-365-gcc-high.md@06481cea",
  ],
} as const satisfies ProviderRow;

/** Microsoft 365 Government, Department of Defense. */
export const office365Dod = {
  ...unitedStates,
  name: "office365-dod",
  aliases: ["microsoft-dod", "dod"],
  title: "Microsoft 365 for the US Department of Defense",
  domains: [],
  scopes: {},
  imap: { host: "outlook-dod.office365.us", port: 993, tls: "implicit" },
  unconfirmed: [
    "the scopes: EmailEngine asks for https://outlook.office365.us/IMAP.AccessAsUser.All here too",
    "SMTP and POP: their hosts",
  ],
  sources: [
    nationalClouds,
    emailEngine,
    "MicrosoftDocs/microsoft-365-docs:microsoft-365/enterprise/dns-records-for-office-365-dod.md@06481cea",
  ],
} as const satisfies ProviderRow;

/** Microsoft 365 in China, which 21Vianet operates. */
export const office365China = {
  ...national,
  name: "office365-china",
  aliases: ["microsoft-china", "21vianet"],
  title: "Microsoft 365 operated by 21Vianet, China",
  domains: [],
  mx: ["*.mail.protection.partner.outlook.cn"],
  authorizationEndpoint: "https://login.partner.microsoftonline.cn/{tenant}/oauth2/v2.0/authorize",
  tokenEndpoint: "https://login.partner.microsoftonline.cn/{tenant}/oauth2/v2.0/token",
  deviceAuthorizationEndpoint:
    "https://login.partner.microsoftonline.cn/{tenant}/oauth2/v2.0/devicecode",
  scopes: {},
  imap: { host: "partner.outlook.cn", port: 993, tls: "implicit" },
  pop: { host: "partner.outlook.cn", port: 995, tls: "implicit" },
  unconfirmed: [
    "the scopes: others have tried https://partner.outlook.cn/IMAP.AccessAsUser.All",
    "SMTP: its host",
  ],
  sources: [
    nationalClouds,
    emailEngine,
    "mguessan/davmail issue 341",
    "simonrob/email-oauth2-proxy issue 255",
    "Microsoft: Create DNS records at East.net for Office 365 (MX names)",
  ],
} as const satisfies ProviderRow;
