import type { ProviderRow } from "../catalog/provider-row.ts";
import { discover, requireOAuth } from "../discover/discover.ts";
import type { ProviderEvidence, Tell } from "../events.ts";
import { explicitProvider, type Purpose } from "../settings/provider.ts";
import type { Settings } from "../settings/settings.ts";
import type { Remembered } from "../token.ts";
import type { World } from "../world/world.ts";

/** The provider of a run, and why it is the one. */
export interface ChosenProvider {
  /** undefined when everything that a row says was given by options */
  readonly row: ProviderRow | undefined;
  readonly evidence: ProviderEvidence;
}

/**
 * The provider that is named, by option or by the token file; else the one that the address tells.
 *
 * @param tokenFile where a former run would have left its provider
 * @throws MxtokenError `usage`, `configuration`, `noProvider`, `unreachable`; Interrupted
 */
export async function chooseProvider(
  world: World,
  settings: Settings,
  remembered: Remembered,
  tokenFile: string,
  tell: Tell,
  purpose: Purpose,
): Promise<ChosenProvider> {
  const explicit = explicitProvider(settings, remembered, tokenFile, purpose);
  if (explicit !== undefined) {
    const evidence = { by: explicit.by };
    if (explicit.by === "tokenFile") {
      tell({ is: "providerFound", provider: explicit.row.name, evidence });
    }
    return { row: explicit.row, evidence };
  }
  const { address, dnsServer } = settings;
  const onLookUp = () => tell({ is: "lookingUpMx", domain: address.domain });
  const found = requireOAuth(await discover(world, address.domain, dnsServer, onLookUp));
  tell({ is: "providerFound", provider: found.row.name, evidence: found.evidence });
  return found;
}
