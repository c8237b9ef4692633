import { ispdb, type ProviderRow, thunderbirdTable } from "./provider-row.ts";

const scope = "https://email.comcast.net/ profile openid";

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
  scopes: { imap: scope, smtp: scope, pop: scope },
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
