import type { ProviderRow } from "../catalog/provider-row.ts";
import { discover, requireOAuth } from "../discover/discover.ts";
import { MxtokenError } from "../errors.ts";
import type { ProviderEvidence, Tell } from "../events.ts";
import { customProvider, explicitProvider, type Purpose } from "../settings/provider.ts";
import type { Settings } from "../settings/settings.ts";
import { belongsTo } from "../store/owner.ts";
import { tokenFiles } from "../store/token-file-store.ts";
import type { World } from "../world/world.ts";
import { checkStoredTokensFit } from "./owner.ts";
import type { Stored } from "./peek.ts";

/** What is to be done, and with which settings. */
export interface AccountRequest {
  readonly settings: Settings;
  readonly purpose: Purpose;
  /** what is stored is not used, and may be replaced */
  readonly startover?: boolean;
}

/**
 * What is stored for the address of the settings, before anybody is asked for its provider.
 *
 * @throws MxtokenError `unreadable`, `unreachable`, `unwritable`; Interrupted
 */
export async function readStored(
  world: World,
  { settings, startover = false }: Pick<AccountRequest, "settings" | "startover">,
  tell: Tell,
): Promise<Stored> {
  const store = tokenFiles(world, { ...settings, startover }, tell);
  const entry = store.entry();
  return { store, entry, record: await entry.read() };
}

/** A provider, why it is the one, and what is stored for it. */
export interface Chosen {
  /** undefined when everything that a row says was given by options */
  readonly row: ProviderRow | undefined;
  readonly evidence: ProviderEvidence;
  /** the provider, where only the address tells it */
  readonly foundRow: ProviderRow | undefined;
  readonly stored: Stored;
}

/**
 * Chooses the provider: the one that is named, by option or by what is stored; else the one that the
 * address tells; and what is stored for it.
 *
 * @param first what is stored under the plain address
 * @throws MxtokenError `usage`, `configuration`, `noProvider`, `unreadable`, `unreachable`; Interrupted
 */
export async function chooseStored(
  world: World,
  request: AccountRequest,
  first: Stored,
  tell: Tell,
): Promise<Chosen> {
  const { settings, startover = false } = request;
  const notes = first.record?.notes;
  const { row, evidence } = await chooseProvider(world, request, first, tell);
  const provider = row?.name ?? customProvider;
  const foundRow = evidence.by === "mx" || evidence.by === "domain" ? row : undefined;
  if (foundRow !== undefined && first.record !== undefined && !startover) {
    checkStoredTokensFit(first.entry.place, first.record, foundRow);
  }
  const chosen = { row, evidence, foundRow };
  if (belongsTo(notes, provider)) return { ...chosen, stored: first };
  if (settings.tokenFile === undefined) {
    // The same address at two providers, in the middle of a move.
    const entry = first.store.entry(provider);
    const record = await entry.read();
    const passedOver = { tokenFile: first.entry.place, provider: notes?.provider ?? "" };
    if (belongsTo(record?.notes, provider)) {
      return { ...chosen, stored: { store: first.store, entry, record, passedOver } };
    }
  }
  throw new MxtokenError(
    "configuration",
    `${first.entry.place} belongs to ${notes?.provider}, not to ${provider}: its tokens are not sent there, and it is not overwritten`,
    { hint: "pass another --token-file, or the --provider that it was made with" },
  );
}

async function chooseProvider(
  world: World,
  { settings, purpose }: AccountRequest,
  { entry, record }: Stored,
  tell: Tell,
): Promise<Pick<Chosen, "row" | "evidence">> {
  const explicit = explicitProvider(settings, record?.notes ?? {}, entry.place, purpose);
  if (explicit !== undefined) {
    const evidence = { by: explicit.by };
    if (explicit.by === "tokenFile") {
      tell({ is: "providerFound", provider: explicit.row.name, evidence });
    }
    return { row: explicit.row, evidence };
  }
  const { address, dnsServer } = settings;
  const onLookUp = () => tell({ is: "lookingUpMx", domain: address.domain });
  const found = requireOAuth(await discover(world, address.domain, dnsServer, onLookUp));
  tell({ is: "providerFound", provider: found.row.name, evidence: found.evidence });
  return found;
}
