import { resolveAccount } from "../account/account.ts";
import { ownerNamedBy, peekStored } from "../account/peek.ts";
import { orElsewhere, readStored } from "../account/stored.ts";
import { isAppOnly } from "../catalog/provider-row.ts";
import { providerByName } from "../catalog/providers.ts";
import { MxtokenError } from "../errors.ts";
import type { Tell } from "../events.ts";
import { type Life, lifeOf, send } from "../life/life.ts";
import { revokeToken } from "../oauth/grants.ts";
import type { Settings } from "../settings/settings.ts";
import { belongsTo, type Entry } from "../store/entry.ts";
import type { TokenRecord } from "../token.ts";
import type { World } from "../world/world.ts";

interface RevokeRequest {
  readonly settings: Settings;
  /** only the file is removed, and nobody is asked */
  readonly isLocalOnly: boolean;
}

/** An account that is gone from here. */
export interface Revoked {
  readonly account: string;
  readonly provider: string | undefined;
  /** absolute */
  readonly tokenFile: string;
  /** whether the provider has revoked it, just now or before */
  readonly isRevoked: boolean;
}

interface Removed {
  readonly entry: Entry;
  readonly record: TokenRecord;
  readonly isRevoked: boolean;
}

/**
 * Revokes the account's token at the provider (RFC 7009) where that can be done, then removes its
 * file.
 *
 * @throws MxtokenError `unreachable` and every other error leave the file as it is; Interrupted
 */
export async function revoke(world: World, request: RevokeRequest, tell: Tell): Promise<Revoked> {
  const { settings, isLocalOnly } = request;
  const remove = isLocalOnly ? removeOnly : revokeAndRemove;
  const { entry, record, isRevoked } = await remove(world, settings, tell);
  const account = settings.address.text;
  const tokenFile = entry.place;
  tell({ is: "removed", account, tokenFile, isRevoked });
  for (const path of await entry.beside()) tell({ is: "tokensBeside", path });
  world.interrupted.throwIfAborted();
  return { account, provider: record.notes.provider, tokenFile, isRevoked };
}

async function revokeAndRemove(world: World, settings: Settings, tell: Tell): Promise<Removed> {
  const first = await readStored(world, { settings }, tell);
  if (first.record === undefined && settings.provider === undefined) {
    throw await nothingToRevoke(first.entry);
  }
  const request = { settings, purpose: "revoke" } as const;
  const { account, stored } = await resolveAccount(world, request, first, tell);
  const { entry } = stored;
  const life = lifeOf(world, account, stored, tell);
  return entry.edit(account.owner, async (open) => {
    const { record } = open;
    if (record === undefined) throw await nothingToRevoke(entry);
    // Before anything is revoked: what cannot be removed would hold tokens that are dead.
    await open.prepareRemoval();
    const isRevoked = await revokeAtProvider(life, record);
    await open.remove();
    return { entry, record, isRevoked };
  });
}

/** Nobody is asked, so nothing of provider and client has to be known, and no secret. */
async function removeOnly(world: World, settings: Settings, tell: Tell): Promise<Removed> {
  const { entry } = await peekStored(world, settings, tell);
  return entry.edit(ownerNamedBy(settings), async (open) => {
    const { record } = open;
    if (record === undefined || !isOfProvider(record, settings)) throw await nothingToRevoke(entry);
    await open.remove();
    return { entry, record, isRevoked: false };
  });
}

function isOfProvider({ notes }: TokenRecord, { provider }: Settings): boolean {
  return provider === undefined || belongsTo(notes, providerByName(provider)?.name ?? provider);
}

/** @returns whether it is revoked */
async function revokeAtProvider(life: Life, record: TokenRecord): Promise<boolean> {
  const { account, tell, world } = life;
  const { client, row } = account;
  const { expiresAt } = record.notes;
  if (isAppOnly(client.flow) && record.refreshToken === undefined) {
    tell({ is: "applicationNotRevoked", expiresAt });
    return false;
  }
  if (client.revocationEndpoint === undefined) {
    if (row === undefined) throw whereUnknown();
    tell({ is: "revokedByHand", provider: row.title, how: row.revokeByHand });
    return false;
  }
  const { refreshToken, accessToken } = record;
  const token = refreshToken ?? accessToken;
  if (token === undefined) return false;
  if (refreshToken === undefined && expiresAt !== undefined && expiresAt <= world.now()) {
    tell({ is: "nothingToRevoke", expiresAt });
    return false;
  }
  if (row?.beforeRevocation !== undefined) {
    tell({ is: "beforeRevocation", text: row.beforeRevocation });
  }
  const { host } = new URL(client.revocationEndpoint);
  tell({ is: "revoking", host });
  const kind = refreshToken === undefined ? "access_token" : "refresh_token";
  try {
    const isKnown = await send(life, (context) => revokeToken(context, token, kind));
    if (!isKnown) tell({ is: "alreadyRevoked", host });
    return true;
  } catch (error) {
    throw kept(life.entry, error);
  }
}

function whereUnknown(): MxtokenError {
  return new MxtokenError("configuration", "where to revoke it is not known: pass --revoke-uri", {
    hint: "or --issuer, where the server tells its endpoints; --local-only removes the file alone",
  });
}

function kept({ place }: Entry, error: unknown): unknown {
  if (!(error instanceof MxtokenError)) return error;
  const { code, message, facts, hint } = error;
  const alone = "--local-only removes the file alone";
  const withAlone = hint === undefined ? alone : `${hint}; ${alone}`;
  return error.with({
    message: `${message}; ${place} is kept`,
    facts: { ...facts, path: place },
    hint: code === "unreachable" ? hint : withAlone,
  });
}

function nothingToRevoke(entry: Entry): Promise<MxtokenError> {
  const { place } = entry;
  const message = `there are no tokens in ${place}, so nothing is revoked`;
  const hint = "is the address right, and --home or --token-file the one that it was stored with?";
  const details = { facts: { path: place }, hint };
  return orElsewhere(new MxtokenError("configuration", message, details), entry);
}
