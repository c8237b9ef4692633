import type { ProviderRow } from "../catalog/provider-row.ts";
import { providers } from "../catalog/providers.ts";
import { MxtokenError } from "../errors.ts";
import type { Mailbox } from "../mailbox.ts";
import type { OAuthClient } from "../oauth/client.ts";
import type { Secret } from "../secret.ts";
import { isAppOnly } from "../settings/flow.ts";
import { customProvider } from "../settings/provider.ts";
import type { Settings } from "../settings/settings.ts";
import { hostOf, type Owner } from "../store/owner.ts";
import type { TokenRecord } from "../token.ts";

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
