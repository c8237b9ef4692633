import { MxtokenError } from "../errors.ts";
import type { Secret } from "../secret.ts";
import type { TokenResponse } from "../token.ts";
import type { OAuthClient, TokenRequestContext } from "./client.ts";
import { type Proofs, requestFrom, requestToken, resourceOf } from "./transport.ts";

/** What of the client stands in an authorization request. */
export interface AuthorizingClient
  extends Pick<
    OAuthClient,
    "id" | "scope" | "usesPkce" | "resource" | "loginHint" | "authorizationParameters"
  > {
  readonly authorizationEndpoint: string;
}

/**
 * The address where the person signs in (RFC 6749 section 4.1.1, RFC 7636 section 4.3).
 *
 * @param redirectUri as registered, perhaps with a listener's port in it
 */
export function authorizationUrl(
  client: AuthorizingClient,
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

/**
 * Exchanges an authorization code (RFC 6749 section 4.1.3, RFC 7636 section 4.5).
 *
 * @param answer its redirect URI is the very one of the authorization request
 * @throws MxtokenError `signInNeeded` for a code that the server does not take, and as `judgeReply`
 * says
 */
export async function exchangeCode(
  context: TokenRequestContext,
  answer: { code: Secret; verifier: Secret; redirectUri: string },
): Promise<TokenResponse> {
  const { client } = context;
  return requestToken(
    context,
    {
      grant_type: "authorization_code",
      code: answer.code.reveal(),
      redirect_uri: answer.redirectUri,
      code_verifier: client.usesPkce ? answer.verifier.reveal() : undefined,
      ...resourceOf(client),
    },
    { authentication: client.basicAtCodeExchange ? "basic" : undefined },
  );
}

/**
 * Asks for a new access token (RFC 6749 section 6). The request is sent once and never again: a
 * server that rotates refresh tokens may revoke everything at the second use of the old one.
 *
 * @param scope only where the provider wants it repeated: without it the scope is the one that was
 * granted, and naming it fails at servers that granted a part of what was asked for
 * @throws MxtokenError as `judgeReply` says
 */
export async function refreshToken(
  context: TokenRequestContext,
  token: Secret,
  scope: string | undefined,
): Promise<TokenResponse> {
  return requestToken(context, {
    grant_type: "refresh_token",
    refresh_token: token.reveal(),
    scope,
    ...resourceOf(context.client),
  });
}

/**
 * Asks for a token of the application itself (RFC 6749 section 4.4), by its secret or certificate.
 *
 * @throws MxtokenError as `judgeReply` says, for an application
 */
export async function requestClientCredentials(
  context: TokenRequestContext,
): Promise<TokenResponse> {
  const { client } = context;
  return requestToken(
    context,
    { grant_type: "client_credentials", scope: client.scope, ...resourceOf(client) },
    { isForApplication: true },
  );
}

/**
 * Revokes a token at the client's revocation endpoint (RFC 7009).
 *
 * @returns false when the server did not know the token any more
 * @throws MxtokenError as `judgeReply` says
 */
export async function revokeToken(
  context: TokenRequestContext,
  token: Secret,
  kind: "refresh_token" | "access_token",
): Promise<boolean> {
  const parameters = { token_type_hint: kind, token: token.reveal() };
  const asked = { endpoint: "revocation endpoint", member: undefined, isForApplication: true };
  try {
    await requestFrom(context, context.client.revocationEndpoint, parameters, asked);
    return true;
  } catch (error) {
    // Google's word for a token that it does not know (any more).
    if (error instanceof MxtokenError && error.oauthError === "invalid_token") return false;
    throw error;
  }
}
