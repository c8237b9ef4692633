import { type GatewayRow, kumoMta } from "./provider-row.ts";

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
