import type { CauseRow, Facts } from "./cause.ts";

const microsoft =
  "MicrosoftDocs/office-developer-exchange-docs: Authenticate an IMAP, POP or SMTP connection using OAuth@5a8808d7";

/** What a mail server says to a token. */
export const loginRows = [
  {
    id: "token-of-another-mailbox",
    matches: [{ said: /authenticated but not connected/i }],
    examples: ["BAD User is authenticated but not connected."],
    who: "administrator",
    cause: "the server takes the token, and opens no mailbox for it",
    remedy:
      "the account that signed in is not this mailbox and has no right to it, or the mailbox has no licence or IMAP is switched off for it",
    source: microsoft,
  },
  {
    id: "smtp-switched-off-for-tenant",
    matches: [{ said: /SmtpClientAuthentication is disabled for the Tenant/i }],
    examples: [
      "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant. Visit https://aka.ms/smtp_auth_disabled",
    ],
    who: "administrator",
    cause: "SMTP AUTH is switched off for the whole organisation",
    remedy: (facts) => [
      `an administrator must switch SMTP AUTH on: ${switchedOnFor(facts)}, or for everybody Set-TransportConfig -SmtpClientAuthenticationDisabled $false`,
    ],
    source: "https://aka.ms/smtp_auth_disabled",
  },
  {
    id: "smtp-switched-off-for-mailbox",
    matches: [{ said: /SmtpClientAuthentication is disabled for the Mailbox/i }],
    examples: [
      "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Mailbox.",
    ],
    who: "administrator",
    cause: "SMTP AUTH is switched off for the mailbox",
    remedy: (facts) => [`an administrator must switch SMTP AUTH on: ${switchedOnFor(facts)}`],
    source: "https://aka.ms/smtp_auth_disabled",
  },
  {
    id: "token-perhaps-expired",
    matches: [{ isEndUnknown: true, protocol: /./ }],
    examples: [{ isEndUnknown: true, protocol: "imap", said: "AUTHENTICATE failed." }],
    who: "you",
    cause: "the token may simply have ended: nothing says how long it is good",
    remedy:
      "nothing says when this token ends, and it may simply have expired: get a fresh one, by mxtoken with the same address and options",
    source: "RFC 6749 section 5.1",
  },
  {
    id: "imap-login-refused",
    matches: [{ protocol: "imap", said: /\[AUTHENTICATIONFAILED\]|AUTHENTICATE failed/i }],
    examples: [
      { protocol: "imap", said: "[AUTHENTICATIONFAILED] Invalid credentials (Failure)" },
      { protocol: "imap", said: "AUTHENTICATE failed." },
    ],
    who: "you",
    cause: "the IMAP server refuses the token",
    remedy:
      "did another account sign in than this mailbox's (a private browser window helps), and is IMAP switched on for the mailbox?",
    source: "RFC 5530 section 3",
  },
  {
    id: "pop-login-refused",
    matches: [{ protocol: "pop", said: /\[AUTH\]|Authentication failure/i }],
    examples: [
      { protocol: "pop", said: "[AUTH] Username and password not accepted." },
      { protocol: "pop", said: "Authentication failure: unknown user name or bad password." },
    ],
    who: "you",
    cause: "the POP server refuses the token",
    remedy:
      "did another account sign in than this mailbox's (a private browser window helps), is POP switched on for the mailbox, and was access by POP asked for (--access pop)?",
    source: "RFC 3206 section 4",
  },
  {
    id: "smtp-login-refused",
    matches: [{ protocol: "smtp", said: /^535\b/ }],
    examples: [{ protocol: "smtp", said: "535-5.7.8 Username and Password not accepted" }],
    who: "you",
    cause: "the SMTP server refuses the token",
    remedy: ({ login = "this mailbox" }) => [
      `did another account sign in than ${login} (a private browser window helps), and was the right to send asked for (--access smtp)?`,
    ],
    source: "RFC 4954 section 6",
  },
  {
    id: "no-token-taken-here",
    who: "you",
    cause: "the server takes no OAuth 2.0 token",
    remedy: ({ protocol = "imap" }) => [`is this the right ${protocol.toUpperCase()} server?`],
    source: "RFC 7628 section 3",
  },
  {
    id: "no-right-to-mailbox",
    who: "administrator",
    cause: ({ login, mailbox }) => `${login} has no right to ${mailbox}`,
    remedy: ({ login, mailbox }) => [
      `may ${login} open ${mailbox}? An administrator gives that right (at Microsoft, FullAccess); and are both addresses right?`,
    ],
    source: microsoft,
  },
  {
    id: "another-account-signed-in",
    who: "you",
    cause: ({ owner }) => `the token is ${owner}'s`,
    remedy: ({ owner }) => [
      `sign in again in a private browser window, or with --select-account; if ${owner} has a right to the mailbox, pass --login ${owner}`,
    ],
    source: microsoft,
  },
] as const satisfies readonly CauseRow[];

function switchedOnFor({ login = "" }: Facts): string {
  const identity = `'${login.replaceAll("'", "''")}'`;
  return `Set-CASMailbox -Identity ${identity} -SmtpClientAuthenticationDisabled $false`;
}

const google = "https://developers.google.com/identity/protocols/oauth2/service-account";

/** What an application lacks that acts for itself. */
export const applicationRows = [
  {
    id: "scope-not-delegated",
    matches: [{ oauthError: "unauthorized_client", serviceAccount: /./ }],
    examples: [
      { oauthError: "unauthorized_client", serviceAccount: "sa@project.iam.gserviceaccount.com" },
    ],
    who: "administrator",
    cause: "the domain has not delegated the scope to the service account",
    remedy: ({ client, scopes = [] }) => [
      `an administrator of the domain must delegate to the client ${client} one of the scopes ${scopes.join(" or ")} (Google's Admin console: Security, Access and data control, API controls, Domain-wide delegation); it may take a while to be in force`,
    ],
    source: google,
  },
  {
    id: "service-account-not-for-user",
    matches: [{ oauthError: "invalid_grant", serviceAccount: /./ }],
    examples: [
      { oauthError: "invalid_grant", serviceAccount: "sa@project.iam.gserviceaccount.com" },
    ],
    who: "you",
    cause: () =>
      "the service account's assertion names nobody whom it may act for, or another time",
    remedy: ({ mailbox, serviceAccount }) => [
      `is ${mailbox} a user of the domain that delegates to ${serviceAccount}, and is this machine's clock right?`,
    ],
    source: google,
  },
  {
    id: "role-missing",
    who: "administrator",
    cause: ({ roles = [] }) => `the application's token has no role ${roles.join(", ")}`,
    remedy: (facts) => [
      `in Entra, give the application ${facts.client} the application permission ${(facts.roles ?? []).join(", ")} of Office 365 Exchange Online and grant admin consent; then let it into the mailbox, in Exchange Online PowerShell:`,
      ...exchangePermissions(facts),
    ],
    source: microsoft,
  },
  {
    id: "application-without-right-to-mailbox",
    who: "administrator",
    cause: ({ mailbox }) => `the application has no right to ${mailbox}`,
    remedy: (facts) => [
      "the application needs a right to this mailbox, and its service principal in Exchange the Object ID of Enterprise applications, not of App registrations; an administrator gives it in Exchange Online PowerShell (and it takes a while to be in force):",
      ...exchangePermissions(facts),
    ],
    source: microsoft,
  },
] as const satisfies readonly CauseRow[];

/** The lines of Exchange Online PowerShell that let an application into a mailbox. */
function exchangePermissions(facts: Facts): readonly { readonly command: string }[] {
  const principal = idOr(facts.servicePrincipal, "OBJECT-ID");
  const identity = `'${(facts.mailbox ?? "").replaceAll("'", "''")}'`;
  const sends = facts.access?.includes("smtp") === true;
  return [
    `Connect-ExchangeOnline -Organization ${idOr(facts.tenant, "TENANT-ID")}`,
    `New-ServicePrincipal -AppId ${idOr(facts.client, "APPLICATION-ID")} -ObjectId ${principal}`,
    `Add-MailboxPermission -Identity ${identity} -User ${principal} -AccessRights FullAccess`,
    ...(sends
      ? [`Add-RecipientPermission -Identity ${identity} -Trustee ${principal} -AccessRights SendAs`]
      : []),
  ].map((command) => ({ command }));
}

/** What comes out of a token is only put into a command where it is nothing but an id or a domain. */
function idOr(id: string | undefined, placeholder: string): string {
  return id !== undefined && /^[A-Za-z0-9][A-Za-z0-9.-]{0,99}$/.test(id) ? id : `<${placeholder}>`;
}
