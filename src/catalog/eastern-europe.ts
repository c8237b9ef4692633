import { fairEmail, ispdb, type ProviderRow, thunderbirdTable } from "./provider-row.ts";

/** Yandex Mail and Yandex 360. */
export const yandex = {
  name: "yandex",
  aliases: ["yandex360", "ya"],
  title: "Yandex Mail and Yandex 360",
  domains: [
    ...["yandex.ru", "yandex.com", "yandex.net", "yandex.by", "yandex.kz", "yandex.ua", "ya.ru"],
    "narod.ru",
  ],
  mx: ["mx.yandex.net", "mx.yandex.ru"],
  authorizationEndpoint: "https://oauth.yandex.com/authorize",
  tokenEndpoint: "https://oauth.yandex.com/token",
  deviceAuthorizationEndpoint: "https://oauth.yandex.com/device/code",
  // Its revocation endpoint takes only tokens that were given to a named device: left out.
  scopes: { imap: "mail:imap_full", smtp: "mail:smtp" },
  withoutToken: ["pop"],
  extraScopes: [],
  authorizationParameters: { force_confirm: "true" },
  registration: "https://oauth.yandex.com/",
  imap: { host: "imap.yandex.com", port: 993, tls: "implicit" },
  smtp: { host: "smtp.yandex.com", port: 465, tls: "implicit" },
  pop: { host: "pop.yandex.com", port: 995, tls: "implicit" },
  mechanisms: ["XOAUTH2"],
  flows: ["code", "device"],
  applications: {
    thunderbird: {
      clientId: "2a00bba7374047a6ab79666485ffce31",
      publishedClientSecret: "3ded85b4ec574c2187a55dc49d361280",
      redirectUri: "http://localhost",
      consentName: "Thunderbird",
      sources: [thunderbirdTable],
    },
  },
  sources: [
    "https://yandex.ru/support/mail-business/web/security/oauth.html",
    "https://yandex.com/dev/id",
    "https://yandex.com/support/yandex-360/business/admin/en/mail/configuration (MX names)",
    "Foundry376/Mailspring issue 904 (its CAPABILITY lists AUTH=XOAUTH2)",
    ispdb("yandex.ru.xml"),
    thunderbirdTable,
    fairEmail,
  ],
} as const satisfies ProviderRow;

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
