import { fairEmail, type ProviderRow, thunderbirdTable } from "./provider-row.ts";

const scope = "openid profile email";

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
  scopes: { imap: scope, smtp: scope },
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
