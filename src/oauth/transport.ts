import { diagnosed } from "../causes/diagnose.ts";
import { MxtokenError } from "../errors.ts";
import { blackOut, harmless, Secret } from "../secret.ts";
import type { TokenResponse } from "../token.ts";
import type { OAuthClient, TokenRequestContext } from "./client.ts";
import { authenticate } from "./client-authentication.ts";
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
  const oauth = await import("oauth4webapi");
  const verifier = oauth.generateRandomCodeVerifier();
  return {
    verifier: new Secret(verifier),
    challenge: await oauth.calculatePKCECodeChallenge(verifier),
    state: oauth.generateRandomState(),
  };
}

/** The parameters of a request; those that are undefined are left out. */
type Parameters = Readonly<Record<string, string | undefined>>;

/** A request to an endpoint of the authorization server, which leaves as a form. */
export interface FormRequest {
  readonly url: string;
  readonly form: URLSearchParams;
  readonly headers: Record<string, string>;
}

/** What is asked for at the token endpoint, and how. */
export interface TokenRequestOptions {
  /** there is no person behind it whose consent may be refused */
  readonly isForApplication?: boolean;
  /** undefined: as the client does at every request; `none`: the parameters prove it themselves */
  readonly authentication?: "basic" | "none" | undefined;
}

/** RFC 8707 section 2.2 */
export function resourceOf({ resource }: OAuthClient): Parameters {
  return { resource };
}

/**
 * Asks the token endpoint for a token (RFC 6749 sections 4 to 6). The request is sent once and never again.
 *
 * @throws MxtokenError as `judgeReply` says
 */
export async function requestToken(
  context: TokenRequestContext,
  parameters: Parameters,
  { isForApplication = false, authentication }: TokenRequestOptions = {},
): Promise<TokenResponse> {
  const { client } = context;
  const request = formRequest(client.tokenEndpoint, parameters);
  if (authentication !== "none") {
    await authenticate(context, request, authentication === "basic" || client.secretByBasic);
  }
  const asked = { endpoint: "token endpoint", member: "access_token", isForApplication };
  return tidyGrant(await post(context, request, asked));
}

/**
 * Asks another endpoint of the authorization server than its token endpoint.
 *
 * @param url of that endpoint, which whoever asks has made sure of
 * @returns the members of its answer
 * @throws MxtokenError as `judgeReply` says
 */
export async function requestFrom(
  context: TokenRequestContext,
  url: string | undefined,
  parameters: Parameters,
  asked: Pick<Asked, "endpoint" | "member" | "isForApplication">,
): Promise<Record<string, unknown>> {
  if (url === undefined) throw new MxtokenError("defect", `there is no ${asked.endpoint}`);
  const request = formRequest(url, parameters);
  await authenticate(context, request, context.client.secretByBasic);
  return post(context, request, asked);
}

function formRequest(url: string, parameters: Parameters): FormRequest {
  const form = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== undefined) form.set(name, value);
  }
  const headers = {
    accept: "application/json",
    "content-type": "application/x-www-form-urlencoded;charset=UTF-8",
    "user-agent": "mxtoken",
  };
  return { url, form, headers };
}

async function post(
  context: TokenRequestContext,
  { url, form, headers }: FormRequest,
  asked: Pick<Asked, "endpoint" | "member" | "isForApplication">,
): Promise<Record<string, unknown>> {
  const { world, ca, signal } = context;
  const shown = [...form].map(([name, value]) => shownParameter(name, value));
  world.trace(`POST ${url} (${shown.join(", ")})`);
  const sentGrant = sentGrants.get(form.get("grant_type") ?? "");
  const reply = await world
    .http({ method: "POST", url, headers, body: form.toString(), ca, signal })
    .catch((error) => {
      throw sentGrant === "refreshToken" ? error : withoutDoubt(error);
    });
  const type = reply.headers.get("content-type") ?? "without a content type";
  world.trace(`${url} answered ${reply.status} ${harmless(type, 80)}`);
  context.onReply?.(reply);
  const sent = secretsIn({ form, headers });
  const say = (words: string) => harmless(blackOut(words, sent));
  const { secret, certificate } = context.credentials;
  const isWithoutCredentials = secret === undefined && certificate === undefined;
  const of = { ...asked, host: new URL(url).host, sent: sentGrant, isWithoutCredentials };
  return judgeReply(reply, of, say);
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
function secretsIn({ form, headers }: Pick<FormRequest, "form" | "headers">): Secret[] {
  const values = [...form].filter(([name]) => !shownParameters.has(name)).map(([, value]) => value);
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
