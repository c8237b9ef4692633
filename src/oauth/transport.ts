import * as oauth from "oauth4webapi";
import { diagnosed } from "../causes/diagnose.ts";
import { MxtokenError } from "../errors.ts";
import { blackOut, harmless, Secret } from "../secret.ts";
import type { OAuthClient, TokenRequestContext } from "./client.ts";
import { clientAuthentication } from "./client-authentication.ts";
import type { SentGrant } from "./refusal-words.ts";
import { type Asked, judgeReply, tidyGrant } from "./reply.ts";

/** A PKCE pair (RFC 7636) and a state, all from a cryptographic generator. */
export interface Proofs {
  readonly verifier: Secret;
  /** S256 of the verifier */
  readonly challenge: string;
  readonly state: string;
}

export async function createProofs(): Promise<Proofs> {
  const verifier = oauth.generateRandomCodeVerifier();
  return {
    verifier: new Secret(verifier),
    challenge: await oauth.calculatePKCECodeChallenge(verifier),
    state: oauth.generateRandomState(),
  };
}

/** RFC 8707 section 2.2 */
export function resourceOf({ resource }: OAuthClient): Record<string, string> {
  return resource === undefined ? {} : { resource };
}

/** The two parties of a request, as the protocol library wants them, and the client's credentials. */
export function partiesOf(context: TokenRequestContext, byBasic = context.client.secretByBasic) {
  const { client } = context;
  const server: oauth.AuthorizationServer = {
    // Only compared with an answer's iss, which is judged before the library sees anything.
    issuer: client.issuer ?? new URL(client.tokenEndpoint).origin,
    token_endpoint: client.tokenEndpoint,
    ...(client.deviceAuthorizationEndpoint === undefined
      ? {}
      : { device_authorization_endpoint: client.deviceAuthorizationEndpoint }),
    ...(client.revocationEndpoint === undefined
      ? {}
      : { revocation_endpoint: client.revocationEndpoint }),
  };
  const parties: [oauth.AuthorizationServer, oauth.Client] = [server, { client_id: client.id }];
  return { parties, authentication: clientAuthentication(context, byBasic) };
}

/**
 * For a token request: sends the library's request through the world and hands it a judged, tidied
 * answer.
 */
export function tokenTransport(context: TokenRequestContext, isForApplication = false) {
  const asked = { endpoint: "token endpoint", member: "access_token", isForApplication };
  return transport(context, asked, tidyGrant);
}

/** As {@link tokenTransport}, for another endpoint of the authorization server. */
export function transport(
  context: TokenRequestContext,
  asked: Pick<Asked, "endpoint" | "member" | "isForApplication">,
  tidy: (members: Record<string, unknown>) => Record<string, unknown>,
) {
  const { world, ca, signal } = context;
  return {
    signal,
    [oauth.customFetch]: async (
      url: string,
      init: oauth.CustomFetchOptions<"POST", URLSearchParams>,
    ): Promise<Response> => {
      world.trace(
        `POST ${url} (${[...init.body].map(([name, value]) => shownParameter(name, value)).join(", ")})`,
      );
      const { headers } = init;
      const body = init.body.toString();
      const sentGrant = sentGrants.get(init.body.get("grant_type") ?? "");
      const reply = await world
        .http({ method: "POST", url, headers, body, ca, signal })
        .catch((error) => {
          throw sentGrant === "refreshToken" ? error : withoutDoubt(error);
        });
      world.trace(
        `${url} answered ${reply.status} ${harmless(reply.headers.get("content-type") ?? "without a content type", 80)}`,
      );
      context.onReply?.(reply);
      const sent = secretsIn(init);
      const say = (words: string) => harmless(blackOut(words, sent));
      const { secret, certificate } = context.credentials;
      const isWithoutCredentials = secret === undefined && certificate === undefined;
      const of = { ...asked, host: new URL(url).host, sent: sentGrant, isWithoutCredentials };
      const members = judgeReply(reply, of, say);
      return new Response(JSON.stringify(tidy(members)), {
        status: 200,
        headers: { "content-type": "application/json" },
      });
    },
  };
}

const sentGrants: ReadonlyMap<string, SentGrant> = new Map([
  ["refresh_token", "refreshToken"],
  ["authorization_code", "code"],
  ["urn:ietf:params:oauth:grant-type:device_code", "deviceCode"],
]);

/** Only a refresh can have spent something that is not had again by asking once more. */
function withoutDoubt(error: unknown): unknown {
  if (!(error instanceof MxtokenError) || error.facts.isInDoubt !== true) return error;
  return error.with(diagnosed({ ...error.facts, isInDoubt: false }));
}

/** Everything in a request that must not be shown if the server quotes it. */
function secretsIn({ body, headers }: oauth.CustomFetchOptions<"POST", URLSearchParams>): Secret[] {
  const values = [...body].filter(([name]) => !shownParameters.has(name)).map(([, value]) => value);
  const [, credentials] = /^\S+ (.+)$/.exec(headers["authorization"] ?? "") ?? [];
  const inHeader =
    credentials === undefined
      ? []
      : [credentials, ...Buffer.from(credentials, "base64").toString().split(":").slice(1)];
  return [...values, ...inHeader].map((value) => new Secret(value));
}

const shownParameters: ReadonlySet<string> = new Set([
  "grant_type",
  "client_id",
  "redirect_uri",
  "scope",
  "resource",
  "token_type_hint",
  "client_assertion_type",
]);

function shownParameter(name: string, value: string): string {
  return shownParameters.has(name) ? `${name}=${value}` : `${name}=[secret]`;
}

/** Whatever the library still finds wrong with a judged answer is not the protocol. */
export async function understood<T>(result: Promise<T>, endpoint = "token endpoint"): Promise<T> {
  try {
    return await result;
  } catch (error) {
    // The library's error holds the response; its text is not shown.
    const code = error instanceof Error && "code" in error ? String(error.code) : "unknown";
    throw new MxtokenError("notUnderstood", `the ${endpoint}'s answer is not valid (${code})`);
  }
}
