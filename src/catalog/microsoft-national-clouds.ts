import type { ProviderRow } from "./provider-row.ts";
import { emailEngine } from "./sources.ts";

// The national clouds know none of the applications of the worldwide one: each has its own
// registrations, so a client id must be given.
const nationalClouds =
  "https://learn.microsoft.com/entra/identity-platform/authentication-national-cloud";

const common = {
  defaultTenant: "organizations",
  extraScopes: ["offline_access"],
  unechoedScopes: ["offline_access"],
  authorizationParameters: {},
  scopeOnRefresh: true,
  mechanisms: ["XOAUTH2"],
  isPopTokenOnNextLine: true,
  revokeByHand:
    "Microsoft has no revocation endpoint: an administrator ends the refresh tokens of a person by “Revoke sessions” in Entra, and a change of the password ends those of public clients",
  flows: ["code", "device", "client-credentials"],
  applications: {},
} as const;

const unitedStates = {
  ...common,
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
  ...common,
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
