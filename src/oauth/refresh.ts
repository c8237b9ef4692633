import * as oauth from "oauth4webapi";
import type { Secret } from "../secret.ts";
import type { TokenResponse } from "../token.ts";
import type { TokenRequestContext } from "./request-context.ts";
import { granted, partiesOf, resourceOf, tokenTransport } from "./transport.ts";

/**
 * Asks for a new access token (RFC 6749 section 6). The request is sent once and never again: a
 * server that rotates refresh tokens may revoke everything at the second use of the old one.
 *
 * @param scope only where the provider wants it repeated: without it the scope is the one that was
 * granted, and naming it fails at servers that granted a part of what was asked for
 * @throws MxtokenError as `judgeReply` says
 */
export async function refreshToken(
  context: TokenRequestContext,
  token: Secret,
  scope: string | undefined,
): Promise<TokenResponse> {
  const { as, oauthClient, authentication } = partiesOf(context);
  const response = await oauth.refreshTokenGrantRequest(
    as,
    oauthClient,
    authentication,
    token.reveal(),
    {
      ...tokenTransport(context),
      additionalParameters: {
        ...(scope === undefined ? {} : { scope }),
        ...resourceOf(context.client),
      },
    },
  );
  return granted(oauth.processRefreshTokenResponse(as, oauthClient, response));
}
