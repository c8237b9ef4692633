import { providerByName } from "../catalog/providers.ts";
import type { Tell } from "../events.ts";
import type { Settings } from "../settings/settings.ts";
import type { Entry, TokenStore } from "../store/entry.ts";
import { belongsTo } from "../store/owner.ts";
import { tokenFiles } from "../store/token-file-store.ts";
import type { TokenRecord } from "../token.ts";
import type { World } from "../world/world.ts";

// Programs ask for a stored token every few minutes: nothing here leads to the network.

/** What is stored for an address, whosever it is. */
export interface Stored {
  readonly store: TokenStore;
  readonly entry: Entry;
  readonly record: TokenRecord | undefined;
  /** the default entry, where it belongs to another provider and another one is used instead */
  readonly passedOver?: { readonly tokenFile: string; readonly provider: string };
}

/**
 * What is stored at the provider that is named, or at any where none is; nobody is asked, and nothing is
 * waited for.
 *
 * @throws MxtokenError `unreadable`, `unreachable`
 */
export async function peekStored(world: World, settings: Settings, tell: Tell): Promise<Stored> {
  const store = tokenFiles(world, settings, tell);
  const entry = store.entry();
  const named = settings.provider === undefined ? undefined : providerByName(settings.provider);
  const isNameless = settings.provider !== undefined && named === undefined;
  const record = await entry.peek();
  if (isNameless) return { store, entry, record: undefined };
  if (named === undefined || belongsTo(record?.notes, named.name)) return { store, entry, record };
  if (settings.tokenFile !== undefined) return { store, entry, record: undefined };
  // The same address at two providers, in the middle of a move.
  const second = store.entry(named.name);
  const other = await second.peek();
  const isTheirs = belongsTo(other?.notes, named.name);
  return { store, entry: second, record: isTheirs ? other : undefined };
}
