import type { OAuthClient } from "../config/client.ts";
import type { Proofs } from "./oauth.ts";

/**
 * The address where the person signs in (RFC 6749 section 4.1.1, RFC 7636 section 4.3).
 *
 * @param redirectUri as registered, perhaps with a listener's port in it
 */
export function authorizationUrl(
  client: OAuthClient,
  redirectUri: string,
  proofs: Pick<Proofs, "challenge" | "state">,
): string {
  const url = new URL(client.authorizationEndpoint);
  // What the flow itself sets stands last: a provider's own parameters cannot replace it.
  const parameters = {
    ...client.authorizationParameters,
    response_type: "code",
    client_id: client.id,
    redirect_uri: redirectUri,
    scope: client.scope,
    state: proofs.state,
    ...(client.usesPkce ? { code_challenge: proofs.challenge, code_challenge_method: "S256" } : {}),
    // RFC 8707 section 2.1
    ...(client.resource === undefined ? {} : { resource: client.resource }),
    login_hint: client.loginHint,
  };
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
  // Blanks as %20: an address that is copied by hand should not depend on form encoding.
  url.search = url.searchParams.toString().replaceAll("+", "%20");
  return url.href;
}
