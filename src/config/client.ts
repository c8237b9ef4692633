import type { ProviderRow } from "../catalog/provider-row.ts";
import { MxtokenError } from "../errors.ts";
import type { Secret } from "../secret.ts";
import { proxyOf } from "../world/http.ts";
import type { World } from "../world/world.ts";
import { type Application, resolveApplication, resolveSecret } from "./application.ts";
import {
  checkRedirectUri,
  endpointOf,
  resolveIssuer,
  resolveTenant,
} from "./authorization-server.ts";
import type { Remembered, Settings } from "./settings.ts";

/** The OAuth client (RFC 6749 section 2) that asks for the token, and whom it asks. */
export interface OAuthClient {
  /** name of the application's row, or `own` where the person gave a client id */
  readonly app: string;
  readonly id: string;
  readonly secret: Secret | undefined;
  /** exactly as registered at the provider */
  readonly redirectUri: string;
  /** whether the provider is not known to take it with a listener's port in it */
  readonly isRedirectUriExact: boolean;
  readonly authorizationEndpoint: string;
  readonly tokenEndpoint: string;
  /** whether the person named the token endpoint, instead of the provider's row */
  readonly isTokenEndpointNamed: boolean;
  /** what `iss` (RFC 9207) must be; undefined: its origin is compared with the endpoint's */
  readonly issuer: string | undefined;
  /** space-separated */
  readonly scope: string;
  /** those that are granted without being named in the answer */
  readonly unechoedScopes: readonly string[];
  /** whether the token endpoint wants the scope repeated when a token is refreshed */
  readonly scopeOnRefresh: boolean;
  /** what the token is for (RFC 8707), where the server wants it said */
  readonly resource: string | undefined;
  /** whether the code is bound to this program by PKCE (RFC 7636) */
  readonly usesPkce: boolean;
  /** whether the secret is sent by HTTP Basic when a code is exchanged, and not in the body */
  readonly basicAtCodeExchange: boolean;
  readonly authorizationParameters: Readonly<Record<string, string>>;
  readonly loginHint: string;
  readonly tenant: string | undefined;
  /** the name on the provider's consent page, where it is not the person's own application */
  readonly consentName: string | undefined;
}

/**
 * Completes the OAuth client: options first, then what the token file was made with, then the
 * application's row.
 *
 * @throws MxtokenError `usage` or `configuration`
 */
export async function resolveClient(
  world: World,
  settings: Settings,
  row: ProviderRow | undefined,
  remembered: Remembered,
): Promise<OAuthClient> {
  // Before a person is troubled: every request will need it.
  proxyOf(world.env);
  const application = resolveApplication(settings, row, remembered);
  const tenant = resolveTenant(settings, row, remembered);
  const { authorizeUri, tokenUri } = settings;
  return {
    app: application.name,
    id: application.clientId,
    secret: await resolveSecret(world, settings, application),
    ...redirectUriOf(settings, application),
    authorizationEndpoint: endpointOf(
      "authorize-uri",
      authorizeUri,
      row?.authorizationEndpoint,
      tenant,
    ),
    tokenEndpoint: endpointOf("token-uri", tokenUri, row?.tokenEndpoint, tenant),
    isTokenEndpointNamed: tokenUri !== undefined,
    issuer: resolveIssuer(settings, row),
    scope: settings.scope ?? scopeOf(row, application),
    ...quirksOf(settings, row, application),
    authorizationParameters: row?.authorizationParameters ?? {},
    loginHint: settings.login ?? settings.address.text,
    tenant,
    consentName: application.row?.consentName,
  };
}

function redirectUriOf(
  settings: Settings,
  application: Application,
): Pick<OAuthClient, "redirectUri" | "isRedirectUriExact"> {
  const given = settings.redirectUri;
  return {
    redirectUri: checkRedirectUri(given ?? application.row?.redirectUri ?? "http://localhost"),
    isRedirectUriExact: given === undefined && application.row?.isRedirectUriExact === true,
  };
}

/** What a row says of its own authorization server, which is nothing about another one. */
function quirksOf(
  { authorizeUri, tokenUri }: Settings,
  row: ProviderRow | undefined,
  application: Application,
): Pick<
  OAuthClient,
  "unechoedScopes" | "scopeOnRefresh" | "resource" | "usesPkce" | "basicAtCodeExchange"
> {
  const isRowsTokenEndpoint = tokenUri === undefined;
  const isRowsServer = isRowsTokenEndpoint && authorizeUri === undefined;
  return {
    // Where no row tells, as Microsoft does it: one scope too many on a list harms nobody.
    unechoedScopes: row === undefined ? ["offline_access"] : (row.unechoedScopes ?? []),
    scopeOnRefresh: isRowsTokenEndpoint && row?.scopeOnRefresh === true,
    resource:
      isRowsServer && application.row === undefined ? row?.ownApplication?.resource : undefined,
    usesPkce: !(isRowsServer && row?.withoutPkce === true),
    basicAtCodeExchange: isRowsTokenEndpoint && row?.basicAtCodeExchange === true,
  };
}

/** @throws MxtokenError `configuration` where no source tells the scope */
function scopeOf(row: ProviderRow | undefined, application: Application): string {
  const ofOwn = application.row === undefined ? row?.ownApplication?.scope : undefined;
  if (ofOwn !== undefined) return ofOwn;
  if (row?.scopes.imap !== undefined) return [row.scopes.imap, ...row.extraScopes].join(" ");
  throw new MxtokenError("configuration", "a scope is needed: pass --scope", {
    hint:
      row === undefined
        ? undefined
        : `not known for sure: ${row.unconfirmed?.[0]}; and ${row.extraScopes.join(" ")} beside it`,
  });
}
