import { dirname } from "node:path";
import { providerByName } from "../catalog/providers.ts";
import { MxtokenError } from "../errors.ts";
import type { Tell } from "../events.ts";
import { parseAddress } from "../mailbox.ts";
import { customProvider } from "../settings/provider.ts";
import type { Settings } from "../settings/settings.ts";
import { belongsTo } from "../store/entry.ts";
import { tokenFiles } from "../store/token-file-store.ts";
import type { TokenRecord } from "../token.ts";
import type { World } from "../world/world.ts";
import { type Revoked, revoke } from "./revoke.ts";

/** What became of one account of many. */
export type RevokeResult =
  | { readonly is: "revoked"; readonly revoked: Revoked }
  | { readonly is: "failed"; readonly tokenFile: string; readonly error: MxtokenError };

/**
 * Does the same for every account here; one that fails does not keep the others.
 *
 * @param settings without an address; a provider narrows it down
 * @throws MxtokenError `usage` for an unknown provider; Interrupted
 */
export async function revokeAll(
  world: World,
  settings: Omit<Settings, "address">,
  isLocalOnly: boolean,
  tell: Tell,
): Promise<readonly RevokeResult[]> {
  const results: RevokeResult[] = [];
  const provider = settings.provider === undefined ? undefined : providerNamed(settings.provider);
  const address = parseAddress("anybody@example.com");
  const store = tokenFiles(world, { ...settings, address, tokenFile: undefined }, tell);
  for (const entry of await store.list()) {
    world.interrupted.throwIfAborted();
    const tokenFile = entry.place;
    try {
      const own = settingsFor({ ...settings, provider }, tokenFile, await entry.read());
      if (own === undefined) continue;
      const revoked = await revoke(world, { settings: own, isLocalOnly }, tell);
      results.push({ is: "revoked", revoked });
    } catch (error) {
      if (!(error instanceof MxtokenError)) throw error;
      const isNamed = error.facts.path === tokenFile;
      tell({ is: "notRevoked", tokenFile, reason: error.message, isNamed });
      results.push({ is: "failed", tokenFile, error });
    }
  }
  if (results.length === 0) {
    tell({ is: "nothingHere", directory: dirname(store.entry().place), provider });
  }
  return results;
}

function providerNamed(name: string): string {
  const row = providerByName(name);
  if (row !== undefined) return row.name;
  throw new MxtokenError("usage", `--provider: ${JSON.stringify(name)} is not known`);
}

/**
 * The settings for one of many files: its own account, provider and client. A client secret goes to
 * the client that it was given for, and to nobody else; endpoints are for a provider that is named
 * with them, or that has no name.
 *
 * @returns undefined for a file of another provider than the one that is named
 * @throws MxtokenError `unreadable` where the file does not tell its mailbox
 */
function settingsFor(
  settings: Omit<Settings, "address">,
  tokenFile: string,
  record: TokenRecord | undefined,
): Settings | undefined {
  const notes = record?.notes;
  // What does not say where it is from is sent nowhere for a provider that many are meant by.
  const isUnsaid = notes?.provider === undefined;
  if (settings.provider !== undefined && (isUnsaid || !belongsTo(notes, settings.provider))) {
    return undefined;
  }
  const isTheirs = settings.clientId !== undefined && settings.clientId === notes?.client;
  return {
    ...settings,
    tokenFile,
    address: parseAddress(notes?.account ?? addressInName(tokenFile)),
    ...(isTheirs
      ? {}
      : {
          clientId: undefined,
          clientSecret: {},
          clientCertificate: undefined,
          clientKey: undefined,
        }),
    ...(settings.provider !== undefined || notes?.provider === customProvider
      ? {}
      : {
          authorizeUri: undefined,
          tokenUri: undefined,
          deviceUri: undefined,
          revokeUri: undefined,
          issuer: undefined,
        }),
    app: undefined,
    tenant: undefined,
    login: undefined,
  };
}

/** oauth2_imap's files say in their name whose they are. */
function addressInName(tokenFile: string): string {
  const [, name = ""] = /oauth2_tokens_(.+)\.txt$/.exec(tokenFile) ?? [];
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}
