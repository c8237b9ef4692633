import { MxtokenError } from "../errors.ts";
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

/** A request that is not sent yet. */
interface UnauthenticatedRequest {
  readonly form: URLSearchParams;
  readonly headers: Record<string, string>;
}

/**
 * Lets the client prove in a request that it is the client (RFC 6749 section 2.3): by its certificate, by its
 * secret in the body, by its secret through HTTP Basic, or not at all.
 *
 * @param request is completed
 * @throws MxtokenError `unreadable` for a key that cannot sign
 */
export async function authenticate(
  context: TokenRequestContext,
  { form, headers }: UnauthenticatedRequest,
  byBasic: boolean,
): Promise<void> {
  const { client, credentials } = context;
  const { secret, certificate } = credentials;
  if (certificate === undefined && secret !== undefined && byBasic) {
    const pair = [client.id, secret.reveal()].map(formEncoded).join(":");
    headers["authorization"] = `Basic ${Buffer.from(pair).toString("base64")}`;
    return;
  }
  form.set("client_id", client.id);
  if (certificate !== undefined) {
    form.set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
    form.set("client_assertion", await assertion(context, certificate));
  } else if (secret !== undefined) {
    form.set("client_secret", secret.reveal());
  }
}

/** RFC 6749 section 2.3.1: as a form encodes it, which leaves the dashes of a client id as they are. */
function formEncoded(text: string): string {
  return new URLSearchParams([["", text]]).toString().slice("=".length);
}

/**
 * `private_key_jwt` (RFC 7523 section 2.2), as Microsoft wants it: PS256, the certificate told by
 * the SHA-256 of its DER form, for the token endpoint as audience.
 */
async function assertion(
  { world, client, now = world.now() }: TokenRequestContext,
  { key, thumbprint }: ClientCertificate,
): Promise<string> {
  const { SignJWT } = await import("jose");
  const { createPrivateKey, randomUUID } = await import("node:crypto");
  const { iat, exp } = timesOf(now, backdating + assertionSeconds);
  const claims = { iss: client.id, sub: client.id, aud: client.tokenEndpoint, jti: randomUUID() };
  try {
    return await new SignJWT({ ...claims, iat, nbf: iat, exp })
      .setProtectedHeader({ alg: "PS256", typ: "JWT", "x5t#S256": thumbprint })
      .sign(createPrivateKey(key.reveal()));
  } catch (error) {
    throw new MxtokenError("unreadable", "the client's private key cannot sign with PS256", {
      cause: error,
    });
  }
}
