import { parseAddress, parseDomain } from "../address.ts";
import type { PasswordOnlyRow, ProviderRow } from "../catalog/provider-row.ts";
import { passwordOnlyProviderByName, providerByName } from "../catalog/providers.ts";
import { type Discovered, discover } from "../discover/discover.ts";
import type { ProviderEvidence, Tell } from "../events.ts";
import type { Resolver } from "../settings/resolvers.ts";
import type { World } from "../world/world.ts";

export { requireOAuth } from "../discover/discover.ts";

/** What `mxtoken provider` found; perhaps one whose IMAP server takes no OAuth 2.0 token. */
export type FoundProvider<Row = ProviderRow | PasswordOnlyRow> = Discovered<Row, ProviderEvidence>;

/**
 * The provider of an address or of a mail domain; or the one of that name, which is a word without
 * a dot.
 *
 * @throws MxtokenError `usage`, `noProvider`, `unreachable`; Interrupted
 */
export async function identifyProvider(
  world: World,
  text: string,
  resolver: Resolver | undefined,
  tell: Tell,
): Promise<FoundProvider> {
  const isName = !/[@.]/.test(text);
  const row = isName ? (providerByName(text) ?? passwordOnlyProviderByName(text)) : undefined;
  if (row !== undefined) return { row, evidence: { by: "name" } };
  const domain = text.includes("@") ? parseAddress(text).domain : parseDomain(text);
  return discover(world, domain, resolver, () => tell({ is: "lookingUpMx", domain }));
}
