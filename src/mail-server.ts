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
  readonly probe: Protocol;
  readonly host: string;
  readonly port: number;
  /** the user name that was logged in with */
  readonly user: string;
  /** what the server wants a person to be shown (RFC 9051 section 7.1), whatever the result is */
  readonly alerts?: readonly string[] | undefined;
}

interface AcceptedLogin extends Login {
  readonly result: "accepted";
  readonly mechanism: Mechanism;
}

/** `messages` are those in INBOX, or in the maildrop (RFC 1939); by SMTP, the server lets this user send. */
export type Accepted =
  | (AcceptedLogin & {
      readonly probe: "imap";
      readonly folders: number;
      readonly messages: number;
    })
  | (AcceptedLogin & { readonly probe: "smtp" })
  | (AcceptedLogin & { readonly probe: "pop"; readonly messages: number });

export interface NotAccepted extends Login {
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
