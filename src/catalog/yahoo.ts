import {
  type ApplicationRow,
  ispdb,
  kumoMta,
  type ProviderRow,
  thunderbirdTable,
} from "./provider-row.ts";

const thunderbirdAtYahoo: ApplicationRow = {
  clientId:
    "dj0yJmk9WVZUaWRNUUZSQTBNJmQ9WVdrOVNqbHJUMGhtTkU4bWNHbzlNQT09JnM9Y29uc3VtZXJzZWNyZXQmc3Y9MCZ4PTgz",
  redirectUri: "https://127.0.0.1",
  isRedirectUriExact: true,
  consentName: "Thunderbird",
  sources: [thunderbirdTable],
};

/** What Yahoo's three brands have in common. One scope reads, writes and sends. */
const common = {
  mx: [],
  scopes: { imap: "mail-w", smtp: "mail-w", pop: "mail-w" },
  extraScopes: [],
  authorizationParameters: {},
  mechanisms: ["XOAUTH2"],
  flows: ["code"],
} as const;

const yahooServer = {
  authorizationEndpoint: "https://api.login.yahoo.com/oauth2/request_auth",
  tokenEndpoint: "https://api.login.yahoo.com/oauth2/get_token",
  revocationEndpoint: "https://api.login.yahoo.com/oauth2/revoke",
  registration: "https://senders.yahooinc.com/developer/developer-access-mail-form/",
} as const;

const approval =
  "an application of your own gets the scope of mail only after Yahoo has approved it; an app password is the other way";

/** Yahoo Mail; yahoo.co.jp is another company, so a domain that is not listed asks its MX. */
export const yahoo = {
  ...common,
  ...yahooServer,
  name: "yahoo",
  aliases: ["ymail", "rocketmail"],
  title: "Yahoo Mail",
  domains: ["yahoo.com", "ymail.com", "myyahoo.com", "rocketmail.com", "cox.net"],
  mx: [
    ...["mta5.am0.yahoodns.net", "mta6.am0.yahoodns.net", "mta7.am0.yahoodns.net"],
    ...["mx-eu.mail.am0.yahoodns.net", "mx-apac.mail.gm0.yahoodns.net"],
  ],
  // Others share the zone: mx-biz is Turbify's, mx-att AT&T's, mx-rogers Rogers'.
  unconfirmedMx: ["*.am0.yahoodns.net"],
  imap: { host: "imap.mail.yahoo.com", port: 993, tls: "implicit" },
  smtp: { host: "smtp.mail.yahoo.com", port: 465, tls: "implicit" },
  pop: { host: "pop.mail.yahoo.com", port: 995, tls: "implicit" },
  applications: { thunderbird: thunderbirdAtYahoo },
  remarks: [
    "export.imap.mail.yahoo.com:993 is its second IMAP server, for bulk: --imap-server",
    approval,
  ],
  sources: [
    ispdb("yahoo.com.xml"),
    kumoMta,
    thunderbirdTable,
    "https://developer.nylas.com/docs/provider-guides/yahoo-authentication",
  ],
} as const satisfies ProviderRow;

/** AOL Mail and the older brands that it has taken over. */
export const aol = {
  ...common,
  name: "aol",
  aliases: ["aim", "verizon"],
  title: "AOL Mail",
  domains: [
    ...["aol.com", "aim.com", "netscape.net", "netscape.com", "compuserve.com", "cs.com"],
    ...["wmconnect.com", "verizon.net"],
  ],
  // Yahoo has names beside it, so that a star would take those as well.
  mx: ["mx-aol.mail.gm0.yahoodns.net"],
  authorizationEndpoint: "https://api.login.aol.com/oauth2/request_auth",
  tokenEndpoint: "https://api.login.aol.com/oauth2/get_token",
  imap: { host: "imap.aol.com", port: 993, tls: "implicit" },
  smtp: { host: "smtp.aol.com", port: 465, tls: "implicit" },
  pop: { host: "pop.aol.com", port: 995, tls: "implicit" },
  applications: {
    thunderbird: {
      ...thunderbirdAtYahoo,
      clientId:
        "dj0yJmk9MGNoTTQ0SjhIN1dSJmQ9WVdrOVdIVnFkVVp2UkZNbWNHbzlNQT09JnM9Y29uc3VtZXJzZWNyZXQmc3Y9MCZ4PTNm",
    },
  },
  unconfirmed: ["its issuer and its revocation endpoint"],
  sources: [ispdb("aol.com.xml"), ispdb("verizon.net.xml"), thunderbirdTable],
} as const satisfies ProviderRow;

/** AT&T's mailboxes: AT&T's servers, and Yahoo's sign-in. */
export const att = {
  ...common,
  ...yahooServer,
  name: "att",
  unconfirmedMx: ["*.prodigy.net", "mx-att.mail.am0.yahoodns.net"],
  aliases: ["sbcglobal", "bellsouth"],
  title: "AT&T Mail",
  domains: [
    ...["ameritech.net", "att.net", "bellsouth.net", "currently.com", "flash.net", "nvbell.net"],
    ...["pacbell.net", "prodigy.net", "sbcglobal.net", "snet.net", "swbell.net", "wans.net"],
  ],
  imap: { host: "imap.mail.att.net", port: 993, tls: "implicit" },
  smtp: { host: "smtp.mail.att.net", port: 465, tls: "implicit" },
  pop: { host: "inbound.att.net", port: 995, tls: "implicit" },
  applications: { thunderbird: thunderbirdAtYahoo },
  remarks: [approval],
  unconfirmed: ["the names of its MX hosts today"],
  sources: [ispdb("att.net.xml"), thunderbirdTable],
} as const satisfies ProviderRow;
