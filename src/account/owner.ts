import type { ProviderRow } from "../catalog/provider-row.ts";
import { providerByName, providers } from "../catalog/providers.ts";
import type { Facts } from "../causes/cause.ts";
import { MxtokenError } from "../errors.ts";
import type { Mailbox } from "../mailbox.ts";
import type { OAuthClient } from "../oauth/client.ts";
import type { Secret } from "../secret.ts";
import { flowOf, isAppOnly } from "../settings/flow.ts";
import { customProvider } from "../settings/provider.ts";
import type { Settings } from "../settings/settings.ts";
import type { TokenNotes, TokenRecord } from "../token.ts";

/** A file that says nothing of its provider, like oauth2_imap's, belongs to whoever names it. */
export function belongsTo(notes: TokenNotes | undefined, provider: string): boolean {
  const former = notes?.provider;
  return former === undefined || (providerByName(former)?.name ?? former) === provider;
}

/** Whose tokens they are. What is undefined is not compared. */
export interface Owner {
  readonly account: string;
  readonly client: string | undefined;
  readonly tenant: string | undefined;
  /** host name of the token endpoint */
  readonly tokenHost: string | undefined;
  /** who signed in for somebody else's mailbox */
  readonly login?: string | undefined;
  /** whether the tokens are an application's own */
  readonly isForApplication?: boolean | undefined;
}

export function ownerOf({ mailbox, client }: { mailbox: Mailbox; client: OAuthClient }): Owner {
  // Who names the endpoint decides where the tokens go; but a provider that has no name is told
  // from another one by its server alone.
  const isTheirChoice = client.isTokenEndpointNamed && mailbox.provider !== customProvider;
  return {
    account: mailbox.address.text,
    client: client.id,
    tenant: client.tenant,
    tokenHost: isTheirChoice ? undefined : hostOf(client.tokenEndpoint),
    login: mailbox.login,
    isForApplication: isAppOnly(client.flow),
  };
}

/** What the settings alone say about the owner, where no client is needed. */
export function ownerNamedBy({ address, clientId, tenant, login, flow }: Settings): Owner {
  return {
    account: address.text,
    client: clientId,
    tenant,
    tokenHost: undefined,
    login,
    isForApplication: flow === undefined ? undefined : isAppOnly(flow),
  };
}

/**
 * Protects the tokens of another mailbox, person, client or tenant from being used or overwritten,
 * and from being sent to another server than the one that issued them; and a person's from being
 * replaced by an application's.
 *
 * @param canStartOver whether the command can replace the file on purpose
 * @throws MxtokenError `configuration`
 */
export function checkSameOwner(
  tokenFile: string,
  notes: TokenNotes,
  owner: Owner,
  canStartOver = false,
): void {
  const differences = [
    {
      what: "the mailbox",
      made: notes.account?.toLowerCase(),
      wanted: owner.account.toLowerCase(),
    },
    {
      what: "the sign-in of",
      made: notes.login?.toLowerCase(),
      wanted: owner.login?.toLowerCase(),
    },
    { what: "a token of", made: holderIn(notes), wanted: holder(owner.isForApplication) },
    { what: "the client id", made: notes.client, wanted: owner.client },
    { what: "the tenant", made: notes.tenant, wanted: owner.tenant },
    {
      what: "the token endpoint at",
      made: hostOf(notes.tokenEndpoint),
      wanted: owner.tokenHost,
    },
  ];
  for (const { what, made, wanted } of differences) {
    if (made === undefined || wanted === undefined || made === wanted) continue;
    throw new MxtokenError(
      "configuration",
      `${tokenFile} was made for ${what} ${made}, not for ${wanted}`,
      {
        facts: { path: tokenFile },
        hint: `give the same options as when it was made, or pass another --token-file${canStartOver ? ", or --startover to replace it" : ""}`,
      },
    );
  }
}

function holder(isForApplication: boolean | undefined): string | undefined {
  if (isForApplication === undefined) return undefined;
  return isForApplication ? "an application" : "a person";
}

/** A file that says nothing of its client says nothing of this either. */
function holderIn(notes: TokenNotes): string | undefined {
  const flow = flowOf(notes);
  if (flow !== undefined) return holder(isAppOnly(flow));
  return notes.client === undefined ? undefined : holder(false);
}

/**
 * Protects the tokens of a file that does not say where they are from: the address tells the
 * provider that it has today, which after a move is another one. Such files are oauth2_imap's,
 * which knows Google and Microsoft only.
 *
 * @param row the provider that the address tells
 * @throws MxtokenError `configuration` when a token is evidently not that provider's
 */
export function checkStoredTokensFit(
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

function hostOf(url: string | undefined): string | undefined {
  return url !== undefined && URL.canParse(url) ? new URL(url).hostname : undefined;
}
