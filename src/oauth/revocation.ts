import * as oauth from "oauth4webapi";
import { MxtokenError } from "../errors.ts";
import type { Secret } from "../secret.ts";
import type { TokenRequestContext } from "./client.ts";
import { partiesOf, transport, understood } from "./transport.ts";

/** Google's word for a token that it does not know (any more). */
const alreadyGone = "invalid_token";

/**
 * Revokes a token at the client's revocation endpoint (RFC 7009).
 *
 * @returns false when the server did not know the token any more
 * @throws MxtokenError as `judgeReply` says
 */
export async function revokeToken(
  context: TokenRequestContext,
  token: Secret,
  kind: "refresh_token" | "access_token",
): Promise<boolean> {
  const { as, oauthClient, authentication } = partiesOf(context);
  const asked = {
    endpoint: "revocation endpoint",
    member: undefined,
    isForApplication: true,
  };
  try {
    const response = await oauth.revocationRequest(
      as,
      oauthClient,
      authentication,
      token.reveal(),
      {
        ...transport(context, asked, (members) => members),
        additionalParameters: { token_type_hint: kind },
      },
    );
    await understood(oauth.processRevocationResponse(response), "revocation endpoint");
    return true;
  } catch (error) {
    if (error instanceof MxtokenError && error.oauthError === alreadyGone) return false;
    throw error;
  }
}
