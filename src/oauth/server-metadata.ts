import type { Flow } from "../catalog/provider-row.ts";
import { MxtokenError } from "../errors.ts";

/** What an authorization server says of itself (RFC 8414 section 2), as far as it is used here. */
export interface ServerMetadata {
  readonly issuer: string;
  readonly authorizationEndpoint: string | undefined;
  readonly tokenEndpoint: string | undefined;
  readonly deviceAuthorizationEndpoint: string | undefined;
  readonly revocationEndpoint: string | undefined;
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
  if (known !== undefined && !known.includes(grantTypes[flow])) {
    throw new MxtokenError(
      "configuration",
      `${issuer} does not offer --flow ${flow}: of grants it knows ${known.join(", ") || "none"}`,
    );
  }
  if (flow === "code" && responseTypes?.includes("code") === false) {
    throw new MxtokenError(
      "configuration",
      `${issuer} does not offer --flow code: of response types it knows ${responseTypes.join(", ") || "none"}`,
    );
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
