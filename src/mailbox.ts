import type { Address } from "./address.ts";
import { MxtokenError } from "./errors.ts";
import type { Endpoint, Mechanism, Protocol } from "./mail-server.ts";

/** Where the mailbox is and how to log in to it. */
export interface Mailbox {
  readonly address: Address;
  /** the person who signs in: the address itself, unless the mailbox is shared or delegated */
  readonly login: string;
  /** the row's name, or `custom` */
  readonly provider: string;
  readonly title: string;
  readonly imap: Endpoint | undefined;
  readonly smtp: Endpoint | undefined;
  readonly pop: Endpoint | undefined;
  /** the protocols that prove a token here; empty: nothing does */
  readonly verify: readonly Protocol[];
  readonly mechanisms: readonly Mechanism[];
  /** whether the POP server wants AUTH and the token on two lines, however short it is */
  readonly isPopTokenOnNextLine: boolean;
  /** one more certificate authority, PEM */
  readonly ca: string | undefined;
  /** where it came from, absolute */
  readonly caFile: string | undefined;
  readonly proxy: string | undefined;
}

/**
 * The server of a protocol.
 *
 * @throws MxtokenError `configuration` where none is known
 */
export function serverOf(mailbox: Mailbox, protocol: Protocol): Endpoint {
  const server = mailbox[protocol];
  if (server !== undefined) return server;
  throw new MxtokenError(
    "configuration",
    `no ${protocol.toUpperCase()} server is known for ${mailbox.provider}: pass --${protocol}-server`,
  );
}
