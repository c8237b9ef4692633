import * as oauth from "oauth4webapi";
import { MxtokenError } from "../errors.ts";
import { harmless } from "../secret.ts";
import type { World } from "../world/world.ts";
import type { ServerMetadata } from "./server-metadata.ts";

const timeout = 30_000;

/** Where the metadata may stand: RFC 8414 section 3, then OpenID Connect Discovery section 4. */
const places = ["oauth2", "oidc"] as const;

/**
 * Fetches what an authorization server says of itself, from the well-known places below its issuer.
 * The issuer in it must be exactly the one that was asked for (RFC 8414 section 3.3), and no
 * redirect is followed.
 *
 * @throws MxtokenError `unreachable`, `notUnderstood`; `configuration` where there is none
 */
export async function fetchMetadata(
  world: World,
  issuer: string,
  ca: string | undefined,
): Promise<ServerMetadata> {
  const signal = AbortSignal.any([world.deadline(timeout), world.interrupted]);
  let problem: MxtokenError | undefined;
  for (const algorithm of places) {
    const response = await oauth.discoveryRequest(new URL(issuer), {
      algorithm,
      signal,
      [oauth.customFetch]: (url, { headers }) => get(world, url, headers, ca, signal),
    });
    const members = response.status === 200 ? parseObject(await response.text()) : undefined;
    if (members !== undefined) return metadataOf(issuer, members);
    // What is wrong with one place may be right at the other.
    problem ??= problemWith(new URL(issuer).host, response.status);
  }
  if (problem !== undefined) throw problem;
  throw new MxtokenError("configuration", `${issuer} has no metadata (RFC 8414, OpenID Connect)`, {
    hint: "is --issuer right? Else give its endpoints: --authorize-uri --token-uri",
  });
}

async function get(
  world: World,
  url: string,
  headers: Record<string, string>,
  ca: string | undefined,
  signal: AbortSignal,
): Promise<Response> {
  world.trace(`GET ${url}`);
  const reply = await world.http({ method: "GET", url, headers, ca, signal });
  world.trace(`${url} answered ${reply.status}`);
  // What it is, its text shows; one that was cut off is nothing.
  return new Response(reply.truncated ? "" : reply.body, { status: reply.status });
}

/** @returns undefined where there simply is nothing */
function problemWith(host: string, status: number): MxtokenError | undefined {
  if (status === 404 || status === 410) return undefined;
  const isBusy = [403, 407, 408, 429].includes(status) || status >= 500;
  if (isBusy) {
    return new MxtokenError("unreachable", `${host} could not answer now: status ${status}`);
  }
  return notMetadata(host, status === 200 ? "not a JSON object" : `status ${status}`);
}

function metadataOf(issuer: string, members: Record<string, unknown>): ServerMetadata {
  const { issuer: named } = members;
  if (named !== issuer) {
    const other = typeof named === "string" ? harmless(named, 200) : "nobody";
    throw new MxtokenError(
      "notUnderstood",
      `the metadata of ${issuer} is of another issuer: ${other}`,
      { hint: "the issuer is compared letter by letter, also the slash at its end" },
    );
  }
  const text = (name: string) => {
    const value = members[name];
    return typeof value === "string" ? harmless(value, 2000) : undefined;
  };
  const list = (name: string) => {
    const value = members[name];
    return Array.isArray(value) ? value.filter((one) => typeof one === "string") : undefined;
  };
  const endpoint = (name: string) => {
    const value = text(name);
    if (value === undefined || isEndpoint(value)) return value;
    throw notMetadata(new URL(issuer).host, `its ${name} is no address that begins with https://`);
  };
  return {
    issuer,
    authorizationEndpoint: endpoint("authorization_endpoint"),
    tokenEndpoint: endpoint("token_endpoint"),
    deviceAuthorizationEndpoint: endpoint("device_authorization_endpoint"),
    revocationEndpoint: endpoint("revocation_endpoint"),
    grantTypes: list("grant_types_supported"),
    scopes: list("scopes_supported"),
    challengeMethods: list("code_challenge_methods_supported"),
    authenticationMethods: list("token_endpoint_auth_methods_supported"),
    responseTypes: list("response_types_supported"),
    isIssuerInAnswer: members["authorization_response_iss_parameter_supported"] === true,
  };
}

/** RFC 6749 sections 3.1 and 3.2: by TLS, and without a fragment. */
function isEndpoint(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, hash, username, password } = new URL(text);
  return protocol === "https:" && [hash, username, password].every((part) => part === "");
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
    return isObject ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

function notMetadata(host: string, what: string): MxtokenError {
  return new MxtokenError(
    "notUnderstood",
    `${host} did not answer with an authorization server's metadata: ${what}`,
  );
}
