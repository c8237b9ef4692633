import type { ProviderRow } from "../catalog/provider-row.ts";
import { providerByName } from "../catalog/providers.ts";
import { MxtokenError } from "../errors.ts";
import type { Tell } from "../events.ts";
import { type Mailbox, serverOf } from "../mailbox.ts";
import { explicitProvider } from "../settings/provider.ts";
import type { Settings } from "../settings/settings.ts";
import { checkSameOwner } from "../store/owner.ts";
import type { Remembered } from "../token.ts";
import type { World } from "../world/world.ts";
import { resolveMailbox } from "./mailbox.ts";
import { ownerNamedBy } from "./owner.ts";
import type { Stored } from "./peek.ts";
import { type Chosen, chooseStored, readStored } from "./stored.ts";

/** A mailbox to log in to, and what is stored for it. */
export interface MailboxToProve {
  readonly mailbox: Mailbox;
  /** undefined where nothing stored is needed */
  readonly stored: Stored | undefined;
  /** the provider, where only the address tells it */
  readonly foundRow: ProviderRow | undefined;
}

/**
 * A mailbox for a login that needs no OAuth client, and perhaps nothing stored either.
 *
 * @param isTokenBrought the token comes from elsewhere: what is stored only helps to find the provider
 * @throws MxtokenError `signInNeeded` when something stored is needed and is not there
 */
export async function resolveMailboxToProve(
  world: World,
  settings: Settings,
  isTokenBrought: boolean,
  tell: Tell,
): Promise<MailboxToProve> {
  const isServerNamed =
    settings.provider !== undefined ||
    settings.verify.every((protocol) => settings[`${protocol}Server`] !== undefined);
  if (isTokenBrought && isServerNamed) {
    const row =
      settings.provider === undefined ? undefined : explicitProvider(settings, {}, "")?.row;
    const mailbox = toProve(world, settings, row, {});
    return { mailbox, stored: undefined, foundRow: undefined };
  }
  const { row, foundRow, stored } = await choose(world, settings, isTokenBrought, tell);
  const notes = stored.record?.notes ?? {};
  checkSameOwner(stored.entry.place, notes, ownerNamedBy(settings));
  return { stored, foundRow, mailbox: toProve(world, settings, row, notes) };
}

async function choose(
  world: World,
  settings: Settings,
  isTokenBrought: boolean,
  tell: Tell,
): Promise<Omit<Chosen, "evidence">> {
  const stored = await readStored(world, { settings }, tell);
  const { record, entry } = stored;
  const isServerNamed = settings.verify.every(
    (protocol) => settings[`${protocol}Server`] !== undefined,
  );
  if (settings.provider === undefined && isServerNamed) {
    // With whatever provider it is from: the person has named the server.
    return { row: providerByName(record?.notes.provider ?? ""), foundRow: undefined, stored };
  }
  // Nobody has to be asked for the provider of nothing.
  if (!isTokenBrought && record === undefined && settings.provider === undefined) {
    throw noAccessToken(entry.place);
  }
  return chooseStored(world, { settings, purpose: "newToken" }, stored, tell);
}

/** @throws MxtokenError `configuration` where a server of a protocol that is to be proven is not known */
function toProve(
  world: World,
  settings: Settings,
  row: ProviderRow | undefined,
  remembered: Remembered,
): Mailbox {
  const mailbox = resolveMailbox(settings, row, remembered, world.cwd);
  for (const protocol of settings.verify) serverOf(mailbox, protocol);
  return mailbox;
}

/** There is nothing to prove. */
export function noAccessToken(place: string): MxtokenError {
  return new MxtokenError("signInNeeded", `there is no access token in ${place}`, {
    hint: getFreshOne,
  });
}

/** What to do about a stored token that is not there, or too old. */
export const getFreshOne =
  "get a fresh one: mxtoken with the same address and options, without `check`";
