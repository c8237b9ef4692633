import type { PasswordOnlyRow } from "../catalog/provider-row.ts";
import type { FoundProvider } from "../discover/discover.ts";
import { showEvidence, showServer, table } from "./provider.ts";

/** What is known of a provider whose IMAP server takes no token, in lines for standard output. */
export function describePasswordOnly({ row, evidence }: FoundProvider<PasswordOnlyRow>): string {
  return table([
    ["provider", `${row.name} (${row.title})`],
    ["other names", row.aliases.join(", ")],
    ["evidence", showEvidence(evidence)],
    ["IMAP", showServer(row.imap)],
    ["SMTP", showServer(row.smtp)],
    ["POP", showServer(row.pop)],
    ["OAuth 2.0", "none for IMAP"],
    ["instead", row.instead],
    ...(row.remarks ?? []).map((remark) => ["remark", remark] as const),
  ]);
}

/** The same as data, to stand beside the error. */
export function passwordOnlyDocument({ row, evidence }: FoundProvider<PasswordOnlyRow>): object {
  const { name: provider, aliases, title, instead, remarks = [], sources } = row;
  const servers = { imap: row.imap, smtp: row.smtp, pop: row.pop };
  return { provider, aliases, title, evidence, ...servers, instead, remarks, sources };
}
