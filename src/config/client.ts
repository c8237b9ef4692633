import type { Flow, ProviderRow } from "../catalog/provider-row.ts";
import type { Secret } from "../secret.ts";
import { proxyOf } from "../world/http.ts";
import type { World } from "../world/world.ts";
import {
  type Application,
  requireOwnApplication,
  resolveApplication,
  resolveSecret,
} from "./application.ts";
import {
  checkRedirectUri,
  endpointOf,
  resolveIssuer,
  resolveTenant,
} from "./authorization-server.ts";
import { type ClientCertificate, readClientCertificate } from "./client-certificate.ts";
import { isAppOnly, resolveFlow } from "./flow.ts";
import type { Purpose } from "./provider.ts";
import { alternativeScope, requireScope, resolveScope } from "./scope.ts";
import { judgeMetadata, type ServerMetadata, wantsBasic } from "./server-metadata.ts";
import { readServiceAccount, type ServiceAccount } from "./service-account.ts";
import type { Remembered, Settings } from "./settings.ts";

/** The OAuth client (RFC 6749 section 2) that asks for the token, and whom it asks. */
export interface OAuthClient {
  readonly flow: Flow;
  /** name of the application's row, or `own` where the person gave a client id */
  readonly app: string;
  readonly id: string;
  readonly secret: Secret | undefined;
  /** proves the client instead of a secret */
  readonly certificate: ClientCertificate | undefined;
  readonly serviceAccount: ServiceAccount | undefined;
  /** exactly as registered at the provider */
  readonly redirectUri: string;
  /** whether the provider is not known to take it with a listener's port in it */
  readonly isRedirectUriExact: boolean;
  /** known wherever a person signs in by a code */
  readonly authorizationEndpoint: string | undefined;
  readonly tokenEndpoint: string;
  /** known wherever a person signs in by a device code */
  readonly deviceAuthorizationEndpoint: string | undefined;
  readonly revocationEndpoint: string | undefined;
  readonly tokenInfoEndpoint: string | undefined;
  /** whether the person named the token endpoint, instead of the provider's row */
  readonly isTokenEndpointNamed: boolean;
  /** what `iss` (RFC 9207) must be; undefined: its origin is compared with the endpoint's */
  readonly issuer: string | undefined;
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
  const flow = resolveFlow(settings, remembered, row);
  const credentials = await resolveCredentials(world, settings, row, remembered, flow, purpose);
  const { application } = credentials;
  const tenant = resolveTenant(settings, row, remembered, flow);
  const asked = { settings, row, application, flow };
  const scope = resolveScope(asked);
  const isNew = purpose === "newToken" || (purpose === "refresh" && isAppOnly(flow));
  if (isNew) requireScope(scope, asked);
  // Before an endpoint is missed: what the server does not offer, no option can bring.
  const shortcomings =
    metadata === undefined || !isNew ? [] : judgeMetadata(metadata, flow, scope ?? "");
  return {
    flow,
    ...credentials,
    app: application.name,
    id: application.clientId,
    ...redirectUriOf(settings, application),
    ...endpointsOf(settings, row, metadata, tenant, isNew ? flow : purpose),
    isTokenEndpointNamed: settings.tokenUri !== undefined || metadata !== undefined,
    issuer: resolveIssuer(settings, row, metadata),
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

interface Credentials extends Pick<OAuthClient, "secret" | "certificate" | "serviceAccount"> {
  readonly application: Application;
}

async function resolveCredentials(
  world: World,
  settings: Settings,
  row: ProviderRow | undefined,
  remembered: Remembered,
  flow: Flow,
  purpose: Purpose,
): Promise<Credentials> {
  if (flow === "service-account") return serviceAccountOf(world, settings, remembered, purpose);
  const application = resolveApplication(settings, row, remembered);
  // Nobody is asked, so nobody has to be convinced.
  if (purpose === "remove") return { application, ...withoutCredentials };
  const certificate = await readClientCertificate(world, settings);
  const secret =
    certificate === undefined ? await resolveSecret(world, settings, application) : undefined;
  if (flow === "client-credentials" && purpose !== "revoke") {
    requireOwnApplication(application, secret !== undefined || certificate !== undefined);
  }
  return { application, certificate, secret, serviceAccount: undefined };
}

async function serviceAccountOf(
  world: World,
  { serviceAccountKey }: Settings,
  remembered: Remembered,
  purpose: Purpose,
): Promise<Credentials> {
  const name = "service-account";
  if (purpose === "revoke" || purpose === "remove") {
    const application = { name, clientId: remembered.client ?? "", row: undefined };
    return { ...withoutCredentials, application };
  }
  const serviceAccount = await readServiceAccount(world, serviceAccountKey);
  const application = { name, clientId: serviceAccount.clientId, row: undefined };
  return { ...withoutCredentials, serviceAccount, application };
}

const withoutCredentials = { secret: undefined, certificate: undefined, serviceAccount: undefined };

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

/** @param needed the flow or purpose without whose endpoints the run cannot begin */
function endpointsOf(
  settings: Settings,
  row: ProviderRow | undefined,
  metadata: ServerMetadata | undefined,
  tenant: string | undefined,
  needed: Flow | Purpose,
): Pick<
  OAuthClient,
  | "authorizationEndpoint"
  | "tokenEndpoint"
  | "deviceAuthorizationEndpoint"
  | "revocationEndpoint"
  | "tokenInfoEndpoint"
> {
  // The server that is described by its metadata is another one than the row's.
  const known = metadata ?? row;
  const optional = (option: string, given: string | undefined, fallback: string | undefined) => {
    const template = given ?? fallback;
    return template === undefined ? undefined : endpointOf(option, template, tenant);
  };
  const required = (option: string, given: string | undefined, fallback: string | undefined) =>
    endpointOf(option, given ?? fallback, tenant);
  const { authorizeUri, tokenUri, deviceUri, revokeUri } = settings;
  const authorize = needed === "code" ? required : optional;
  const device = needed === "device" ? required : optional;
  const isOtherServer = tokenUri !== undefined || metadata !== undefined;
  return {
    authorizationEndpoint: authorize("authorize-uri", authorizeUri, known?.authorizationEndpoint),
    // Whoever revokes may know no more than where.
    tokenEndpoint:
      needed === "revoke" || needed === "remove"
        ? (optional("token-uri", tokenUri, known?.tokenEndpoint) ?? revokeUri ?? "")
        : required("token-uri", tokenUri, known?.tokenEndpoint),
    deviceAuthorizationEndpoint: device(
      "device-uri",
      deviceUri,
      known?.deviceAuthorizationEndpoint,
    ),
    revocationEndpoint: optional(
      "revoke-uri",
      revokeUri,
      tokenUri === undefined || metadata !== undefined ? known?.revocationEndpoint : undefined,
    ),
    tokenInfoEndpoint: isOtherServer ? undefined : row?.tokenInfoEndpoint,
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
