import type { Mechanism } from "../catalog/provider-row.ts";

/** What a real login showed. Who reads it decides what follows; `report/sentences.ts` puts it into words. */
export type Finding = Accepted | NotAccepted;

export interface Accepted {
  readonly probe: "imap";
  readonly result: "accepted";
  readonly host: string;
  readonly port: number;
  /** the user name that was logged in with */
  readonly user: string;
  readonly mechanism: Mechanism;
  readonly folders: number;
  /** in INBOX */
  readonly messages: number;
}

export interface NotAccepted {
  readonly probe: "imap";
  /** refused: the server said no; unreachable: nobody said anything about the token */
  readonly result: "refused" | "unreachable";
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly reason: string;
  readonly hint?: string | undefined;
}
