import { createPrivateKey } from "node:crypto";
import * as oauth from "oauth4webapi";
import { MxtokenError } from "../errors.ts";
import type { Secret } from "../secret.ts";
import type { ClientCertificate, TokenRequestContext } from "./client.ts";

/** As long as Microsoft's documents have it. */
const assertionSeconds = 300;

/** Clocks differ a little, and who is asked takes no assertion of the future; s. */
const backdating = 60;

/**
 * The times of an assertion (RFC 7519 section 4.1), s since 1970.
 *
 * @param now ms since 1970
 * @param seconds how long it is good for; by the time that it says it was issued at, no longer than that
 */
export function timesOf(now: number, seconds: number): { iat: number; exp: number } {
  const iat = Math.floor(now / 1000) - backdating;
  return { iat, exp: iat + seconds };
}

/**
 * How the client proves that it is the client (RFC 6749 section 2.3): by its certificate, by its
 * secret in the body of the request, by its secret through HTTP Basic, or not at all.
 */
export function clientAuthentication(
  context: TokenRequestContext,
  byBasic: boolean,
): oauth.ClientAuth {
  const { secret, certificate } = context.credentials;
  if (certificate !== undefined) return byAssertion(context, certificate);
  if (secret === undefined) return oauth.None();
  return byBasic ? basic(secret) : oauth.ClientSecretPost(secret.reveal());
}

/**
 * HTTP Basic (RFC 6749 section 2.3.1). The library also encodes what a form leaves as it is, like
 * the dashes of a client id; servers that decode nothing would not know it then.
 */
function basic(secret: Secret): oauth.ClientAuth {
  return (_as, { client_id }, _body, headers) => {
    const credentials = [client_id, secret.reveal()].map(formEncoded).join(":");
    headers.set("authorization", `Basic ${Buffer.from(credentials).toString("base64")}`);
  };
}

function formEncoded(text: string): string {
  return new URLSearchParams([["", text]]).toString().slice("=".length);
}

/**
 * `private_key_jwt` (RFC 7523 section 2.2), as Microsoft wants it: PS256, the certificate told by
 * the SHA-256 of its DER form, for the token endpoint as audience.
 */
function byAssertion(
  { world, client, now = world.now() }: TokenRequestContext,
  certificate: ClientCertificate,
): oauth.ClientAuth {
  return async (as, oauthClient, body, headers) => {
    const key = await signingKey(certificate);
    const authenticate = oauth.PrivateKeyJwt(key, {
      [oauth.modifyAssertion](header, payload) {
        header["typ"] = "JWT";
        header["x5t#S256"] = certificate.thumbprint;
        const { iat, exp } = timesOf(now, backdating + assertionSeconds);
        Object.assign(payload, { aud: client.tokenEndpoint, iat, nbf: iat, exp });
      },
    });
    await authenticate(as, oauthClient, body, headers);
  };
}

async function signingKey({ key }: ClientCertificate) {
  const der = createPrivateKey(key.reveal()).export({ type: "pkcs8", format: "der" });
  const algorithm = { name: "RSA-PSS", hash: "SHA-256" };
  try {
    return await crypto.subtle.importKey("pkcs8", der, algorithm, false, ["sign"]);
  } catch (error) {
    throw new MxtokenError("unreadable", "the client's private key cannot sign with PS256", {
      cause: error,
    });
  }
}
