import type { HttpReply, World } from "../world/world.ts";
import type { ClientCredentials, OAuthClient } from "./client.ts";

/** What a request to the authorization server needs beside the client. */
export interface TokenRequestContext {
  readonly world: World;
  readonly client: OAuthClient;
  readonly credentials: ClientCredentials;
  readonly ca: string | undefined;
  readonly signal: AbortSignal;
  /** the time to write into assertions, ms since 1970; undefined: this machine's */
  readonly now?: number;
  /** told of every answer; its header Date shows the server's clock */
  readonly onReply?: (reply: HttpReply) => void;
}
