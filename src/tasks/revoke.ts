import { readStored } from "../account/choose-token-file.ts";
import { checkSameOwner, ownerNamedBy } from "../account/owner.ts";
import { prepare } from "../account/prepare.ts";
import { MxtokenError } from "../errors.ts";
import type { Tell } from "../events.ts";
import { findRecord } from "../life/fresh-token.ts";
import { type Job, readAgain, withTokenRequest } from "../life/job.ts";
import { revokeToken } from "../oauth/revocation.ts";
import { isAppOnly } from "../settings/flow.ts";
import type { Settings } from "../settings/settings.ts";
import { removeTokenFile, tokenFilesBeside } from "../store/remove.ts";
import { checkTarget } from "../store/target.ts";
import { withTokenFileLock } from "../store/token-file-lock.ts";
import type { TokenRecord } from "../token.ts";
import type { World } from "../world/world.ts";

/** What the person wants of `mxtoken revoke`. */
export interface RevokeRequest {
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

/**
 * Revokes the account's token at the provider (RFC 7009) where that can be done, then removes its
 * file.
 *
 * @throws MxtokenError `unreachable` and every other error leave the file as it is; Interrupted
 */
export async function revoke(world: World, request: RevokeRequest, tell: Tell): Promise<Revoked> {
  const { settings, isLocalOnly } = request;
  const outcome = isLocalOnly
    ? await removeOnly(world, settings, tell)
    : await revokeAndRemove(world, settings, tell);
  const { tokenFile, isRevoked } = outcome;
  const account = settings.address.text;
  tell({ is: "removed", account, tokenFile, isRevoked });
  for (const path of await tokenFilesBeside(tokenFile)) tell({ is: "tokensBeside", path });
  world.interrupted.throwIfAborted();
  return { account, ...outcome };
}

async function revokeAndRemove(
  world: World,
  settings: Settings,
  tell: Tell,
): Promise<Omit<Revoked, "account">> {
  const stored = await readStored(world, settings, tell);
  if (stored.record === undefined && settings.provider === undefined) {
    throw nothingToRevoke(stored.tokenFile);
  }
  const prepared = await prepare(world, settings, false, tell, "revoke");
  const job: Job = { ...prepared, world, tell, gid: undefined, startover: false };
  const { tokenFile } = job;
  return withTokenFileLock(job, async () => {
    const record = await readAgain(job);
    if (record === undefined) throw nothingToRevoke(tokenFile);
    // Before anything is revoked: what cannot be removed would hold tokens that are dead.
    await checkTarget(tokenFile);
    const isRevoked = await revokeAtProvider(job, record);
    await removeTokenFile(world, tokenFile);
    return { tokenFile, provider: record.notes.provider, isRevoked };
  });
}

/** Nobody is asked, so nothing of provider and client has to be known, and no secret. */
async function removeOnly(
  world: World,
  settings: Settings,
  tell: Tell,
): Promise<Omit<Revoked, "account">> {
  const { tokenFile } = await findRecord(world, settings);
  return withTokenFileLock({ world, tell, tokenFile, gid: undefined }, async () => {
    const { record } = await findRecord(world, settings);
    if (record === undefined) throw nothingToRevoke(tokenFile);
    checkSameOwner(tokenFile, record.notes, ownerNamedBy(settings));
    await removeTokenFile(world, tokenFile);
    return { tokenFile, provider: record.notes.provider, isRevoked: false };
  });
}

/** @returns whether it is revoked */
async function revokeAtProvider(job: Job, record: TokenRecord): Promise<boolean> {
  const { client, row, tell, world } = job;
  const { expiresAt } = record.notes;
  if (isAppOnly(client.flow) && record.refreshToken === undefined) {
    tell({ is: "applicationNotRevoked", expiresAt });
    return false;
  }
  if (client.revocationEndpoint === undefined) {
    if (row === undefined) {
      throw new MxtokenError(
        "configuration",
        "where to revoke it is not known: pass --revoke-uri",
        {
          hint: "or --issuer, where the server tells its endpoints; --local-only removes the file alone",
        },
      );
    }
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
  if (row?.beforeRevocation !== undefined)
    tell({ is: "beforeRevocation", text: row.beforeRevocation });
  const { host } = new URL(client.revocationEndpoint);
  tell({ is: "revoking", host });
  const kind = refreshToken === undefined ? "access_token" : "refresh_token";
  const isKnown = await withTokenRequest(job, (context) => revokeToken(context, token, kind)).catch(
    (error) => {
      throw kept(job, error);
    },
  );
  if (!isKnown) tell({ is: "alreadyRevoked", host });
  return true;
}

function kept({ tokenFile }: Job, error: unknown): unknown {
  if (!(error instanceof MxtokenError)) return error;
  const { code, message, facts, hint } = error;
  return error.with({
    message: `${message}; ${tokenFile} is kept`,
    facts: { ...facts, path: tokenFile },
    hint:
      code === "unreachable"
        ? hint
        : [hint, "--local-only removes the file alone"]
            .filter((one) => one !== undefined)
            .join("; "),
  });
}

function nothingToRevoke(tokenFile: string): MxtokenError {
  return new MxtokenError(
    "configuration",
    `there are no tokens in ${tokenFile}, so nothing is revoked`,
    {
      facts: { path: tokenFile },
      hint: "is the address right, and --home or --token-file the one that it was stored with?",
    },
  );
}
