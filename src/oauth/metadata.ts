import type { Flow } from "../catalog/provider-row.ts";
import { diagnosed } from "../causes/diagnose.ts";
import { MxtokenError } from "../errors.ts";
import { harmless } from "../secret.ts";
import { isBareHttps, type NamedIssuer } from "../settings/servers.ts";
import { jsonObject } from "../world/http-answers.ts";
import type { Clock, Net, Stop } from "../world/world.ts";
import type { ServerEndpoints } from "./client.ts";

/** What an authorization server says of itself (RFC 8414 section 2), as far as it is used here. */
export interface ServerMetadata
  extends Omit<ServerEndpoints, "tokenEndpoint" | "tokenInfoEndpoint"> {
  readonly issuer: string;
  readonly tokenEndpoint: string | undefined;
  /** undefined: it does not say; so for the other lists */
  readonly grantTypes: readonly string[] | undefined;
  readonly scopes: readonly string[] | undefined;
  readonly challengeMethods: readonly string[] | undefined;
  readonly authenticationMethods: readonly string[] | undefined;
  readonly responseTypes: readonly string[] | undefined;
  /** whether every answer to an authorization request holds `iss` (RFC 9207 section 3) */
  readonly isIssuerInAnswer: boolean;
}

/** How a client proves itself, and the names of the ways in metadata, any of which will do. */
const waysToProve = {
  secret: ["client_secret_post", "client_secret_basic"],
  certificate: ["private_key_jwt"],
} as const;

/** Names of the grants as metadata has them (RFC 7591 section 2). */
const grantTypes: Readonly<Record<Flow, string>> = {
  code: "authorization_code",
  device: "urn:ietf:params:oauth:grant-type:device_code",
  "client-credentials": "client_credentials",
  "service-account": "urn:ietf:params:oauth:grant-type:jwt-bearer",
};

/**
 * Makes sure, before anybody signs in, that the server can do what is wanted of it.
 *
 * @returns what it cannot do, where a token can be had all the same; sentences without a full stop
 * @throws MxtokenError `configuration` where none can be had
 */
export function judgeMetadata(
  metadata: ServerMetadata,
  flow: Flow,
  scope: string,
  proof: keyof typeof waysToProve | undefined,
): readonly string[] {
  const { issuer, grantTypes: known, scopes, challengeMethods } = metadata;
  const { responseTypes, authenticationMethods: methods } = metadata;
  const offersNo = (what: string, others: readonly string[]) =>
    new MxtokenError("configuration", `${issuer} ${what} it knows ${others.join(", ") || "none"}`);
  if (known !== undefined && !known.includes(grantTypes[flow])) {
    throw offersNo(`does not offer --flow ${flow}: of grants`, known);
  }
  if (flow === "code" && responseTypes?.includes("code") === false) {
    throw offersNo("does not offer --flow code: of response types", responseTypes);
  }
  // That a client needs no proof at all, many servers leave out.
  const isProofKnown =
    proof === undefined || waysToProve[proof].some((way) => methods?.includes(way) !== false);
  if (!isProofKnown) {
    throw new MxtokenError(
      "configuration",
      `${issuer} lets no client in by a ${proof}: it knows ${methods?.join(", ") || "no way"}`,
    );
  }
  const isAppOnly = flow === "client-credentials" || flow === "service-account";
  const unknownScopes = scope.split(" ").filter((one) => scopes?.includes(one) === false);
  return [
    ...(known !== undefined && !isAppOnly && !known.includes("refresh_token")
      ? [`${issuer} does not offer refresh tokens, so somebody must sign in whenever a token ends`]
      : []),
    ...(flow === "code" && challengeMethods?.includes("S256") === false
      ? [`${issuer} does not know PKCE with S256 (RFC 7636), so it is left out`]
      : []),
    ...(unknownScopes.length > 0
      ? [`${issuer} does not list the scope ${unknownScopes.join(" ")}, and may refuse it`]
      : []),
  ];
}

/** Whether the secret has to go by HTTP Basic; where nothing is said, that is the standard's way. */
export function wantsBasic({ authenticationMethods }: ServerMetadata): boolean {
  return authenticationMethods?.includes("client_secret_post") !== true;
}

const timeout = 30_000;

/** Where the metadata may stand: RFC 8414 section 3.1, then OpenID Connect Discovery section 4.1. */
function wellKnownPlaces(issuer: string): readonly string[] {
  const { origin, pathname } = new URL(issuer);
  const path = pathname.replaceAll(/\/{2,}/g, "/").replace(/\/$/, "");
  return [
    `${origin}/.well-known/oauth-authorization-server${path}`,
    `${origin}${path}/.well-known/openid-configuration`,
  ];
}

/**
 * Fetches what an authorization server says of itself, from the well-known places below its issuer, or
 * from the one that is named. The issuer in it must be exactly the one that was asked for (RFC 8414 section
 * 3.3), or one that has its metadata at this very address; and no redirect is followed.
 *
 * @throws MxtokenError `unreachable`, `notUnderstood`; `configuration` where there is none
 */
export async function fetchMetadata(
  world: Clock & Net & Stop,
  named: NamedIssuer,
  ca: string | undefined,
): Promise<ServerMetadata> {
  const { issuer, document } = named;
  const signal = AbortSignal.any([world.deadline(timeout), world.interrupted]);
  const headers = { accept: "application/json" };
  let problem: MxtokenError | undefined;
  for (const url of document === undefined ? wellKnownPlaces(issuer) : [document]) {
    world.trace(`GET ${url}`);
    const reply = await world.http({ method: "GET", url, headers, ca, signal });
    world.trace(`${url} answered ${reply.status}`);
    // What it is, its text shows; one that was cut off is nothing.
    const isWhole = reply.status === 200 && !reply.truncated;
    const members = isWhole ? jsonObject(reply.body) : undefined;
    if (members !== undefined) return metadataOf(named, members);
    // What is wrong with one place may be right at the other.
    problem ??= problemWith(new URL(issuer).host, reply.status);
  }
  if (problem !== undefined) throw problem;
  throw new MxtokenError(
    "configuration",
    `${document ?? issuer} has no metadata (RFC 8414, OpenID Connect)`,
    { hint: "is --issuer right? Else give its endpoints: --authorize-uri --token-uri" },
  );
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

/**
 * The issuer as its document names it.
 *
 * @throws MxtokenError `notUnderstood` where that is another one
 */
function issuerIn({ issuer, document }: NamedIssuer, value: unknown): string {
  if (value === issuer) return issuer;
  // A slash at the end is left out of the address of the document (RFC 8414 section 3.1).
  if (document !== undefined && value === `${issuer}/`) return value;
  const other = typeof value === "string" ? harmless(value, 200) : "nobody";
  const isNameable = other === value && (isBareHttps(other) || /\{\w+\}/.test(other));
  const { hint, ...known } = diagnosed({
    host: new URL(issuer).host,
    namedIssuer: isNameable ? other : undefined,
  });
  throw new MxtokenError(
    "notUnderstood",
    `the metadata of ${issuer} is of another issuer: ${other}`,
    {
      ...known,
      hint: hint ?? "the issuer is compared letter by letter, also the slash at its end",
    },
  );
}

function metadataOf(asked: NamedIssuer, members: Record<string, unknown>): ServerMetadata {
  const issuer = issuerIn(asked, members["issuer"]);
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

function notMetadata(host: string, what: string): MxtokenError {
  return new MxtokenError(
    "notUnderstood",
    `${host} did not answer with an authorization server's metadata: ${what}`,
  );
}
