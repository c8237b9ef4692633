import type { ProviderRow } from "../catalog/provider-row.ts";
import type { ProviderEvidence, Tell } from "../events.ts";
import type { Protocol } from "../mail-server.ts";
import { type Mailbox, serverOf } from "../mailbox.ts";
import type { OAuthClient } from "../oauth/client.ts";
import type { ServerMetadata } from "../oauth/metadata.ts";
import type { Purpose } from "../settings/provider.ts";
import type { Settings } from "../settings/settings.ts";
import type { World } from "../world/world.ts";
import { checkIssuer } from "./authorization-server.ts";
import { chooseTokenFile, type Stored } from "./choose-token-file.ts";
import { resolveClient } from "./client.ts";
import { resolveMailbox } from "./mailbox.ts";
import { checkSameOwner, ownerOf } from "./owner.ts";

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
  readonly roles: Readonly<Record<Protocol, string>> | undefined;
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
  const metadata = await metadataFor(world, settings, evidence, mailbox.ca, tell);
  const client = await resolveClient(world, settings, row, notes, metadata, purpose);
  if (!startover)
    checkSameOwner(stored.tokenFile, notes, ownerOf({ mailbox, client }), purpose === "newToken");
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
    roles,
  };
}

/** What the server says of itself, where its issuer is all that the person named of it. */
async function metadataFor(
  world: World,
  settings: Settings,
  evidence: ProviderEvidence,
  ca: string | undefined,
  tell: Tell,
): Promise<ServerMetadata | undefined> {
  const { authorizeUri, deviceUri, tokenUri, issuer } = settings;
  const isEndpointGiven = [authorizeUri, deviceUri, tokenUri].some((uri) => uri !== undefined);
  const isRowNamed = evidence.by === "name" || evidence.by === "tokenFile";
  if (issuer === undefined || isEndpointGiven || isRowNamed) {
    return undefined;
  }
  tell({ is: "askingIssuer", issuer: checkIssuer(issuer) });
  const { fetchMetadata } = await import("../oauth/metadata.ts");
  return fetchMetadata(world, issuer, ca);
}
