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
