import { isAppOnly } from "../catalog/provider-row.ts";
import { MxtokenError } from "../errors.ts";
import type { TokenResponse } from "../token.ts";
import type { ServiceAccount, TokenRequestContext } from "./client.ts";
import { timesOf } from "./client-authentication.ts";
import { requestToken } from "./transport.ts";

const grantType = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/** The longest that Google takes. */
const assertionSeconds = 3600;

/**
 * Asks for a token by a service account's signed assertion (RFC 7523 section 2.1), in the name of a
 * mailbox of its domain (Google's domain-wide delegation).
 *
 * @param mailbox the assertion's `sub`
 * @throws MxtokenError as `judgeReply` says, for an application
 */
export async function requestByAssertion(
  context: TokenRequestContext,
  account: ServiceAccount,
  mailbox: string,
  scope: string,
): Promise<TokenResponse> {
  const { world, client, now = world.now() } = context;
  const { SignJWT } = await import("jose");
  const { createPrivateKey } = await import("node:crypto");
  const { keyId } = account;
  const header = { alg: "RS256", typ: "JWT", ...(keyId === undefined ? {} : { kid: keyId }) };
  const { iat, exp } = timesOf(now, assertionSeconds);
  const assertion = await new SignJWT({ scope })
    .setProtectedHeader(header)
    .setIssuer(account.email)
    .setSubject(mailbox)
    .setAudience(client.tokenEndpoint)
    .setIssuedAt(iat)
    .setExpirationTime(exp)
    .sign(createPrivateKey(account.privateKey.reveal()));
  return requestToken(
    context,
    { grant_type: grantType, assertion },
    // The assertion is all that the server looks at: there is no client beside it.
    { isForApplication: true, authentication: "none" },
  );
}

/** A person's consent is refused for reasons of its own; an application's assertion is all that it sends. */
function isOfAssertion({ client }: TokenRequestContext, error: unknown): boolean {
  if (!(error instanceof MxtokenError) || error.oauthError === undefined) return false;
  return isAppOnly(client.flow) || error.oauthError === "invalid_client";
}

/** The header Date has whole seconds, and the way takes its time; ms. */
const tolerance = 2000;

/**
 * Sends a request with an assertion, in which the time stands; where the application is refused and the
 * server's clock is another than this machine's, once again by the server's. Nothing was spent by the first.
 *
 * @param onDifference told by how many ms this machine's clock is ahead, before the second request
 * @throws what `send` throws
 */
export async function withServerClock<T>(
  context: TokenRequestContext,
  send: (context: TokenRequestContext) => Promise<T>,
  onDifference: (ahead: number) => void,
): Promise<T> {
  let ahead = 0;
  const onReply: TokenRequestContext["onReply"] = (reply) => {
    const date = Date.parse(reply.headers.get("date") ?? "");
    if (!Number.isNaN(date)) ahead = context.world.now() - date;
  };
  try {
    return await send({ ...context, onReply });
  } catch (error) {
    if (!isOfAssertion(context, error) || Math.abs(ahead) <= tolerance) throw error;
    onDifference(ahead);
    return send({ ...context, now: context.world.now() - ahead });
  }
}
