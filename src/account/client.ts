import type { ProviderRow } from "../catalog/provider-row.ts";
import { MxtokenError } from "../errors.ts";
import type { OAuthClient } from "../oauth/client.ts";
import { judgeMetadata, type ServerMetadata, wantsBasic } from "../oauth/metadata.ts";
import { flowOf, isAppOnly, resolveFlow } from "../settings/flow.ts";
import type { Purpose } from "../settings/provider.ts";
import type { Settings } from "../settings/settings.ts";
import type { Remembered } from "../token.ts";
import { proxyOf } from "../world/http.ts";
import type { World } from "../world/world.ts";
import type { Application } from "./application.ts";
import { checkRedirectUri, resolveIssuer, resolveTenant } from "./authorization-server.ts";
import { type Credentials, resolveCredentials } from "./credentials.ts";
import { alternativeScope, requireScope, resolveScope } from "./scope.ts";
import { resolveEndpoints } from "./server-endpoints.ts";

/**
 * Completes the OAuth client: options first, then what the token file was made with, then what the
 * server says of itself, then the rows of provider and application.
 *
 * @param purpose what it is for: a refresh needs less than a new token
 * @throws MxtokenError `usage` or `configuration`; `unreadable` for a key that is none
 */
export async function resolveClient(
  world: World,
  settings: Settings,
  row: ProviderRow | undefined,
  remembered: Remembered,
  metadata: ServerMetadata | undefined,
  purpose: Purpose,
): Promise<OAuthClient> {
  // Before a person is troubled: every request will need it.
  proxyOf(world.env);
  // What is revoked is what the file holds, whatever is asked for elsewhere.
  const flow =
    purpose === "revoke" ? (flowOf(remembered) ?? "code") : resolveFlow(settings, remembered, row);
  const former = purpose === "refresh" ? remembered.tokenEndpoint : undefined;
  const isNamed =
    (settings.tokenUri ?? metadata?.tokenEndpoint ?? row?.tokenEndpoint) !== undefined;
  if (!isNamed && former !== undefined) requireNoCredentials(settings, former);
  const credentials = await resolveCredentials(world, settings, row, remembered, flow, purpose);
  const { application } = credentials;
  const tenant = resolveTenant(settings, row, remembered, flow);
  const asked = { settings, row, application, flow };
  const scope = resolveScope(asked);
  const isNew = purpose === "newToken" || (purpose === "refresh" && isAppOnly(flow));
  if (isNew) requireScope(scope, asked);
  // Before an endpoint is missed: what the server does not offer, no option can bring.
  const shortcomings =
    metadata === undefined || !isNew
      ? []
      : judgeMetadata(metadata, flow, scope ?? "", proofBy(credentials));
  return {
    flow,
    ...credentials,
    app: application.name,
    id: application.clientId,
    ...redirectUriOf(settings, application),
    ...resolveEndpoints(settings, row, metadata, tenant, isNew ? flow : purpose, former),
    isTokenEndpointNamed: settings.tokenUri !== undefined || metadata !== undefined,
    issuer: resolveIssuer(settings, row, metadata),
    isIssuerInAnswer: metadata?.isIssuerInAnswer === true,
    scope: scope ?? "",
    alternativeScope: alternativeScope(asked),
    ...quirksOf(settings, row, application, metadata),
    authorizationParameters: authorizationParametersOf(settings, row),
    loginHint: settings.login ?? remembered.login ?? settings.address.text,
    tenant,
    consentName: application.row?.consentName,
    shortcomings,
  };
}

/**
 * A token file may come from anybody, with an archive or a clone. What proves the client goes only where
 * the person who has it, or the catalogue, says.
 *
 * @param endpoint the token endpoint that the token file alone names
 * @throws MxtokenError `configuration`
 */
function requireNoCredentials(settings: Settings, endpoint: string): void {
  const { value, file, command } = settings.clientSecret;
  const given = [
    [value ?? file ?? command, "client secret"],
    [settings.clientCertificate, "client certificate"],
    [settings.serviceAccountKey, "service account's key"],
  ] as const;
  const [, what] = given.find(([source]) => source !== undefined) ?? [];
  if (what === undefined) return;
  throw new MxtokenError(
    "configuration",
    `only the token file names the token endpoint ${endpoint}, and your ${what} is not used there`,
    { hint: "if that is the right one, pass it: --token-uri, or MXTOKEN_TOKEN_URI" },
  );
}

function proofBy({ secret, certificate }: Credentials): "secret" | "certificate" | undefined {
  if (certificate !== undefined) return "certificate";
  return secret === undefined ? undefined : "secret";
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
  { authorizeUri, tokenUri, deviceUri }: Settings,
  row: ProviderRow | undefined,
  application: Application,
  metadata: ServerMetadata | undefined,
): Pick<
  OAuthClient,
  | "unechoedScopes"
  | "scopeOnRefresh"
  | "resource"
  | "usesPkce"
  | "basicAtCodeExchange"
  | "secretByBasic"
> {
  const isRowsTokenEndpoint = tokenUri === undefined && metadata === undefined;
  const isRowsServer = isRowsTokenEndpoint && authorizeUri === undefined && deviceUri === undefined;
  const knowsNoPkce = metadata?.challengeMethods?.includes("S256") === false;
  return {
    // Where no row tells, as Microsoft does it: one scope too many on a list harms nobody.
    unechoedScopes: row === undefined ? ["offline_access"] : (row.unechoedScopes ?? []),
    scopeOnRefresh: isRowsTokenEndpoint && row?.scopeOnRefresh === true,
    resource:
      isRowsServer && application.row === undefined ? row?.ownApplication?.resource : undefined,
    usesPkce: !(isRowsServer && row?.withoutPkce === true) && !knowsNoPkce,
    basicAtCodeExchange: isRowsTokenEndpoint && row?.basicAtCodeExchange === true,
    secretByBasic: metadata !== undefined && wantsBasic(metadata),
  };
}

/** With `--select-account` the provider asks which account, also where only one is signed in. */
function authorizationParametersOf(
  { selectAccount = false }: Settings,
  row: ProviderRow | undefined,
): Readonly<Record<string, string>> {
  const parameters: Readonly<Record<string, string>> = row?.authorizationParameters ?? {};
  if (!selectAccount) return parameters;
  const prompts = [parameters["prompt"], "select_account"].filter((one) => one !== undefined);
  return { ...parameters, prompt: prompts.join(" ") };
}
