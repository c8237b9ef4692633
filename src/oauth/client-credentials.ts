import * as oauth from "oauth4webapi";
import type { TokenResponse } from "../token.ts";
import type { TokenRequestContext } from "./request-context.ts";
import { granted, partiesOf, resourceOf, tokenTransport } from "./transport.ts";

/**
 * Asks for a token of the application itself (RFC 6749 section 4.4), by its secret or certificate.
 *
 * @throws MxtokenError as `judgeReply` says, for an application
 */
export async function requestClientCredentials(
  context: TokenRequestContext,
): Promise<TokenResponse> {
  const { client } = context;
  const { as, oauthClient, authentication } = partiesOf(context);
  const response = await oauth.clientCredentialsGrantRequest(
    as,
    oauthClient,
    authentication,
    { scope: client.scope, ...resourceOf(client) },
    tokenTransport(context, true),
  );
  return granted(oauth.processClientCredentialsResponse(as, oauthClient, response));
}
