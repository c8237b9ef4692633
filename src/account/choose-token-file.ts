import type { ProviderRow } from "../catalog/provider-row.ts";
import { MxtokenError } from "../errors.ts";
import type { Tell } from "../events.ts";
import { customProvider, type Purpose } from "../settings/provider.ts";
import type { Settings } from "../settings/settings.ts";
import { readOrRestore, type UsedTokenFile } from "../store/token-file-lock.ts";
import { defaultTokenFile, tokenFileOf } from "../store/token-file-path.ts";
import { withBelievedEnd } from "../store/token-life.ts";
import type { TokenRecord } from "../token.ts";
import type { World } from "../world/world.ts";
import { type ChosenProvider, chooseProvider } from "./choose-provider.ts";
import { belongsTo, checkStoredTokensFit } from "./owner.ts";

/** The token file of a mailbox and what stands in it. */
export interface Stored {
  /** absolute */
  readonly tokenFile: string;
  readonly record: TokenRecord | undefined;
  /** the default file, where it belongs to another provider and another one is used instead */
  readonly passedOver?: { readonly tokenFile: string; readonly provider: string };
}

/** The provider of a run, and the token file that is its own. */
export interface Chosen extends ChosenProvider {
  readonly stored: Stored;
  /** the provider, where only the address tells it */
  readonly foundRow: ProviderRow | undefined;
}

/**
 * Chooses the provider, and the token file of the mailbox there.
 *
 * @param startover a token file whose tokens cannot be read holds none
 * @throws MxtokenError `usage`, `configuration`, `noProvider`, `unreadable`, `unreachable`; Interrupted
 */
export async function chooseTokenFile(
  world: World,
  settings: Settings,
  startover: boolean,
  tell: Tell,
  purpose: Purpose = "newToken",
): Promise<Chosen> {
  const read = (tokenFile: string) => readAt({ world, tokenFile, tell }, startover);
  const first = await read(tokenFileOf(world, settings));
  const notes = first.record?.notes;
  const chosen = await chooseProvider(world, settings, notes ?? {}, first.tokenFile, tell, purpose);
  const { row, evidence } = chosen;
  const provider = row?.name ?? customProvider;
  const foundRow = evidence.by === "mx" || evidence.by === "domain" ? row : undefined;
  if (foundRow !== undefined && first.record !== undefined && !startover) {
    checkStoredTokensFit(first.tokenFile, first.record, foundRow);
  }
  if (belongsTo(notes, provider)) return { ...chosen, foundRow, stored: first };
  if (settings.tokenFile === undefined) {
    // The same address at two providers, in the middle of a move.
    const second = await read(defaultTokenFile(world, settings, provider));
    const passedOver = { tokenFile: first.tokenFile, provider: notes?.provider ?? "" };
    if (belongsTo(second.record?.notes, provider)) {
      return { ...chosen, foundRow, stored: { ...second, passedOver } };
    }
  }
  throw new MxtokenError(
    "configuration",
    `${first.tokenFile} belongs to ${notes?.provider}, not to ${provider}: its tokens are not sent there, and it is not overwritten`,
    {
      facts: { path: first.tokenFile },
      hint: "pass another --token-file, or the --provider that it was made with",
    },
  );
}

/** What stands in the token file that is named, or in the default one, whosever it is. */
export async function readStored(world: World, settings: Settings, tell: Tell): Promise<Stored> {
  return readAt({ world, tokenFile: tokenFileOf(world, settings), tell }, false);
}

async function readAt(file: Omit<UsedTokenFile, "gid">, startover: boolean): Promise<Stored> {
  const { world, tokenFile } = file;
  const damaged = startover ? "replaceable" : "refused";
  const record = await readOrRestore({ ...file, gid: undefined }, damaged);
  return { tokenFile, record: withBelievedEnd(world, tokenFile, record) };
}
