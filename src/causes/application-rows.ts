import type { CauseRow, Facts } from "./cause.ts";

const google = "https://developers.google.com/identity/protocols/oauth2/service-account";
const microsoft =
  "MicrosoftDocs/office-developer-exchange-docs: Authenticate an IMAP, POP or SMTP connection using OAuth@5a8808d7";

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
