import {
  fairEmail,
  type GatewayRow,
  ispdb,
  kumoMta,
  type PasswordOnlyRow,
} from "./provider-row.ts";

const germanPassword =
  "switch POP3 and IMAP on in the settings of the mailbox, and use its password, or an app password where two-factor authentication is on";

/** Providers whose IMAP servers take a password and no OAuth 2.0 token. */
export const passwordOnlyProviders: readonly PasswordOnlyRow[] = [
  {
    name: "icloud",
    aliases: ["me.com", "apple"],
    title: "iCloud Mail",
    domains: ["icloud.com", "me.com", "mac.com"],
    mx: ["*.mail.icloud.com"],
    instead:
      "make an app-specific password at account.apple.com, which needs two-factor authentication; the IMAP user is the part before the @",
    imap: { host: "imap.mail.me.com", port: 993, tls: "implicit" },
    smtp: { host: "smtp.mail.me.com", port: 587, tls: "starttls" },
    sources: [ispdb("me.com.xml"), kumoMta],
  },
  {
    name: "gmx-com",
    aliases: ["gmx.com"],
    title: "GMX, international",
    domains: ["gmx.com", "gmx.us", "gmx.co.uk", "gmx.fr", "gmx.es", "gmx.it"],
    mx: [],
    instead: germanPassword,
    imap: { host: "imap.gmx.com", port: 993, tls: "implicit" },
    smtp: { host: "mail.gmx.com", port: 465, tls: "implicit" },
    pop: { host: "pop.gmx.com", port: 995, tls: "implicit" },
    sources: [ispdb("gmx.com.xml"), fairEmail],
  },
  {
    name: "gmx",
    aliases: ["gmx-net", "gmx.net", "gmx.de"],
    title: "GMX in Germany, Austria and Switzerland",
    domains: [
      ...["gmx.net", "gmx.de", "gmx.at", "gmx.ch", "gmx.eu", "gmx.org", "gmx.info"],
      ...["mein.gmx", "mail.gmx", "email.gmx"],
    ],
    mx: ["*.gmx.net"],
    instead: germanPassword,
    imap: { host: "imap.gmx.net", port: 993, tls: "implicit" },
    smtp: { host: "mail.gmx.net", port: 465, tls: "implicit" },
    pop: { host: "pop.gmx.net", port: 995, tls: "implicit" },
    sources: [ispdb("gmx.net.xml"), fairEmail],
  },
  {
    name: "webde",
    aliases: ["web.de"],
    title: "WEB.DE",
    domains: ["web.de"],
    mx: ["*.web.de"],
    instead: `${germanPassword}; the user is the part before the @`,
    imap: { host: "imap.web.de", port: 993, tls: "implicit" },
    smtp: { host: "smtp.web.de", port: 465, tls: "implicit" },
    pop: { host: "pop3.web.de", port: 995, tls: "implicit" },
    sources: [ispdb("web.de.xml"), fairEmail],
  },
  {
    name: "zoho",
    aliases: ["zoho-mail", "zohomail"],
    title: "Zoho Mail",
    domains: ["zoho.com", "zohomail.com", "zoho.eu", "zoho.in", "zoho.com.au"],
    mx: ["*.zoho.com", "*.zoho.eu", "*.zoho.in"],
    unconfirmedMx: ["*.zoho.com.au", "*.zoho.jp"],
    instead:
      "switch IMAP on in Zoho Mail's settings and use the password, or an app-specific one where two-factor authentication is on; Zoho's OAuth 2.0 is for its REST API, and no source shows that IMAP takes it",
    imap: { host: "imap.zoho.com", port: 993, tls: "implicit" },
    smtp: { host: "smtp.zoho.com", port: 465, tls: "implicit" },
    pop: { host: "pop.zoho.com", port: 995, tls: "implicit" },
    remarks: ["mailboxes of a domain of one's own are at imappro.zoho.com and smtppro.zoho.com"],
    sources: [
      ispdb("zoho.com.xml"),
      fairEmail,
      "https://www.zoho.com/mail/help/adminconsole/configure-email-delivery.html (MX names)",
    ],
  },
  {
    name: "proton",
    aliases: ["protonmail", "proton-mail"],
    title: "Proton Mail",
    domains: ["proton.me", "protonmail.com", "pm.me"],
    mx: ["mail.protonmail.ch", "mailsec.protonmail.ch"],
    instead:
      "install Proton Mail Bridge, which offers IMAP on the machine where it runs, with a password of its own",
    imap: { host: "127.0.0.1", port: 1143, tls: "starttls" },
    smtp: { host: "127.0.0.1", port: 1025, tls: "starttls" },
    sources: [
      "https://email-client-prod-marketing.pages.dev/docs/accounts/imap",
      "https://mxrecordchecker.com/resources/protonmail-mx-records",
    ],
  },
];

/** Services that filter or forward mail before it reaches the provider. */
export const gateways: readonly GatewayRow[] = [
  {
    title: "Proofpoint",
    mx: ["*.pphosted.com", "*.gpphosted.com", "*.ppe-hosted.com"],
    sources: ["the MX records of uniroma2.it, hadrian.co and selkirk-pharma.com"],
  },
  { title: "Mimecast", mx: ["*.mimecast.com", "*.mimecast.co.za"], sources: [kumoMta] },
  {
    title: "Barracuda",
    mx: ["*.barracudanetworks.com"],
    sources: ["https://www.captaindns.com/en/blog/barracuda-secure-email-gateway"],
  },
  {
    title: "Cisco Secure Email",
    mx: ["*.iphmx.com", "*.etd.cisco.com"],
    sources: [
      "the MX records of mailchimp.com and sas.no",
      "https://docs.cmd.cisco.com (Secure Email Threat Defense, user guide, SMTP)",
    ],
  },
  {
    title: "Symantec Email Security.cloud",
    mx: ["*.messagelabs.com"],
    sources: ["https://knowledge.broadcom.com/external/article/254105"],
  },
  {
    title: "Trend Micro Email Security",
    mx: ["*.trendmicro.com", "*.trendmicro.eu"],
    sources: ["Trend Vision One: MTA-STS names by site", "the MX records of nus.edu.sg"],
  },
  {
    title: "Sophos Email",
    mx: ["*.hydra.sophos.com"],
    sources: ["https://docs.sophos.com (Sophos Email, enforcing TLS connections)"],
  },
  {
    title: "Hornetsecurity",
    mx: ["*.hornetsecurity.com", "*.antispameurope.com"],
    sources: ["the MX records of heise.de and ports.se"],
  },
  {
    title: "SpamExperts",
    mx: ["mx.spamexperts.com", "fallbackmx.spamexperts.eu", "lastmx.spamexperts.net"],
    sources: ["SpamExperts: manual, Hosted Cloud MX records"],
  },
  {
    title: "Forcepoint",
    mx: ["*.mailcontrol.com"],
    sources: ["https://help.forcepoint.com (Email Security Cloud)"],
  },
  {
    title: "Cloudflare Email Security",
    mx: ["*.mxrecord.io", "*.mxrecord.mx", "*.area1.cloudflare.net"],
    sources: [
      "cloudflare/cloudflare-docs:content/email-security/_partials/deployment/_mx-geographic-locations.md@6aa9d5be",
    ],
  },
  {
    title: "Cloudflare Email Routing",
    mx: ["*.mx.cloudflare.net"],
    sources: ["the MX records of temp-mail.org"],
  },
  {
    title: "Trellix (FireEye)",
    mx: ["*.fireeyecloud.com"],
    sources: ["the MX records of unsinc.com"],
  },
  {
    title: "AppRiver",
    mx: ["*.arsmtp.com"],
    sources: ["https://support.appriver.com/kb/a338/dynamic-mx-records.aspx"],
  },
  {
    title: "MailChannels",
    mx: ["*.mailchannels.net"],
    sources: ["https://docs.mailchannels.com/inbound/downstream-records"],
  },
  {
    title: "SiteGround's spam filter",
    mx: ["*.mailspamprotection.com"],
    sources: ["the MX records of glenrockpizza.com"],
  },
  {
    title: "FortiMail Cloud",
    mx: ["*.fortimailcloud.com"],
    sources: ["a bounce that names zionoil-com-1.fortimailcloud.com"],
  },
];
