import type { ProviderRow } from "../catalog/provider-row.ts";
import { providerByName } from "../catalog/providers.ts";
import { MxtokenError } from "../errors.ts";
import type { Tell } from "../events.ts";
import { type Mailbox, serverOf } from "../mailbox.ts";
import { explicitProvider } from "../settings/provider.ts";
import type { Settings } from "../settings/settings.ts";
import { tokenFileOf } from "../store/token-file-path.ts";
import type { Remembered } from "../token.ts";
import type { World } from "../world/world.ts";
import { type Chosen, chooseTokenFile, readStored, type Stored } from "./choose-token-file.ts";
import { resolveMailbox } from "./mailbox.ts";
import { checkSameOwner, ownerNamedBy } from "./owner.ts";

/** A mailbox to log in to, and where its token is. */
export interface PreparedMailbox extends Stored {
  readonly mailbox: Mailbox;
  /** the provider, where only the address tells it */
  readonly foundRow?: ProviderRow | undefined;
}

/**
 * A mailbox for a login that needs no OAuth client, and perhaps no token file either.
 *
 * @param needsFile false when the token comes from elsewhere: then a file only helps to find the
 * provider
 * @throws MxtokenError `signInNeeded` when a file is needed and is not there
 */
export async function prepareMailbox(
  world: World,
  settings: Settings,
  needsFile: boolean,
  tell: Tell,
): Promise<PreparedMailbox> {
  const isServerNamed =
    settings.provider !== undefined ||
    settings.verify.every((protocol) => settings[`${protocol}Server`] !== undefined);
  const tokenFile = tokenFileOf(world, settings);
  if (!needsFile && isServerNamed) {
    const row =
      settings.provider === undefined ? undefined : explicitProvider(settings, {}, tokenFile)?.row;
    return { tokenFile, record: undefined, mailbox: toProve(settings, row, {}, world) };
  }
  const { row, foundRow, stored } =
    settings.provider === undefined && isServerNamed
      ? await storedAnywhere(world, settings, tell)
      : await storedAtProvider(world, settings, needsFile, tell);
  checkSameOwner(stored.tokenFile, stored.record?.notes ?? {}, ownerNamedBy(settings));
  return {
    ...stored,
    foundRow,
    mailbox: toProve(settings, row, stored.record?.notes ?? {}, world),
  };
}

/** @throws MxtokenError `configuration` where a server of a protocol that is to be proven is not known */
function toProve(
  settings: Settings,
  row: ProviderRow | undefined,
  remembered: Remembered,
  world: World,
): Mailbox {
  const mailbox = resolveMailbox(settings, row, remembered, world.cwd);
  for (const protocol of settings.verify) serverOf(mailbox, protocol);
  return mailbox;
}

/** There is nothing to prove. */
export function noAccessToken(tokenFile: string): MxtokenError {
  return new MxtokenError("signInNeeded", `there is no access token in ${tokenFile}`, {
    hint: getFreshOne,
  });
}

/** What to do about a stored token that is not there, or too old. */
export const getFreshOne =
  "get a fresh one: mxtoken with the same address and options, without `check`";

/** The stored token with whatever provider it is from: the person has named the server. */
async function storedAnywhere(
  world: World,
  settings: Settings,
  tell: Tell,
): Promise<Omit<Chosen, "evidence">> {
  const stored = await readStored(world, settings, tell);
  const row = providerByName(stored.record?.notes.provider ?? "");
  return { row, foundRow: undefined, stored };
}

async function storedAtProvider(
  world: World,
  settings: Settings,
  needsFile: boolean,
  tell: Tell,
): Promise<Chosen> {
  const { tokenFile, record } = await readStored(world, settings, tell);
  // Nobody has to be asked for the provider of nothing.
  if (needsFile && record === undefined && settings.provider === undefined) {
    throw noAccessToken(tokenFile);
  }
  return chooseTokenFile(world, settings, false, tell);
}
