import { resolve } from "node:path";
import { findProvider, type ProviderRow } from "../catalog/providers.ts";
import { type OAuthClient, resolveClient } from "../config/client.ts";
import {
  customProvider,
  type Mailbox,
  resolveMailbox,
  resolveProvider,
} from "../config/mailbox.ts";
import type { Settings } from "../config/settings.ts";
import { defaultTokenFile } from "../config/token-file-path.ts";
import { MxtokenError } from "../errors.ts";
import { readTokenFile } from "../store/read.ts";
import type { TokenRecord } from "../store/token-file.ts";
import type { World } from "../world/world.ts";
import { belongsTo, checkSameOwner, ownerOf } from "./owner.ts";

/** The token file of a mailbox and what stands in it. */
export interface Stored {
  /** absolute */
  readonly tokenFile: string;
  readonly record: TokenRecord | undefined;
  /** the default file, where it belongs to another provider and another one is used instead */
  readonly passedOver?: { readonly tokenFile: string; readonly provider: string };
}

/** Everything that is known before anybody is asked anything. */
export interface Prepared extends Stored {
  readonly mailbox: Mailbox;
  readonly client: OAuthClient;
}

/**
 * Completes the settings from the token file's comments and the catalogue, and makes sure that
 * the file may be used for them.
 *
 * @throws MxtokenError `usage`, `noProvider`, `configuration`, `unreadable`
 */
export async function prepare(
  world: World,
  settings: Settings,
  startover: boolean,
): Promise<Prepared> {
  const { row, stored } = await chooseTokenFile(world, settings, startover);
  const notes = stored.record?.notes ?? {};
  const client = await resolveClient(world, settings, row, notes);
  const mailbox = resolveMailbox(settings, row, world.cwd);
  if (!startover) checkSameOwner(stored.tokenFile, notes, ownerOf({ mailbox, client }));
  return { ...stored, client, mailbox };
}

/**
 * As {@link prepare}, for a login that needs no OAuth client, and perhaps no token file either.
 *
 * @param needsFile false when the token comes from elsewhere: then a file only helps to find the
 * provider
 */
export async function prepareMailbox(
  world: World,
  settings: Settings,
  needsFile: boolean,
): Promise<Stored & { mailbox: Mailbox }> {
  const isServerNamed = settings.provider !== undefined || settings.imapServer !== undefined;
  if (!needsFile && isServerNamed) {
    const tokenFile = tokenFileOf(world, settings);
    const row =
      settings.provider === undefined ? undefined : resolveProvider(settings, {}, tokenFile);
    return { tokenFile, record: undefined, mailbox: resolveMailbox(settings, row, world.cwd) };
  }
  const { row, stored } =
    settings.provider === undefined && settings.imapServer !== undefined
      ? await storedAnywhere(world, settings)
      : await chooseTokenFile(world, settings, false);
  const { clientId: client, tenant } = settings;
  const owner = { account: settings.address.text, client, tenant, tokenHost: undefined };
  checkSameOwner(stored.tokenFile, stored.record?.notes ?? {}, owner);
  return { ...stored, mailbox: resolveMailbox(settings, row, world.cwd) };
}

/** The stored token with whatever provider it is from: the person has named the server. */
async function storedAnywhere(
  world: World,
  settings: Settings,
): Promise<{ row: ProviderRow | undefined; stored: Stored }> {
  const stored = await read(tokenFileOf(world, settings), false);
  return { row: findProvider(stored.record?.notes.provider ?? ""), stored };
}

async function chooseTokenFile(
  world: World,
  settings: Settings,
  startover: boolean,
): Promise<{ row: ProviderRow | undefined; stored: Stored }> {
  const first = await read(tokenFileOf(world, settings), startover);
  const row = resolveProvider(settings, first.record?.notes ?? {}, first.tokenFile);
  const provider = row?.name ?? customProvider;
  if (belongsTo(first.record?.notes, provider)) return { row, stored: first };
  if (settings.tokenFile === undefined) {
    // The same address at two providers, in the middle of a move.
    const second = await read(defaultTokenFile(world, settings, provider), startover);
    const former = first.record?.notes.provider ?? "";
    const passedOver = { tokenFile: first.tokenFile, provider: former };
    if (belongsTo(second.record?.notes, provider))
      return { row, stored: { ...second, passedOver } };
  }
  throw new MxtokenError(
    "configuration",
    `${first.tokenFile} belongs to ${first.record?.notes.provider}, not to ${provider}: its tokens are not sent there, and it is not overwritten`,
    { hint: "pass another --token-file, or the --provider that it was made with" },
  );
}

function tokenFileOf(world: World, settings: Settings): string {
  return settings.tokenFile === undefined
    ? defaultTokenFile(world, settings)
    : resolve(world.cwd, settings.tokenFile);
}

async function read(tokenFile: string, startover: boolean): Promise<Stored> {
  try {
    return { tokenFile, record: await readTokenFile(tokenFile) };
  } catch (error) {
    if (startover && error instanceof MxtokenError && error.code === "unreadable") {
      return { tokenFile, record: undefined };
    }
    throw error;
  }
}
