import type { ServerResponse } from "node:http";
import type { Account, Grant } from "./account.ts";

/** One token request that has arrived. */
export interface Exchange {
  readonly response: ServerResponse;
  /** replaces the refresh token. @returns the answer, as JSON */
  rotate(): string;
  /** marks the answer as one that never arrives as a whole, and closes the connection */
  cut(): void;
  /** sends an answer as a whole */
  send(status: number, headers: Record<string, string>, body: string | Buffer): void;
}

/** What happens while a request is out. */
export interface RequestFault {
  readonly name: string;
  /** done when the request has arrived, and nothing was replaced yet */
  before?(account: Account, grant: Grant): void | Promise<void>;
  /** done when the server has replaced the token, and has not answered yet */
  between?(account: Account, grant: Grant): void | Promise<void>;
  /** in place of a good answer */
  respond?(exchange: Exchange): void | Promise<void>;
  /** makes what was done to the file undone, as a person does who is told of it */
  restore?(account: Account): void;
  /** what the program has done to a file of somebody else's, which it must not */
  violation?(account: Account): string | undefined;
  /** whether somebody has put a spent token into the file: who uses it loses the account */
  readonly isSpentPlanted?: boolean;
}
