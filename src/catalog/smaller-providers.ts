import { fairEmail, ispdb, type ProviderRow, thunderbirdTable } from "./provider-row.ts";

const comcastScope = "https://email.comcast.net/ profile openid";

/** Comcast, Xfinity: being moved to Yahoo Mail. */
export const comcast = {
  name: "comcast",
  aliases: ["xfinity"],
  title: "Comcast, Xfinity",
  domains: ["comcast.net"],
  mx: [],
  unconfirmedMx: ["*.comcast.net"],
  authorizationEndpoint: "https://oauth.xfinity.com/oauth/authorize",
  tokenEndpoint: "https://oauth.xfinity.com/oauth/token",
  scopes: { imap: comcastScope, smtp: comcastScope, pop: comcastScope },
  extraScopes: [],
  authorizationParameters: {},
  imap: { host: "imap.comcast.net", port: 993, tls: "implicit" },
  smtp: { host: "smtp.comcast.net", port: 465, tls: "implicit" },
  pop: { host: "mail.comcast.net", port: 995, tls: "implicit" },
  mechanisms: ["XOAUTH2"],
  flows: ["code"],
  applications: {
    thunderbird: {
      clientId: "thunderbird-oauth",
      publishedClientSecret: "fc5d0a314549bb3d059e0cec751fa4bd40a9cc7b",
      redirectUri: "http://localhost",
      // Thunderbird shows this sign-in in a window of its own and needs no port.
      isRedirectUriExact: true,
      consentName: "Thunderbird",
      sources: [thunderbirdTable],
    },
  },
  beforeSignIn: [
    "Comcast moves its mailboxes to Yahoo Mail: for one that has been moved, pass --provider yahoo",
  ],
  unconfirmed: [
    "that this sign-in still serves mailboxes that were moved",
    "the names of its MX hosts today",
  ],
  sources: [
    ispdb("comcast.net.xml"),
    thunderbirdTable,
    "https://tecknexus.com/comcast-moves-xfinity-email-to-yahoo-mail",
  ],
} as const satisfies ProviderRow;

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

const thundermailScope = "openid profile email";

/** Thundermail, the mail service of Thunderbird Pro. */
export const thundermail = {
  name: "thundermail",
  aliases: ["tb.pro", "thunderbird-pro"],
  title: "Thundermail",
  domains: ["thundermail.com", "tb.pro"],
  mx: ["mail.thundermail.com"],
  authorizationEndpoint: "https://auth.tb.pro/realms/tbpro/protocol/openid-connect/auth",
  tokenEndpoint: "https://auth.tb.pro/realms/tbpro/protocol/openid-connect/token",
  issuer: "https://auth.tb.pro/realms/tbpro",
  scopes: { imap: thundermailScope, smtp: thundermailScope },
  extraScopes: ["offline_access"],
  authorizationParameters: {},
  imap: { host: "mail.thundermail.com", port: 993, tls: "implicit" },
  smtp: { host: "mail.thundermail.com", port: 465, tls: "implicit" },
  // No source names the mechanism: whichever the server offers.
  mechanisms: ["OAUTHBEARER", "XOAUTH2"],
  flows: ["code"],
  applications: {
    thunderbird: {
      clientId: "desktop",
      redirectUri: "http://127.0.0.1",
      consentName: "Thunderbird",
      sources: [thunderbirdTable],
    },
  },
  unconfirmed: ["its SASL mechanisms", "POP"],
  sources: [
    thunderbirdTable,
    fairEmail,
    "rtanglao/dns-scripts:verify-thundermail-dns.sh@f14c8f7d (MX name, for a domain of one's own)",
  ],
} as const satisfies ProviderRow;
