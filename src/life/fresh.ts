import { ownerNamedBy, type Stored } from "../account/peek.ts";
import { providerByName } from "../catalog/providers.ts";
import { MxtokenError } from "../errors.ts";
import { knownEndOf } from "../proof/identity.ts";
import type { Secret } from "../secret.ts";
import type { Settings } from "../settings/settings.ts";
import { checkSameOwner } from "../store/entry.ts";
import { endOf, missingScopes, type TokenNotes, type TokenRecord } from "../token.ts";
import type { Clock } from "../world/world.ts";

/** What a program is shown of a token. */
export interface ShownToken {
  readonly accessToken: Secret;
  readonly refreshToken: Secret | undefined;
  /** milliseconds since 1970; undefined when nobody knows */
  readonly expiresAt: number | undefined;
  /** space-separated */
  readonly scope: string | undefined;
  /** the mailbox */
  readonly account: string;
  /** the person who signed in; the mailbox itself, unless it is shared or delegated */
  readonly login: string;
  /** undefined when nobody knows */
  readonly provider: string | undefined;
  /** scopes that its use needs, and that a person has not granted */
  readonly missingScopes: readonly string[];
}

/** Which token will do. */
export interface Freshness {
  readonly settings: Settings;
  /** ms that it must still be good for */
  readonly minLife: number;
}

/**
 * The stored token, if it is good for long enough.
 *
 * @throws MxtokenError `configuration` for one that belongs to something else
 */
export function fresh(
  world: Clock,
  { settings, minLife }: Freshness,
  { entry, record }: Stored,
): ShownToken | undefined {
  if (record === undefined || !isFresh(world, record, minLife)) return undefined;
  if (isForImapAlone(record) && settings.access.some((each) => each !== "imap")) return undefined;
  checkSameOwner(entry.place, record.notes, ownerNamedBy(settings));
  return shownToken(settings, record);
}

/** Whether the access token is there and, as far as anybody knows, good for at least `minLife` ms. */
export function isFresh(world: Clock, record: TokenRecord, minLife: number): boolean {
  const now = world.now();
  const end = knownEndOf(record) ?? endOf(record, now);
  const isLasting = end !== undefined && end - now >= minLife;
  return record.accessToken !== undefined && isLasting;
}

/** A service account's scope for migrations opens IMAP and nothing else. */
function isForImapAlone({ notes }: TokenRecord): boolean {
  const row = notes.provider === undefined ? undefined : providerByName(notes.provider);
  return notes.scope !== undefined && notes.scope === row?.serviceAccount?.imapScope;
}

/** @throws MxtokenError `defect` without an access token */
export function shownToken(settings: Settings, record: TokenRecord): ShownToken {
  const { accessToken, refreshToken, notes } = record;
  if (accessToken === undefined) {
    throw new MxtokenError("defect", "there is no access token to show");
  }
  const account = settings.address.text;
  return {
    accessToken,
    refreshToken,
    expiresAt: notes.expiresAt,
    scope: notes.scope,
    account,
    login: settings.login ?? notes.login ?? account,
    provider: notes.provider,
    missingScopes: scopesMissing(settings, notes),
  };
}

/** What the provider is known to want for the protocols, and the stored token is known not to have. */
function scopesMissing({ access }: Settings, { provider, scope, flow }: TokenNotes): string[] {
  const row = provider === undefined ? undefined : providerByName(provider);
  const isDelegated = flow === undefined || flow === "device";
  if (row === undefined || scope === undefined || !isDelegated) return [];
  const known: ReadonlySet<string> = new Set(Object.values(row.scopes));
  // Whoever has asked for a scope of their own knows what it opens.
  if (!scope.split(" ").some((one) => known.has(one))) return [];
  return missingScopes(access.flatMap((each) => row.scopes[each] ?? []).join(" "), scope);
}
