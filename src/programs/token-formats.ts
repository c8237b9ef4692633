import { MxtokenError } from "../errors.ts";
import type { Endpoint } from "../mail-server.ts";
import { inBase64, initialResponse, xoauth2 } from "../proof/sasl.ts";
import type { Secret } from "../secret.ts";
import type { WordOf } from "../settings/option-rows.ts";
import { isoSeconds } from "../token.ts";

/** A form in which programs take a token. */
export type TokenFormat = WordOf<"format">;

/** A token, and what the forms say beside it. */
interface FormattedToken {
  readonly accessToken: Secret;
  readonly refreshToken: Secret | undefined;
  /** milliseconds since 1970 */
  readonly expiresAt: number | undefined;
  readonly scope: string | undefined;
  readonly account: string;
  readonly provider: string | undefined;
  /** the user name to log in with */
  readonly user: string;
  /** the server that the user logs in to; only `oauthbearer` needs it */
  readonly server: Endpoint | undefined;
}

/**
 * A token as a program wants it, without a line end: the token alone, a SASL initial response (RFC
 * 7628, and Google's XOAUTH2) in base64 or as it is, an HTTP header (RFC 6750 section 2.1), a JSON
 * document, or the two lines of a token file.
 *
 * @throws MxtokenError `configuration` where the form needs a server and none is known
 */
export function formatToken(token: FormattedToken, format: TokenFormat): string {
  const { accessToken, refreshToken, user, server } = token;
  switch (format) {
    case "raw":
      return accessToken.reveal();
    case "xoauth2":
      return inBase64(xoauth2(user, accessToken)).reveal();
    case "xoauth2-plain":
      return xoauth2(user, accessToken).reveal();
    case "oauthbearer":
      if (server === undefined) {
        throw new MxtokenError("configuration", "--format oauthbearer needs the server", {
          hint: "pass --provider, or --imap-server, --smtp-server or --pop-server",
        });
      }
      return initialResponse("OAUTHBEARER", user, server, accessToken).reveal();
    case "header":
      return `Authorization: Bearer ${accessToken.reveal()}`;
    case "json":
      return JSON.stringify(documentOf(token), null, 2);
    case "imapsync":
      return `${accessToken.reveal()}\n${refreshToken?.reveal() ?? ""}`;
  }
}

function documentOf({ accessToken, expiresAt, scope, account, user, provider }: FormattedToken) {
  const expires = expiresAt === undefined ? undefined : isoSeconds(expiresAt);
  const token = accessToken.reveal();
  return { ok: true, token, tokenType: "Bearer", expires, scope, account, user, provider };
}
