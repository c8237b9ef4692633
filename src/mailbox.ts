import { domainToASCII } from "node:url";
import { MxtokenError } from "./errors.ts";
import type { Endpoint, Mechanism, Protocol } from "./mail-server.ts";
import type { ProxyServer } from "./proxy.ts";

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
  readonly proxy: ProxyServer | undefined;
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

/** Most texts: what is beyond ASCII takes the engine longer to compile a pattern for than to find. */
const printable = /^[\x20-\x7e]*$/;

/** Whether a text has blanks or what cannot be seen (Unicode's separators, controls and unassigned). */
export function hasInvisible(text: string): boolean {
  return printable.test(text) ? text.includes(" ") : /[\p{C}\p{Z}]/u.test(text);
}

/** Beyond ASCII, what is no letter, mark or number. */
const strange = /(?![\p{L}\p{M}\p{N}])[^\t\r\n\x20-\x7e]|\p{Default_Ignorable_Code_Point}/u;

/**
 * Names what in a text cannot be seen, or looks like what is meant: blanks, dashes, dots and quotation
 * marks that are not those of the keyboard come with what is copied from a page or a mail.
 *
 * @returns a sentence; undefined where there is none
 */
export function strangeCharacterIn(text: string): string | undefined {
  if (printable.test(text)) return undefined;
  const found = strange.exec(text.trim());
  if (found === null) return undefined;
  const number = (found[0].codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0");
  return `character ${found.index + 1} is U+${number}, which cannot be seen or looks like another one`;
}

/** What stands for a dot in a domain (UTS #46 section 4), and is typed with the letters around it. */
const otherDots = /(?<=@.*)[\u3002\uff0e\uff61]/gu;

/** A validated mailbox address. */
export interface Address {
  /** as the person wrote it, composed (NFC), without blanks around it or a dot at the end */
  readonly text: string;
  readonly local: string;
  /** in lower case and in ASCII (IDNA), as DNS wants it */
  readonly domain: string;
}

/**
 * Reads an address like `foo@example.com` (RFC 5321, with RFC 6531's letters of any script).
 * Quoted local parts and address literals are refused: no provider has such mailboxes.
 *
 * @throws MxtokenError `usage`
 */
export function parseAddress(text: string): Address {
  const trimmed = withoutRoot(text);
  const strange = strangeCharacterIn(trimmed.replace(otherDots, "."));
  if (strange !== undefined) throw notAnAddress(text, strange);
  const at = trimmed.lastIndexOf("@");
  if (at < 1 || at === trimmed.length - 1) {
    throw notAnAddress(text, "it must look like foo@example.com");
  }
  const local = trimmed.slice(0, at);
  const written = trimmed.slice(at + 1);
  if (/[()<>[\]:;,\\"@]/.test(local) || hasInvisible(local)) {
    throw notAnAddress(text, "there is a character before the @ that does not belong there");
  }
  if (Buffer.byteLength(local) > 64) {
    throw notAnAddress(text, "the part before the @ is over 64 bytes long");
  }
  const domain = domainOf(written);
  if (domain === undefined) throw notAnAddress(text, "what follows the @ is not a domain");
  return { text: trimmed, local, domain };
}

/** Whether a text from elsewhere can be an address; nothing more is asked of it. */
export function isAddressLike(text: string): boolean {
  return text.length <= 320 && /^[^\s@\p{C}]+@[^\s@\p{C}]+$/u.test(text);
}

/**
 * Reads a mail domain like `example.com`, in any script.
 *
 * @returns in lower case and in ASCII (IDNA)
 * @throws MxtokenError `usage`
 */
export function parseDomain(text: string): string {
  const domain = domainOf(withoutRoot(text));
  if (domain?.includes(".")) return domain;
  const shown = JSON.stringify(text.slice(0, 100));
  throw new MxtokenError(
    "usage",
    `${shown} is neither a mailbox address, nor a mail domain, nor a provider's name`,
  );
}

/** The dot at the end, with which DNS tools write the root and people end sentences, says nothing. */
function withoutRoot(text: string): string {
  return text
    .normalize("NFC")
    .trim()
    .replace(/[.\u3002\uff0e\uff61]$/, "");
}

function domainOf(written: string): string | undefined {
  // domainToASCII also decodes percent signs and drops blanks, which no domain has.
  if (/[%/?#\\:@[\]]/.test(written) || hasInvisible(written)) return undefined;
  const domain = domainToASCII(written);
  if (domain.length === 0 || domain.length > 253) return undefined;
  const label = /^(?!-)[a-z0-9_-]{1,63}(?<!-)$/;
  const labels = domain.split(".");
  // No top-level domain is a number (RFC 3696 section 2): this is an IP address.
  if (/^\d+$/.test(labels.at(-1) ?? "")) return undefined;
  return labels.every((part) => label.test(part)) ? domain : undefined;
}

function notAnAddress(text: string, why: string): MxtokenError {
  const shown = JSON.stringify(text.slice(0, 100));
  return new MxtokenError("usage", `${shown} is not a mailbox address: ${why}`);
}
