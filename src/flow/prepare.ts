import type { Protocol, ProviderRow } from "../catalog/provider-row.ts";
import { providerByName } from "../catalog/providers.ts";
import { checkIssuer } from "../config/authorization-server.ts";
import { type OAuthClient, resolveClient } from "../config/client.ts";
import { type Mailbox, resolveMailbox, serverOf } from "../config/mailbox.ts";
import { customProvider, explicitProvider, type Purpose } from "../config/provider.ts";
import type { ServerMetadata } from "../config/server-metadata.ts";
import type { Remembered, Settings } from "../config/settings.ts";
import { defaultTokenFile, tokenFileOf } from "../config/token-file-path.ts";
import { MxtokenError } from "../errors.ts";
import type { ProviderEvidence } from "../provider/discover.ts";
import { readTokenFile } from "../store/read.ts";
import type { TokenRecord } from "../store/token-file.ts";
import type { World } from "../world/world.ts";
import { type ChosenProvider, chooseProvider } from "./choose-provider.ts";
import type { Tell } from "./events.ts";
import { belongsTo, checkSameOwner, checkStoredTokensFit, ownerOf } from "./owner.ts";

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
  /** what a person has to know of the provider before a sign-in */
  readonly beforeSignIn: readonly string[];
  /** what tells the provider */
  readonly evidence: ProviderEvidence;
  /** the provider, where only the address tells it */
  readonly foundRow: ProviderRow | undefined;
  /** what the token shall open */
  readonly access: readonly Protocol[];
  /** undefined when everything that a row says was given by options */
  readonly row: ProviderRow | undefined;
  /** the roles that an application's own token must have, where the provider has such */
  readonly roles: readonly string[] | undefined;
}

/** A mailbox to log in to, and where its token is. */
export interface PreparedMailbox extends Stored {
  readonly mailbox: Mailbox;
  /** the provider, where only the address tells it */
  readonly foundRow?: ProviderRow | undefined;
}

/**
 * Completes the settings from the token file's comments, the address and the catalogue, and makes
 * sure that the file may be used for them.
 *
 * @throws MxtokenError `usage`, `noProvider`, `configuration`, `unreadable`; `unreachable` when the
 * provider has to be looked up and cannot be; Interrupted
 */
export async function prepare(
  world: World,
  settings: Settings,
  startover: boolean,
  tell: Tell,
  purpose: Purpose = "newToken",
): Promise<Prepared> {
  const chosen = await chooseTokenFile(world, settings, startover, tell, purpose);
  const { row, evidence, foundRow, stored } = chosen;
  const notes = stored.record?.notes ?? {};
  const mailbox = resolveMailbox(settings, row, notes, world.cwd);
  if (purpose === "newToken") for (const protocol of settings.verify) serverOf(mailbox, protocol);
  const metadata = await metadataFor(world, settings, evidence, mailbox.ca, tell, purpose);
  const client = await resolveClient(world, settings, row, notes, metadata, purpose);
  if (!startover) checkSameOwner(stored.tokenFile, notes, ownerOf({ mailbox, client }));
  const beforeSignIn = [
    ...client.shortcomings,
    ...(row?.beforeSignIn ?? []),
    ...(client.secret === undefined ? (row?.beforePublicSignIn ?? []) : []),
  ];
  const { access } = settings;
  const roles = client.flow === "client-credentials" ? row?.clientCredentials?.roles : undefined;
  return {
    ...stored,
    client,
    mailbox,
    beforeSignIn,
    evidence,
    foundRow,
    row,
    access,
    roles: roles && access.map((protocol) => roles[protocol]),
  };
}

/** What the server says of itself, where its issuer is all that the person named of it. */
async function metadataFor(
  world: World,
  settings: Settings,
  evidence: ProviderEvidence,
  ca: string | undefined,
  tell: Tell,
  purpose: Purpose,
): Promise<ServerMetadata | undefined> {
  const { authorizeUri, deviceUri, tokenUri, issuer } = settings;
  const isEndpointGiven = [authorizeUri, deviceUri, tokenUri].some((uri) => uri !== undefined);
  const isRowNamed = evidence.by === "name" || evidence.by === "tokenFile";
  if (issuer === undefined || isEndpointGiven || isRowNamed || purpose === "remove") {
    return undefined;
  }
  tell({ is: "askingIssuer", issuer: checkIssuer(issuer) });
  const { fetchMetadata } = await import("../grant/metadata.ts");
  return fetchMetadata(world, issuer, ca);
}

/**
 * As {@link prepare}, for a login that needs no OAuth client, and perhaps no token file either.
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
      ? await storedAnywhere(tokenFile)
      : await storedAtProvider(world, settings, needsFile, tell);
  const { clientId: client, tenant } = settings;
  const owner = { account: settings.address.text, client, tenant, tokenHost: undefined };
  checkSameOwner(stored.tokenFile, stored.record?.notes ?? {}, owner);
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

interface Chosen extends ChosenProvider {
  readonly stored: Stored;
  /** the provider, where only the address tells it */
  readonly foundRow: ProviderRow | undefined;
}

/** The stored token with whatever provider it is from: the person has named the server. */
async function storedAnywhere(tokenFile: string): Promise<Omit<Chosen, "evidence">> {
  const stored = await read(tokenFile, false);
  const row = providerByName(stored.record?.notes.provider ?? "");
  return { row, foundRow: undefined, stored };
}

async function storedAtProvider(
  world: World,
  settings: Settings,
  needsFile: boolean,
  tell: Tell,
): Promise<Chosen> {
  const { tokenFile, record } = await read(tokenFileOf(world, settings), false);
  // Nobody has to be asked for the provider of nothing.
  if (needsFile && record === undefined && settings.provider === undefined) {
    throw noAccessToken(tokenFile);
  }
  return chooseTokenFile(world, settings, false, tell);
}

async function chooseTokenFile(
  world: World,
  settings: Settings,
  startover: boolean,
  tell: Tell,
  purpose: Purpose = "newToken",
): Promise<Chosen> {
  const first = await read(tokenFileOf(world, settings), startover);
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
    const second = await read(defaultTokenFile(world, settings, provider), startover);
    const passedOver = { tokenFile: first.tokenFile, provider: notes?.provider ?? "" };
    if (belongsTo(second.record?.notes, provider)) {
      return { ...chosen, foundRow, stored: { ...second, passedOver } };
    }
  }
  throw new MxtokenError(
    "configuration",
    `${first.tokenFile} belongs to ${notes?.provider}, not to ${provider}: its tokens are not sent there, and it is not overwritten`,
    { hint: "pass another --token-file, or the --provider that it was made with" },
  );
}

/** What stands in the token file that is named, or in the default one, whosever it is. */
export async function readStored(world: World, settings: Settings): Promise<Stored> {
  return read(tokenFileOf(world, settings), false);
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
