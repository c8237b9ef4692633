import { fairEmail, ispdb, type ProviderRow, thunderbirdTable } from "./provider-row.ts";

/** Mail.ru, by the pair of endpoints that Thunderbird's application is known to work with. */
export const mailru = {
  name: "mailru",
  aliases: ["mail.ru"],
  title: "Mail.ru",
  domains: ["mail.ru", "inbox.ru", "list.ru", "bk.ru", "corp.mail.ru"],
  mx: ["mxs.mail.ru", "emx.mail.ru"],
  authorizationEndpoint: "https://o2.mail.ru/login",
  tokenEndpoint: "https://o2.mail.ru/token",
  scopes: { imap: "mail.imap" },
  extraScopes: [],
  authorizationParameters: { prompt_force: "1" },
  withoutPkce: true,
  basicAtCodeExchange: true,
  imap: { host: "imap.mail.ru", port: 993, tls: "implicit" },
  smtp: { host: "smtp.mail.ru", port: 465, tls: "implicit" },
  pop: { host: "pop.mail.ru", port: 995, tls: "implicit" },
  mechanisms: ["XOAUTH2"],
  flows: ["code"],
  applications: {
    thunderbird: {
      clientId: "thunderbird",
      publishedClientSecret: "I0dCAXrcaNFujaaY",
      redirectUri: "http://localhost",
      // Thunderbird shows this sign-in in a window of its own and needs no port.
      isRedirectUriExact: true,
      consentName: "Thunderbird",
      sources: [thunderbirdTable],
    },
  },
  unconfirmed: ["that SMTP and POP take a token"],
  sources: [
    thunderbirdTable,
    fairEmail,
    "postalsys/emailengine:lib/oauth/mail-ru.js@aea45350 (Basic at the code, client_id at the refresh)",
    "tigusigalpa/mailru:README.md@0bf388e8 (emx.mail.ru)",
    "the MX records of ok.ru (mxs.mail.ru)",
    ispdb("mail.ru.xml"),
  ],
} as const satisfies ProviderRow;
