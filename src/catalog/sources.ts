/** Sources that several rows cite: `owner/repository:path@commit`, or an address. */
export const thunderbirdTable =
  "mozilla/releases-comm-central:mailnews/base/src/OAuth2Providers.sys.mjs@003b6e96";
export const oauth2Imap = "imapsync/imapsync:oauth2/oauth2_imap/oauth2_imap";
export const emailEngine = "postalsys/emailengine:lib/oauth/outlook.js,lib/tools.js@aea45350";
export const fairEmail = "M66B/FairEmail:app/src/main/res/xml/providers.xml@e23dd9df";
export const kumoMta = "KumoCorp/kumomta:assets/policy-extras/shaping.toml@016ebf44";
/** Thunderbird's database of mail servers: hosts, ports, domains and, in places, MX names. */
export const ispdb = (file: string) => `thunderbird/autoconfig:ispdb/${file}@c6ad7965`;
