import { parseAddress, parseDomain } from "../address.ts";
import type { ProviderRow } from "../catalog/provider-row.ts";
import { oauthProviderByName } from "../config/provider.ts";
import type { Resolver } from "../config/resolvers.ts";
import { discover, type ProviderEvidence } from "../provider/discover.ts";
import type { World } from "../world/world.ts";
import type { Tell } from "./events.ts";

/** What `mxtoken provider` found. */
export interface FoundProvider {
  readonly row: ProviderRow;
  readonly evidence: ProviderEvidence;
}

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
  const row = /[@.]/.test(text) ? undefined : oauthProviderByName(text);
  if (row !== undefined) return { row, evidence: { by: "name" } };
  const domain = text.includes("@") ? parseAddress(text).domain : parseDomain(text);
  return discover(world, domain, resolver, () => tell({ is: "lookingUpMx", domain }));
}
