import { ispdb, kumoMta, oauth2Imap, type ProviderRow, thunderbirdTable } from "./provider-row.ts";

/** Gmail and Google Workspace. */
export const google = {
  name: "google",
  aliases: ["gmail", "googlemail", "google-workspace"],
  title: "Gmail and Google Workspace",
  domains: ["gmail.com", "googlemail.com", "google.com"],
  mx: ["*.google.com", "*.googlemail.com"],
  // It only proves to Google whose the domain is.
  notMx: ["*.mx-verification.google.com"],
  tokenPrefixes: ["ya29.", "1/"],
  isKnownToOauth2Imap: true,
  authorizationEndpoint: "https://accounts.google.com/o/oauth2/v2/auth",
  tokenEndpoint: "https://oauth2.googleapis.com/token",
  revocationEndpoint: "https://oauth2.googleapis.com/revoke",
  beforeRevocation:
    "Google revokes every scope that was granted to the application's whole project, for all its clients: other programs that act as the same application must sign in again",
  tokenInfoEndpoint: "https://oauth2.googleapis.com/tokeninfo",
  issuer: "https://accounts.google.com",
  scopes: {
    imap: "https://mail.google.com/",
    smtp: "https://mail.google.com/",
    pop: "https://mail.google.com/",
  },
  extraScopes: [],
  // Without these two a second consent brings no refresh token.
  authorizationParameters: { access_type: "offline", prompt: "consent" },
  imap: { host: "imap.gmail.com", port: 993, tls: "implicit" },
  smtp: { host: "smtp.gmail.com", port: 465, tls: "implicit" },
  pop: { host: "pop.gmail.com", port: 995, tls: "implicit" },
  mechanisms: ["OAUTHBEARER", "XOAUTH2"],
  flows: ["code", "service-account"],
  withoutFlow: {
    device: "Google's device authorization endpoint refuses every scope of mail",
  },
  serviceAccount: {
    // Shows every label and every message, whatever the person hides from IMAP.
    imapScope: "https://www.googleapis.com/auth/gmail.imap_admin",
    scope: "https://mail.google.com/",
  },
  applications: {
    thunderbird: {
      clientId: "406964657835-aq8lmia8j95dhl1a2bvharmfk3t1hgqj.apps.googleusercontent.com",
      publishedClientSecret: "kSmqreRr0qwBWJgbf5Y-PjSU",
      redirectUri: "http://127.0.0.1",
      consentName: "Thunderbird",
      sources: [thunderbirdTable],
    },
    imapsync: {
      clientId: "108687549524-s5ijqmadnmi4qfgfgicuquftv8f8a3da.apps.googleusercontent.com",
      needsOwnSecret: true,
      redirectUri: "http://localhost",
      consentName: "imapsync",
      sources: [oauth2Imap],
    },
  },
  beforePublicSignIn: [
    "Google wants the client secret of a Desktop client at every request: bring it in MXTOKEN_CLIENT_SECRET, or the sign-in may be for nothing",
  ],
  sources: [
    "https://developers.google.com/gmail/imap/xoauth2-protocol",
    "https://developers.google.com/identity/protocols/oauth2/limited-input-device (scopes of the device grant)",
    "https://developers.google.com/identity/protocols/oauth2/service-account",
    "https://developers.google.com/identity/protocols/oauth2 (also how tokens begin)",
    "pimalaya/ortie@274bd4c6 (the older pair of endpoints shows “This app is blocked”)",
    "https://support.google.com/a/answer/174125 (MX names)",
    kumoMta,
    ispdb("googlemail.com.xml"),
  ],
} as const satisfies ProviderRow;
