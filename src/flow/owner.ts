import type { ProviderRow } from "../catalog/provider-row.ts";
import { providerByName, providers } from "../catalog/providers.ts";
import type { OAuthClient } from "../config/client.ts";
import type { Mailbox } from "../config/mailbox.ts";
import { customProvider } from "../config/provider.ts";
import { MxtokenError } from "../errors.ts";
import type { Secret } from "../secret.ts";
import type { TokenNotes, TokenRecord } from "../store/token-file.ts";

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
  };
}

/**
 * Protects the tokens of another mailbox, client or tenant from being used or overwritten, and
 * from being sent to another server than the one that issued them.
 *
 * @throws MxtokenError `configuration`
 */
export function checkSameOwner(tokenFile: string, notes: TokenNotes, owner: Owner): void {
  const differences = [
    {
      what: "the mailbox",
      made: notes.account?.toLowerCase(),
      wanted: owner.account.toLowerCase(),
    },
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
        hint: "give the same options as when it was made, pass another --token-file, or --startover to replace it",
      },
    );
  }
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
  checkTokenFits(where, accessToken, row);
  checkTokenFits(where, refreshToken, row);
  if (!row.isKnownToOauth2Imap) {
    throw sentNowhere(`${where} do not say which provider they are from`, row);
  }
}

/**
 * Protects a token that came from elsewhere, as {@link checkStoredTokensFit}.
 *
 * @throws MxtokenError `configuration` when it is evidently not that provider's
 */
export function checkTokenFits(where: string, token: Secret | undefined, row: ProviderRow): void {
  if (token === undefined) return;
  const owner = providers.find(({ tokenPrefixes = [] }) => token.startsWithAny(tokenPrefixes));
  if (owner === row || (owner === undefined && row.tokenPrefixes === undefined)) return;
  const looks = owner === undefined ? `not like ${row.name}'s` : `like ${owner.name}'s`;
  throw sentNowhere(`${where} look ${looks}`, row);
}

function sentNowhere(what: string, row: ProviderRow): MxtokenError {
  return new MxtokenError(
    "configuration",
    `${what}, but the address tells ${row.name}: nothing is sent there`,
    {
      hint: "pass --provider with the one that they are from, another --token-file, or --startover",
    },
  );
}

function hostOf(url: string | undefined): string | undefined {
  return url !== undefined && URL.canParse(url) ? new URL(url).hostname : undefined;
}
