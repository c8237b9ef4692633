/** What an application is known by in a Microsoft tenant. */
export interface ApplicationIds {
  readonly tenant: string | undefined;
  readonly application: string;
  /** the Object ID that Enterprise applications shows */
  readonly servicePrincipal: string | undefined;
}

/**
 * The lines of Exchange Online PowerShell that let an application into a mailbox, after Microsoft's
 * document on IMAP, POP and SMTP by OAuth.
 *
 * @param sends whether it shall also send in the mailbox's name
 */
export function exchangePermissions(
  mailbox: string,
  ids: ApplicationIds,
  sends: boolean,
): string[] {
  const tenant = idOr(ids.tenant, "TENANT-ID");
  const application = idOr(ids.application, "APPLICATION-ID");
  const principal = idOr(ids.servicePrincipal, "OBJECT-ID");
  const identity = `'${mailbox.replaceAll("'", "''")}'`;
  return [
    `Connect-ExchangeOnline -Organization ${tenant}`,
    `New-ServicePrincipal -AppId ${application} -ObjectId ${principal}`,
    `Add-MailboxPermission -Identity ${identity} -User ${principal} -AccessRights FullAccess`,
    ...(sends
      ? [`Add-RecipientPermission -Identity ${identity} -Trustee ${principal} -AccessRights SendAs`]
      : []),
  ];
}

/** What comes out of a token is only put into a command where it is nothing but an id or a domain. */
function idOr(id: string | undefined, placeholder: string): string {
  return id !== undefined && /^[A-Za-z0-9][A-Za-z0-9.-]{0,99}$/.test(id) ? id : `<${placeholder}>`;
}
