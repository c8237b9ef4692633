import type { ProviderRow } from "../catalog/provider-row.ts";
import { isAppOnly } from "../catalog/provider-row.ts";
import type { ProviderEvidence, Tell } from "../events.ts";
import type { Protocol } from "../mail-server.ts";
import { type Mailbox, serverOf } from "../mailbox.ts";
import type { CredentialsSource, OAuthClient } from "../oauth/client.ts";
import type { ServerMetadata } from "../oauth/metadata.ts";
import { customProvider } from "../settings/provider.ts";
import { parseIssuer } from "../settings/servers.ts";
import { checkSameOwner, hostOf, type Owner } from "../store/entry.ts";
import type { Clock, Net, Stop, World } from "../world/world.ts";
import { resolveClient } from "./client.ts";
import { resolveMailbox } from "./mailbox.ts";

import type { Stored } from "./peek.ts";
import { type AccountRequest, type Chosen, chooseStored } from "./stored.ts";

/** A mailbox, and the client that asks for its tokens: everything that is known before anybody is asked. */
export interface Account {
  readonly mailbox: Mailbox;
  readonly client: OAuthClient;
  /** fetches how the client proves itself, when a request leaves */
  readonly credentials: CredentialsSource;
  /** whose tokens may be used and replaced for it; with --startover any of its provider */
  readonly owner: Owner;
  /** the same, whatever is replaced */
  readonly ownOwner: Owner;
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
  readonly roles: Readonly<Record<Protocol, string>> | undefined;
}

/**
 * Completes the settings from what is stored, the address and the catalogue, and makes sure that what is
 * stored may be used for them.
 *
 * @param first what is stored under the plain address
 * @returns the account, and what is stored for it
 * @throws MxtokenError `usage`, `noProvider`, `configuration`, `unreadable`; `unreachable` when the
 * provider has to be looked up and cannot be; Interrupted
 */
export async function resolveAccount(
  world: World,
  request: AccountRequest,
  first: Stored,
  tell: Tell,
): Promise<{ account: Account; stored: Stored }> {
  const { settings, purpose, startover = false } = request;
  const chosen = await chooseStored(world, request, first, tell);
  const { row, evidence, foundRow, stored } = chosen;
  const remembered = stored.record?.notes ?? {};
  const mailbox = resolveMailbox(settings, row, remembered, world.cwd);
  if (purpose === "newToken") for (const protocol of settings.verify) serverOf(mailbox, protocol);
  const metadata = await metadataFor(world, request, { evidence, mailbox }, tell);
  const clientRequest = { settings, row, remembered, metadata, purpose };
  const { client, credentials } = await resolveClient(world, clientRequest);
  const ownOwner = ownerOf({ mailbox, client });
  if (!startover) {
    checkSameOwner(stored.entry.place, remembered, ownOwner, purpose === "newToken");
  }
  const account: Account = {
    mailbox,
    client,
    credentials,
    owner: startover ? { provider: mailbox.provider } : ownOwner,
    ownOwner,
    beforeSignIn: [
      ...client.shortcomings,
      ...(row?.beforeSignIn ?? []),
      ...(client.authentication === "secret" ? [] : (row?.beforePublicSignIn ?? [])),
    ],
    evidence,
    foundRow,
    access: settings.access,
    row,
    roles: client.flow === "client-credentials" ? row?.clientCredentials?.roles : undefined,
  };
  return { account, stored };
}

/** What the server says of itself, where its issuer is all that the person named of it. */
async function metadataFor(
  world: Clock & Net & Stop,
  { settings }: AccountRequest,
  { evidence, mailbox }: Pick<Chosen, "evidence"> & { readonly mailbox: Mailbox },
  tell: Tell,
): Promise<ServerMetadata | undefined> {
  const { authorizeUri, deviceUri, tokenUri, issuer } = settings;
  const isEndpointGiven = [authorizeUri, deviceUri, tokenUri].some((uri) => uri !== undefined);
  const isRowNamed = evidence.by === "name" || evidence.by === "tokenFile";
  if (issuer === undefined || isEndpointGiven || isRowNamed) return undefined;
  const named = parseIssuer(issuer);
  tell({ is: "askingIssuer", issuer: named.issuer });
  const { fetchMetadata } = await import("../oauth/metadata.ts");
  return fetchMetadata(world, named, mailbox.ca);
}

/** Whose tokens an account's are. */
export function ownerOf({ mailbox, client }: { mailbox: Mailbox; client: OAuthClient }): Owner {
  // Who names the endpoint decides where the tokens go; but a provider that has no name is told
  // from another one by its server alone.
  const isTheirChoice = client.isTokenEndpointNamed && mailbox.provider !== customProvider;
  return {
    provider: mailbox.provider,
    account: mailbox.address.text,
    client: client.id,
    tenant: client.tenant,
    tokenHost: isTheirChoice ? undefined : hostOf(client.tokenEndpoint),
    login: mailbox.login,
    isForApplication: isAppOnly(client.flow),
  };
}
