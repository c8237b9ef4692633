import { ispdb, type ProviderRow, thunderbirdTable } from "./provider-row.ts";

const scope = "identity calendar email";

/** Seznam.cz, exactly as Thunderbird does it. */
export const seznam = {
  name: "seznam",
  aliases: ["seznam.cz"],
  title: "Seznam.cz",
  domains: ["seznam.cz", "email.cz", "post.cz", "spoluzaci.cz"],
  mx: ["mx1.seznam.cz", "mx2.seznam.cz", "*.emailprofi.seznam.cz"],
  authorizationEndpoint: "https://login.seznam.cz/api/v1/oauth/auth",
  tokenEndpoint: "https://login.seznam.cz/api/v1/oauth/token",
  issuer: "https://login.seznam.cz",
  scopes: { imap: scope, smtp: scope, pop: scope },
  extraScopes: [],
  authorizationParameters: {},
  registration: "https://vyvojari.seznam.cz/oauth/doc",
  imap: { host: "imap.seznam.cz", port: 993, tls: "implicit" },
  smtp: { host: "smtp.seznam.cz", port: 465, tls: "implicit" },
  pop: { host: "pop3.seznam.cz", port: 995, tls: "implicit" },
  // No source names the mechanism: whichever the server offers.
  mechanisms: ["XOAUTH2", "OAUTHBEARER"],
  flows: ["code"],
  applications: {
    thunderbird: {
      clientId: "7c0b7108b69c671152f76796be1779fbb634cddfa7e0c187",
      redirectUri: "http://127.0.0.1/seznam",
      consentName: "Thunderbird",
      sources: [thunderbirdTable],
    },
  },
  unconfirmed: [
    "that the token endpoint takes a form: some clients send JSON",
    "that scopes are separated by blanks: some clients use commas",
    "which of the scopes mail alone needs",
    "its SASL mechanism",
  ],
  sources: [thunderbirdTable, ispdb("seznam.cz.xml"), "the MX records of seznam.cz and kozak.in"],
} as const satisfies ProviderRow;
