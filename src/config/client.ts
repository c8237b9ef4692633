import type { Flow, ProviderRow } from "../catalog/provider-row.ts";
import { MxtokenError } from "../errors.ts";
import { proxyOf } from "../world/http.ts";
import type { World } from "../world/world.ts";
import type { Application } from "./application.ts";
import { checkRedirectUri, resolveIssuer, resolveTenant } from "./authorization-server.ts";
import { type Credentials, resolveCredentials } from "./credentials.ts";
import { flowOf, isAppOnly, resolveFlow } from "./flow.ts";
import type { Purpose } from "./provider.ts";
import { alternativeScope, requireScope, resolveScope } from "./scope.ts";
import { resolveEndpoints, type ServerEndpoints } from "./server-endpoints.ts";
import { judgeMetadata, type ServerMetadata, wantsBasic } from "./server-metadata.ts";
import type { Remembered, Settings } from "./settings.ts";

/** The OAuth client (RFC 6749 section 2) that asks for the token, and whom it asks. */
export interface OAuthClient extends ServerEndpoints, Omit<Credentials, "application"> {
  readonly flow: Flow;
  /** name of the application's row, or `own` where the person gave a client id */
  readonly app: string;
  readonly id: string;
  /** exactly as registered at the provider */
  readonly redirectUri: string;
  /** whether the provider is not known to take it with a listener's port in it */
  readonly isRedirectUriExact: boolean;
  /** whether the person named the token endpoint, instead of the provider's row */
  readonly isTokenEndpointNamed: boolean;
  /** what `iss` (RFC 9207) must be; undefined: its origin is compared with the endpoint's */
  readonly issuer: string | undefined;
  /** whether an answer without `iss` cannot be this server's (RFC 9207 section 2.4) */
  readonly isIssuerInAnswer: boolean;
  /** space-separated; empty where a refresh alone is wanted and nobody knows it */
  readonly scope: string;
  /** of a service account: asked for once where `scope` is not delegated */
  readonly alternativeScope: string | undefined;
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
  /** the same at every request */
  readonly secretByBasic: boolean;
  readonly authorizationParameters: Readonly<Record<string, string>>;
  readonly loginHint: string;
  readonly tenant: string | undefined;
  /** the name on the provider's consent page, where it is not the person's own application */
  readonly consentName: string | undefined;
  /** what the server says that it cannot do; sentences without a full stop */
  readonly shortcomings: readonly string[];
}

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
