import type { ProviderRow } from "../catalog/provider-row.ts";
import { providers } from "../catalog/providers.ts";
import type { Facts } from "../causes/cause.ts";
import { explained } from "../causes/diagnose.ts";
import { discover, requireOAuth } from "../discover/discover.ts";
import { MxtokenError } from "../errors.ts";
import type { ProviderEvidence, Tell } from "../events.ts";
import type { Secret } from "../secret.ts";
import { customProvider, explicitProvider, type Purpose } from "../settings/provider.ts";
import type { Settings } from "../settings/settings.ts";
import { belongsTo, type Entry } from "../store/entry.ts";
import { tokenFiles } from "../store/token-file-store.ts";
import type { TokenRecord } from "../token.ts";
import type { Clock, Net, Stop, World } from "../world/world.ts";

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
  world: Clock & Net & Stop,
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
    {
      facts: { path: first.entry.place },
      hint: "pass another --token-file, or the --provider that it was made with",
    },
  );
}

async function chooseProvider(
  world: Clock & Net & Stop,
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

/**
 * Protects the tokens of a file that does not say where they are from: the address tells the
 * provider that it has today, which after a move is another one. Such files are oauth2_imap's,
 * which knows Google and Microsoft only.
 *
 * @param row the provider that the address tells
 * @throws MxtokenError `configuration` when a token is evidently not that provider's
 */
function checkStoredTokensFit(
  tokenFile: string,
  { accessToken, refreshToken }: TokenRecord,
  row: ProviderRow,
): void {
  const where = `the tokens in ${tokenFile}`;
  const facts = { path: tokenFile };
  checkTokenFits(where, accessToken, row, facts);
  checkTokenFits(where, refreshToken, row, facts);
  if (!row.isKnownToOauth2Imap) {
    throw sentNowhere(`${where} do not say which provider they are from`, row, facts);
  }
}

/**
 * Protects a token that came from elsewhere, as {@link checkStoredTokensFit}.
 *
 * @throws MxtokenError `configuration` when it is evidently not that provider's
 */
export function checkTokenFits(
  where: string,
  token: Secret | undefined,
  row: ProviderRow,
  facts: Facts = {},
): void {
  if (token === undefined) return;
  const owner = providers.find(({ tokenPrefixes = [] }) => token.startsWithAny(tokenPrefixes));
  if (owner === row || (owner === undefined && row.tokenPrefixes === undefined)) return;
  const looks = owner === undefined ? `not like ${row.name}'s` : `like ${owner.name}'s`;
  throw sentNowhere(`${where} look ${looks}`, row, facts);
}

function sentNowhere(what: string, row: ProviderRow, facts: Facts): MxtokenError {
  return new MxtokenError(
    "configuration",
    `${what}, but the address tells ${row.name}: nothing is sent there`,
    {
      facts,
      hint: "pass --provider with the one that they are from, another --token-file, or --startover",
    },
  );
}

// What was to be there is not, and somebody who has signed in wants to know why.

/** The same error; where tokens of this account are stored in another place, it says where. */
export async function orElsewhere(error: MxtokenError, entry: Entry): Promise<MxtokenError> {
  const other = await entry.elsewhere();
  if (other === undefined) return error;
  const { place, option } = other;
  const message = `${error.message}; those of this address were last stored in ${place}`;
  const facts = { ...error.facts, path: entry.place, elsewhere: place, option };
  return error.with({ message, ...explained("tokens-elsewhere", facts) });
}

/** Nobody has signed in yet, as far as is known here. */
export function nothingStored(entry: Entry): Promise<MxtokenError> {
  const message = `there are no tokens in ${entry.place}`;
  const known = explained("nothing-stored", { path: entry.place });
  return orElsewhere(new MxtokenError("signInNeeded", message, known), entry);
}

/** What there is cannot be refreshed. */
export function noRefreshToken({ place }: Entry): MxtokenError {
  const known = explained("no-refresh-token", { path: place });
  return new MxtokenError("signInNeeded", `there is no refresh token in ${place}`, known);
}

/** There is nothing to prove. */
export function noAccessToken(entry: Entry): Promise<MxtokenError> {
  const message = `there is no access token in ${entry.place}`;
  return orElsewhere(new MxtokenError("signInNeeded", message, { hint: getFreshOne }), entry);
}

/** What to do about a stored token that is not there, or too old. */
export const getFreshOne =
  "get a fresh one: mxtoken with the same address and options, without `check`";
