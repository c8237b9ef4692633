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
