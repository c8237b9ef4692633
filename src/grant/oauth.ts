import * as oauth from "oauth4webapi";
import type { OAuthClient } from "../config/client.ts";
import { MxtokenError } from "../errors.ts";
import { blackOut, harmless, Secret } from "../secret.ts";
import type { TokenResponse } from "../token.ts";
import type { World } from "../world/world.ts";
import { judgeTokenReply } from "./token-reply.ts";

/** A PKCE pair (RFC 7636) and a state, all from a cryptographic generator. */
export interface Proofs {
  readonly verifier: Secret;
  /** S256 of the verifier */
  readonly challenge: string;
  readonly state: string;
}

/** What a token request needs beside the client. */
export interface TokenRequestContext {
  readonly world: World;
  readonly client: OAuthClient;
  readonly ca: string | undefined;
  readonly signal: AbortSignal;
}

export async function createProofs(): Promise<Proofs> {
  const verifier = oauth.generateRandomCodeVerifier();
  return {
    verifier: new Secret(verifier),
    challenge: await oauth.calculatePKCECodeChallenge(verifier),
    state: oauth.generateRandomState(),
  };
}

/**
 * Exchanges an authorization code (RFC 6749 section 4.1.3, RFC 7636 section 4.5).
 *
 * @param answer its redirect URI is the very one of the authorization request
 * @throws MxtokenError `signInNeeded` for a code that the server does not take, and as
 * {@link judgeTokenReply} says
 */
export async function exchangeCode(
  context: TokenRequestContext,
  answer: { code: Secret; verifier: Secret; redirectUri: string },
): Promise<TokenResponse> {
  const { client } = context;
  const { code, verifier, redirectUri } = answer;
  const { as, oauthClient, authentication } = partiesOf(client, client.basicAtCodeExchange);
  const callback = oauth.validateAuthResponse(
    as,
    oauthClient,
    new URLSearchParams({ code: code.reveal() }),
    oauth.expectNoState,
  );
  const response = await oauth.authorizationCodeGrantRequest(
    as,
    oauthClient,
    authentication,
    callback,
    redirectUri,
    client.usesPkce ? verifier.reveal() : oauth.nopkce,
    {
      ...transport(context, [code, verifier, client.secret]),
      additionalParameters: resourceOf(client),
    },
  );
  return understood(oauth.processAuthorizationCodeResponse(as, oauthClient, response));
}

/**
 * Asks for a new access token (RFC 6749 section 6). The request is sent once and never again: a
 * server that rotates refresh tokens may revoke everything at the second use of the old one.
 *
 * @param scope only where the provider wants it repeated: without it the scope is the one that was
 * granted, and naming it fails at servers that granted a part of what was asked for
 * @throws MxtokenError as {@link judgeTokenReply} says
 */
export async function refreshToken(
  context: TokenRequestContext,
  token: Secret,
  scope: string | undefined,
): Promise<TokenResponse> {
  const { client } = context;
  const { as, oauthClient, authentication } = partiesOf(client, false);
  const response = await oauth.refreshTokenGrantRequest(
    as,
    oauthClient,
    authentication,
    token.reveal(),
    {
      ...transport(context, [token, client.secret]),
      additionalParameters: { ...(scope === undefined ? {} : { scope }), ...resourceOf(client) },
    },
  );
  return understood(oauth.processRefreshTokenResponse(as, oauthClient, response));
}

/** RFC 8707 section 2.2 */
function resourceOf({ resource }: OAuthClient): Record<string, string> {
  return resource === undefined ? {} : { resource };
}

/** The secret goes into the body, unless the provider wants it by HTTP Basic. */
function authenticationOf({ secret }: OAuthClient, byBasic: boolean): oauth.ClientAuth {
  if (secret === undefined) return oauth.None();
  return byBasic
    ? oauth.ClientSecretBasic(secret.reveal())
    : oauth.ClientSecretPost(secret.reveal());
}

function partiesOf(client: OAuthClient, byBasic: boolean) {
  const as: oauth.AuthorizationServer = {
    issuer: client.issuer ?? new URL(client.authorizationEndpoint).origin,
    authorization_endpoint: client.authorizationEndpoint,
    token_endpoint: client.tokenEndpoint,
  };
  const oauthClient: oauth.Client = { client_id: client.id };
  return { as, oauthClient, authentication: authenticationOf(client, byBasic) };
}

/** Sends the library's request through the world and hands it a judged, tidied answer. */
function transport(context: TokenRequestContext, secrets: (Secret | undefined)[]) {
  const { world, client, ca, signal } = context;
  return {
    signal,
    [oauth.customFetch]: async (
      url: string,
      init: oauth.CustomFetchOptions<"POST", URLSearchParams>,
    ): Promise<Response> => {
      world.trace(
        `POST ${url} (${[...init.body].map(([name, value]) => shownParameter(name, value)).join(", ")})`,
      );
      const reply = await world.http({
        method: "POST",
        url,
        headers: init.headers,
        body: init.body.toString(),
        ca,
        signal,
      });
      world.trace(
        `${url} answered ${reply.status} ${harmless(reply.headers.get("content-type") ?? "without a content type", 80)}`,
      );
      const say = (words: string) => harmless(blackOut(words, secrets));
      const tidied = judgeTokenReply(reply, new URL(client.tokenEndpoint).host, say);
      return new Response(JSON.stringify(tidied), {
        status: 200,
        headers: { "content-type": "application/json" },
      });
    },
  };
}

const shownParameters: ReadonlySet<string> = new Set([
  "grant_type",
  "client_id",
  "redirect_uri",
  "scope",
  "resource",
]);

function shownParameter(name: string, value: string): string {
  return shownParameters.has(name) ? `${name}=${value}` : `${name}=[secret]`;
}

/** Whatever the library still finds wrong with a judged answer is not the protocol. */
async function understood(result: Promise<oauth.TokenEndpointResponse>): Promise<TokenResponse> {
  try {
    return await result;
  } catch (error) {
    // The library's error holds the response; its text is not shown.
    const code = error instanceof Error && "code" in error ? String(error.code) : "unknown";
    throw new MxtokenError("notUnderstood", `the token endpoint's answer is not valid (${code})`);
  }
}
