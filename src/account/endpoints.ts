import type { Flow, ProviderRow } from "../catalog/provider-row.ts";
import { MxtokenError } from "../errors.ts";
import type { ServerEndpoints } from "../oauth/client.ts";
import type { ServerMetadata } from "../oauth/metadata.ts";
import type { Purpose } from "../settings/provider.ts";
import { parseIssuer } from "../settings/servers.ts";
import type { Settings } from "../settings/settings.ts";
import type { Remembered } from "../token.ts";

/**
 * The Microsoft tenant: named, or the one that the token file was made with, or the row's.
 *
 * @throws MxtokenError `usage`, `configuration`
 */
export function resolveTenant(
  settings: Settings,
  row: ProviderRow | undefined,
  remembered: Remembered,
  flow: Flow,
): string | undefined {
  if (row?.defaultTenant === undefined) {
    if (settings.tenant === undefined) return undefined;
    throw new MxtokenError(
      "configuration",
      `--tenant: ${row?.name ?? "this provider"} has no tenants, only Microsoft does`,
    );
  }
  const tenant = settings.tenant ?? remembered.tenant ?? row.defaultTenant;
  if (!/^[A-Za-z0-9][A-Za-z0-9.-]*$/.test(tenant)) {
    throw new MxtokenError("usage", `--tenant: ${JSON.stringify(tenant)} is not a tenant`, {
      hint: "a tenant is an id like 72f988bf-…, a domain like contoso.com, or common, organizations or consumers",
    });
  }
  if (flow === "client-credentials" && anyTenant.has(tenant)) {
    throw new MxtokenError(
      "configuration",
      `--flow client-credentials needs --tenant: an application is let in at one tenant, not at ${tenant}`,
      { hint: `its id, or a domain of it: perhaps --tenant ${settings.address.domain}` },
    );
  }
  return tenant;
}

const anyTenant: ReadonlySet<string> = new Set(["common", "organizations", "consumers"]);

/**
 * An endpoint of the authorization server, by option or from the provider's row.
 *
 * @param option the option's name, for the error
 * @param template `{tenant}` in it stands for the tenant
 * @throws MxtokenError `usage`, `configuration`
 */
export function endpointOf(
  option: string,
  template: string | undefined,
  tenant: string | undefined,
): string {
  if (template === undefined) {
    throw new MxtokenError("configuration", `an endpoint is needed: pass --${option}`);
  }
  const text = template.replaceAll("{tenant}", tenant ?? "{tenant}");
  if (!URL.canParse(text)) {
    throw new MxtokenError("usage", `--${option}: ${JSON.stringify(text)} is not an address`);
  }
  const url = new URL(text);
  if (url.username !== "" || url.password !== "") {
    // The text is not shown: it holds a password.
    throw new MxtokenError("usage", `--${option}: there must be no user and no password in it`);
  }
  // RFC 6749 section 3.1 and 3.2: TLS is required, and there is no fragment.
  if (url.protocol !== "https:" || url.hash !== "") {
    throw new MxtokenError(
      "usage",
      `--${option}: ${JSON.stringify(text)} must begin with https:// and have no fragment`,
    );
  }
  return text;
}

/** @throws MxtokenError `usage` */
export function checkRedirectUri(text: string): string {
  if (!/^[\x21-\x7e]+$/.test(text) || !URL.canParse(text) || text.includes("#")) {
    throw new MxtokenError(
      "usage",
      `--redirect-uri: ${JSON.stringify(text)} is not a redirect URI`,
      {
        hint: "give it exactly as it is registered, for example https://localhost",
      },
    );
  }
  return text;
}

/**
 * What `iss` must be. Overriding an endpoint drops the row's issuer: it speaks for the row's own
 * server only.
 *
 * @throws MxtokenError `usage`
 */
export function resolveIssuer(
  settings: Settings,
  row: ProviderRow | undefined,
  metadata: ServerMetadata | undefined,
): string | undefined {
  if (metadata !== undefined) return metadata.issuer;
  if (settings.issuer !== undefined) return parseIssuer(settings.issuer).issuer;
  const overridden = settings.authorizeUri !== undefined || settings.tokenUri !== undefined;
  return overridden ? undefined : row?.issuer;
}

/** What tells the endpoints. */
interface EndpointRequest {
  readonly settings: Settings;
  readonly row: ProviderRow | undefined;
  readonly metadata: ServerMetadata | undefined;
  readonly tenant: string | undefined;
  /** the flow or purpose without whose endpoints the run cannot begin */
  readonly needed: Flow | Purpose;
  /** the token endpoint of the stored token, where nobody else tells one */
  readonly former: string | undefined;
}

/**
 * The endpoints by option, else as the server tells them, else from the provider's row.
 *
 * @throws MxtokenError `usage`, `configuration`
 */
export function resolveEndpoints(request: EndpointRequest): ServerEndpoints {
  const { settings, row, metadata, tenant, needed, former } = request;
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
      needed === "revoke"
        ? (optional("token-uri", tokenUri, known?.tokenEndpoint) ?? revokeUri ?? "")
        : required("token-uri", tokenUri, known?.tokenEndpoint ?? former),
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
