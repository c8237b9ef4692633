import type { Facts } from "./causes/cause.ts";
import type { CauseId } from "./causes/diagnose.ts";

/** How TLS begins: at once, or by STARTTLS, which is then mandatory. */
export type TlsStart = "implicit" | "starttls";

/** Where a mail server listens. */
export interface Endpoint {
  readonly host: string;
  readonly port: number;
  readonly tls: TlsStart;
}

/** What a mailbox is opened with, and what mail is sent by. */
export type Protocol = "imap" | "smtp" | "pop";

/** SASL mechanisms that carry an OAuth 2.0 access token (RFC 7628, and Google's older one). */
export type Mechanism = "OAUTHBEARER" | "XOAUTH2";

/** What a real login showed. Who reads it decides what follows; `report/words.ts` puts it into words. */
export type Finding = Accepted | NotAccepted;

/** The server that was asked, and as whom. */
interface Login {
  readonly host: string;
  readonly port: number;
  /** the user name that was logged in with */
  readonly user: string;
}

export type Accepted = AcceptedByImap | AcceptedBySmtp | AcceptedByPop;

interface AcceptedByImap extends Login {
  readonly probe: "imap";
  readonly result: "accepted";
  readonly mechanism: Mechanism;
  readonly folders: number;
  /** in INBOX */
  readonly messages: number;
}

/** The server lets this user send; nothing was sent. */
interface AcceptedBySmtp extends Login {
  readonly probe: "smtp";
  readonly result: "accepted";
  readonly mechanism: Mechanism;
}

interface AcceptedByPop extends Login {
  readonly probe: "pop";
  readonly result: "accepted";
  readonly mechanism: Mechanism;
  /** in the maildrop (RFC 1939) */
  readonly messages: number;
}

export interface NotAccepted extends Login {
  readonly probe: "imap" | "smtp" | "pop";
  /** refused: the server said no; unreachable: nobody said anything about the token */
  readonly result: "refused" | "unreachable";
  readonly reason: string;
  readonly hint?: string | undefined;
  /** which known failure it is, and what is known of it */
  readonly causeId?: CauseId | undefined;
  readonly facts?: Facts | undefined;
  /** how many seconds the server asks us to wait, when it said so */
  readonly retryAfter?: number | undefined;
}
