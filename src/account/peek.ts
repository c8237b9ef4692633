import { isAppOnly } from "../catalog/provider-row.ts";
import { providerByName } from "../catalog/providers.ts";
import type { Tell } from "../events.ts";
import type { Settings } from "../settings/settings.ts";
import type { Entry, TokenStore } from "../store/entry.ts";
import { belongsTo, type Owner } from "../store/entry.ts";
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

/** What the settings alone say about the owner, where no client is needed. */
export function ownerNamedBy({ address, clientId, tenant, login, flow }: Settings): Owner {
  return {
    account: address.text,
    client: clientId,
    tenant,
    tokenHost: undefined,
    login,
    isForApplication: flow === undefined ? undefined : isAppOnly(flow),
  };
}

/** What can be told of an account by a look at what is stored. */
interface Foreseen {
  /**
   * the host of the token endpoint that is given, or that what is stored names, or of the provider that
   * they name; undefined where neither does
   */
  readonly server: string | undefined;
  /** when the stored token ends, ms since 1970; undefined where that is not noted */
  readonly expiresAt: number | undefined;
}

/** Thousands of accounts ask the same. */
let last: { readonly uri: string; readonly host: string | undefined } | undefined;

function hostIn(uri: string): string | undefined {
  if (last?.uri !== uri) last = { uri, host: URL.canParse(uri) ? new URL(uri).host : undefined };
  return last.host;
}

/** Looks ahead. Never fails: what is wrong there, whoever comes to use it will say. */
export async function foresee(world: World, settings: Settings): Promise<Foreseen> {
  try {
    const notes = (
      await tokenFiles(world, settings, () => undefined)
        .entry()
        .peek()
    )?.notes;
    const name = settings.provider ?? notes?.provider;
    const row = name === undefined ? undefined : providerByName(name);
    const named = settings.provider === undefined ? notes?.tokenEndpoint : undefined;
    const uri = settings.tokenUri ?? named ?? row?.tokenEndpoint;
    return { server: uri === undefined ? undefined : hostIn(uri), expiresAt: notes?.expiresAt };
  } catch {
    return { server: undefined, expiresAt: undefined };
  }
}
