import type { Flow, ProviderRow } from "../catalog/provider-row.ts";
import type { ServerEndpoints } from "../oauth/client.ts";
import type { ServerMetadata } from "../oauth/metadata.ts";
import type { Purpose } from "../settings/provider.ts";
import type { Settings } from "../settings/settings.ts";
import { endpointOf } from "./authorization-server.ts";

/**
 * The endpoints by option, else as the server tells them, else from the provider's row.
 *
 * @param formerEndpoint the token endpoint of the stored token, where nobody else tells one
 * @param needed the flow or purpose without whose endpoints the run cannot begin
 * @throws MxtokenError `usage`, `configuration`
 */
export function resolveEndpoints(
  settings: Settings,
  row: ProviderRow | undefined,
  metadata: ServerMetadata | undefined,
  tenant: string | undefined,
  needed: Flow | Purpose,
  formerEndpoint: string | undefined,
): ServerEndpoints {
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
        : required("token-uri", tokenUri, known?.tokenEndpoint ?? formerEndpoint),
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
