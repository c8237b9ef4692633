import { ispdb, type ProviderRow, thunderbirdTable } from "./provider-row.ts";

/** Fastmail. */
export const fastmail = {
  name: "fastmail",
  aliases: ["messagingengine"],
  title: "Fastmail",
  domains: ["fastmail.com", "fastmail.fm"],
  mx: ["*.messagingengine.com"],
  authorizationEndpoint: "https://api.fastmail.com/oauth/authorize",
  tokenEndpoint: "https://api.fastmail.com/oauth/refresh",
  issuer: "https://api.fastmail.com",
  scopes: {
    imap: "https://www.fastmail.com/dev/protocol-imap",
    smtp: "https://www.fastmail.com/dev/protocol-smtp",
    pop: "https://www.fastmail.com/dev/protocol-pop",
  },
  extraScopes: [],
  authorizationParameters: {},
  // A dynamically registered client is refused with invalid_target without it.
  ownApplication: {
    resource: "https://api.fastmail.com/jmap/session",
    scope: "urn:ietf:params:oauth:scope:mail offline_access",
  },
  registration: "https://api.fastmail.com/oauth/register",
  imap: { host: "imap.fastmail.com", port: 993, tls: "implicit" },
  smtp: { host: "smtp.fastmail.com", port: 465, tls: "implicit" },
  pop: { host: "pop.fastmail.com", port: 995, tls: "implicit" },
  mechanisms: ["OAUTHBEARER", "XOAUTH2"],
  flows: ["code"],
  applications: {
    thunderbird: {
      clientId: "35f141ae",
      redirectUri: "http://127.0.0.1",
      consentName: "Thunderbird",
      sources: [thunderbirdTable],
    },
  },
  beforeSignIn: ["the plan Basic lets no other programs in"],
  unconfirmed: [
    "its revocation endpoint",
    "that it reads login_hint",
    "that an application of one's own may come back to this machine",
  ],
  sources: [
    "https://api.fastmail.com/.well-known/oauth-authorization-server",
    "pimalaya/ortie@274bd4c6 (resource)",
    thunderbirdTable,
    "https://www.fastmail.help/hc/en-us/articles/360060591153 (MX names)",
    ispdb("messagingengine.com.xml"),
  ],
} as const satisfies ProviderRow;
