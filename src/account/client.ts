import type { Flow, ProviderRow } from "../catalog/provider-row.ts";
import { isAppOnly } from "../catalog/provider-row.ts";
import { MxtokenError } from "../errors.ts";
import type { Protocol } from "../mail-server.ts";
import type { CredentialsSource, OAuthClient } from "../oauth/client.ts";
import { judgeMetadata, wantsBasic } from "../oauth/metadata.ts";
import { proxyOf } from "../proxy.ts";
import { flowOf, resolveFlow } from "../settings/provider.ts";
import type { Settings } from "../settings/settings.ts";
import type { Clock, Host, Stop } from "../world/world.ts";
import type { Application, ClientRequest } from "./application.ts";
import { resolveCredentials } from "./credentials.ts";
import { checkRedirectUri, resolveEndpoints, resolveIssuer, resolveTenant } from "./endpoints.ts";

/** The client, and where what it is proven by comes from. */
interface ResolvedClient {
  readonly client: OAuthClient;
  readonly credentials: CredentialsSource;
}

/**
 * Completes the OAuth client: options first, then what the token file was made with, then what the
 * server says of itself, then the rows of provider and application.
 *
 * @throws MxtokenError `usage` or `configuration`; `unreadable` for a key that is none
 */
export async function resolveClient(
  world: Clock & Host & Stop,
  request: ClientRequest,
): Promise<ResolvedClient> {
  const { settings, row, remembered, metadata, purpose } = request;
  // Before a person is troubled: every request will need it.
  proxyOf(world.env);
  // What is revoked is what the file holds, whatever is asked for elsewhere.
  const flow =
    purpose === "revoke" ? (flowOf(remembered) ?? "code") : resolveFlow(settings, remembered, row);
  const former = purpose === "refresh" ? remembered.tokenEndpoint : undefined;
  const isNamed =
    (settings.tokenUri ?? metadata?.tokenEndpoint ?? row?.tokenEndpoint) !== undefined;
  if (!isNamed && former !== undefined) requireNoCredentials(settings, former);
  const { application, authentication, fetch } = await resolveCredentials(world, request, flow);
  const tenant = resolveTenant(settings, row, remembered, flow);
  const asked = { settings, row, application, flow };
  const scope = resolveScope(asked);
  const isNew = purpose === "newToken" || (purpose === "refresh" && isAppOnly(flow));
  if (isNew) requireScope(scope, asked);
  // Before an endpoint is missed: what the server does not offer, no option can bring.
  const shortcomings =
    metadata === undefined || !isNew
      ? []
      : judgeMetadata(metadata, flow, scope ?? "", proofBy(authentication));
  const endpoints = { ...request, tenant, former, needed: isNew ? flow : purpose };
  const client: OAuthClient = {
    flow,
    authentication,
    app: application.name,
    id: application.clientId,
    ...redirectUriOf(settings, application),
    ...resolveEndpoints(endpoints),
    isTokenEndpointNamed: settings.tokenUri !== undefined || metadata !== undefined,
    issuer: resolveIssuer(settings, row, metadata),
    isIssuerInAnswer: metadata?.isIssuerInAnswer === true,
    scope: scope ?? "",
    alternativeScope: alternativeScope(asked),
    ...quirksOf(request, application),
    authorizationParameters: authorizationParametersOf(settings, row),
    loginHint: settings.login ?? remembered.login ?? settings.address.text,
    tenant,
    consentName: application.row?.consentName,
    shortcomings,
  };
  return { client, credentials: fetch };
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

function proofBy(
  authentication: OAuthClient["authentication"],
): "secret" | "certificate" | undefined {
  return authentication === "secret" || authentication === "certificate"
    ? authentication
    : undefined;
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
  { settings: { authorizeUri, tokenUri, deviceUri }, row, metadata }: ClientRequest,
  application: Application,
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

/** What decides the scope. */
interface Asked {
  readonly settings: Settings;
  readonly row: ProviderRow | undefined;
  readonly application: Application;
  readonly flow: Flow;
}

/**
 * The scope to ask for: named, or what the provider wants for the protocols that the token shall
 * open.
 *
 * @returns undefined where no source tells it
 */
function resolveScope({ settings, row, application, flow }: Asked): string | undefined {
  if (settings.scope !== undefined) return settings.scope;
  if (flow === "client-credentials") return row?.clientCredentials?.scope;
  if (flow === "service-account") {
    return isForImapAlone(settings) ? row?.serviceAccount?.imapScope : row?.serviceAccount?.scope;
  }
  const ofOwn = application.row === undefined ? row?.ownApplication?.scope : undefined;
  if (ofOwn !== undefined) return ofOwn;
  if (row === undefined || unknownProtocol(settings, row) !== undefined) return undefined;
  const scopes = settings.access.flatMap((protocol) => row.scopes[protocol]?.split(" ") ?? []);
  return [...new Set([...scopes, ...row.extraScopes])].join(" ");
}

/** What a service account asks for where the first scope is not delegated to it. */
export function alternativeScope({ settings, row, flow }: Asked): string | undefined {
  if (flow !== "service-account" || settings.scope !== undefined) return undefined;
  return isForImapAlone(settings) ? row?.serviceAccount?.scope : row?.serviceAccount?.imapScope;
}

/** @throws MxtokenError `configuration` where no source tells the scope */
function requireScope(scope: string | undefined, { settings, row, flow }: Asked): void {
  if (scope !== undefined) return;
  const protocol = row === undefined ? undefined : unknownProtocol(settings, row);
  if (protocol !== undefined && row?.withoutToken?.includes(protocol)) {
    throw new MxtokenError(
      "configuration",
      `${row.title} takes no OAuth 2.0 token for ${protocol.toUpperCase()}`,
    );
  }
  const isDelegated = flow === "code" || flow === "device";
  const what =
    isDelegated && protocol !== undefined && row?.scopes.imap !== undefined
      ? `the scope for ${protocol.toUpperCase()} at ${row.name} is not known for sure: pass --scope`
      : "a scope is needed: pass --scope";
  throw new MxtokenError("configuration", what, { hint: hintFor(row, isDelegated) });
}

function hintFor(row: ProviderRow | undefined, isDelegated: boolean): string | undefined {
  if (row?.unconfirmed === undefined || !isDelegated) return undefined;
  const beside = row.extraScopes.length === 0 ? "" : `; and ${row.extraScopes.join(" ")} beside it`;
  return `not known for sure: ${row.unconfirmed[0]}${beside}`;
}

function unknownProtocol({ access }: Settings, row: ProviderRow): Protocol | undefined {
  return access.find((protocol) => row.scopes[protocol] === undefined);
}

function isForImapAlone({ access }: Settings): boolean {
  return access.every((protocol) => protocol === "imap");
}
