import { createPrivateKey } from "node:crypto";
import * as oauth from "oauth4webapi";
import { MxtokenError } from "../errors.ts";
import type { TokenResponse } from "../token.ts";
import type { ServiceAccount, TokenRequestContext } from "./client.ts";
import { partiesOf, tokenTransport, understood } from "./transport.ts";

const grantType = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/** The longest that Google takes. */
const assertionSeconds = 3600;

/** The assertion is all that the server looks at: there is no client beside it. */
const withoutClient: oauth.ClientAuth = () => undefined;

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
  const { keyId } = account;
  const header = { alg: "RS256", typ: "JWT", ...(keyId === undefined ? {} : { kid: keyId }) };
  const seconds = Math.floor(now / 1000);
  const assertion = await new SignJWT({ scope })
    .setProtectedHeader(header)
    .setIssuer(account.email)
    .setSubject(mailbox)
    .setAudience(client.tokenEndpoint)
    .setIssuedAt(seconds)
    .setExpirationTime(seconds + assertionSeconds)
    .sign(createPrivateKey(account.privateKey.reveal()));
  const { parties } = partiesOf(context);
  const response = await oauth.genericTokenEndpointRequest(
    ...parties,
    withoutClient,
    grantType,
    { assertion },
    tokenTransport(context, true),
  );
  return understood(oauth.processGenericTokenEndpointResponse(...parties, response));
}

/** Nobody refuses an assertion for less. */
const tolerance = 60_000;

/**
 * Sends a request with an assertion, in which the time stands; where it is refused and the server's
 * clock is another than this machine's, once again by the server's.
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
    const isRefused = error instanceof MxtokenError && error.oauthError !== undefined;
    if (!isRefused || Math.abs(ahead) < tolerance) throw error;
    onDifference(ahead);
    return send({ ...context, now: context.world.now() - ahead });
  }
}
