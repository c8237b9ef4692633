import { dirname } from "node:path";
import { readStored } from "../account/choose-token-file.ts";
import { belongsTo } from "../account/owner.ts";
import { parseAddress } from "../address.ts";
import { providerByName } from "../catalog/providers.ts";
import { MxtokenError } from "../errors.ts";
import type { Tell } from "../events.ts";
import { customProvider } from "../settings/provider.ts";
import type { Settings } from "../settings/settings.ts";
import { tokenFilesIn } from "../store/remove.ts";
import { defaultTokenFile } from "../store/token-file-path.ts";
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
  const directory = directoryOf(world, settings);
  for (const tokenFile of await tokenFilesIn(directory)) {
    world.interrupted.throwIfAborted();
    try {
      const own = await settingsFor(world, { ...settings, provider }, tokenFile, tell);
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
  if (results.length === 0) tell({ is: "nothingHere", directory, provider });
  return results;
}

function providerNamed(name: string): string {
  const row = providerByName(name);
  if (row !== undefined) return row.name;
  throw new MxtokenError("usage", `--provider: ${JSON.stringify(name)} is not known`);
}

function directoryOf(world: World, settings: Omit<Settings, "address">): string {
  const address = parseAddress("anybody@example.com");
  return dirname(defaultTokenFile(world, { ...settings, address }));
}

/**
 * The settings for one of many files: its own account, provider and client. A client secret goes to
 * the client that it was given for, and to nobody else; endpoints are for a provider that is named
 * with them, or that has no name.
 *
 * @returns undefined for a file of another provider than the one that is named
 * @throws MxtokenError `unreadable` where the file does not tell its mailbox
 */
async function settingsFor(
  world: World,
  settings: Omit<Settings, "address">,
  tokenFile: string,
  tell: Tell,
): Promise<Settings | undefined> {
  const named = { ...settings, address: parseAddress("anybody@example.com"), tokenFile };
  const { record } = await readStored(world, named, tell);
  const notes = record?.notes;
  // What does not say where it is from is sent nowhere for a provider that many are meant by.
  const isUnsaid = notes?.provider === undefined;
  if (settings.provider !== undefined && (isUnsaid || !belongsTo(notes, settings.provider))) {
    return undefined;
  }
  const isTheirs = settings.clientId !== undefined && settings.clientId === notes?.client;
  return {
    ...named,
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
