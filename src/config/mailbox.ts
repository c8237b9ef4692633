import { readFileSync, statSync } from "node:fs";
import { resolve } from "node:path";
import type { Address } from "../address.ts";
import type { Endpoint, Mechanism, Protocol, ProviderRow } from "../catalog/provider-row.ts";
import { MxtokenError, mayBeReadLater, systemReason } from "../errors.ts";
import { isCertificate } from "../world/builtins.ts";
import { parseEndpoint } from "./endpoint.ts";
import { customProvider } from "./provider.ts";
import { whyNot } from "./read-file.ts";
import type { Remembered, Settings } from "./settings.ts";

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
 * Completes the mailbox from the options and the provider's row.
 *
 * @throws MxtokenError `usage`, `configuration`, or `unreadable` for a CA file that holds none
 */
export function resolveMailbox(
  settings: Settings,
  row: ProviderRow | undefined,
  remembered: Remembered,
  cwd: string,
): Mailbox {
  const caFile = settings.caFile === undefined ? undefined : resolve(cwd, settings.caFile);
  const imap = endpointFor("imap", settings.imapServer, row);
  return {
    address: settings.address,
    login: settings.login ?? remembered.login ?? settings.address.text,
    provider: row?.name ?? customProvider,
    title: row?.title ?? (imap === undefined ? "given by its values" : `the server ${imap.host}`),
    imap,
    smtp: endpointFor("smtp", settings.smtpServer, row),
    pop: endpointFor("pop", settings.popServer, row),
    verify: settings.verify,
    isPopTokenOnNextLine: row?.isPopTokenOnNextLine === true,
    mechanisms: row?.mechanisms ?? ["OAUTHBEARER", "XOAUTH2"],
    ca: caFile === undefined ? undefined : readCa(caFile),
    caFile,
    proxy: settings.proxy === undefined ? undefined : checkProxy(settings.proxy),
  };
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

const ports: Readonly<Record<Protocol, { implicit: number; starttls: number }>> = {
  imap: { implicit: 993, starttls: 143 },
  smtp: { implicit: 465, starttls: 587 },
  pop: { implicit: 995, starttls: 110 },
};

function endpointFor(
  protocol: Protocol,
  given: string | undefined,
  row: ProviderRow | undefined,
): Endpoint | undefined {
  return given === undefined
    ? row?.[protocol]
    : parseEndpoint(given, `${protocol}-server`, ports[protocol]);
}

/** Many times what all the authorities of a system take; bytes. */
const caLimit = 4 * 1024 * 1024;

function readCa(path: string): string {
  let pem: string;
  try {
    // With bigint: see patient-output.ts.
    const found = statSync(path, { bigint: true });
    if (!found.isFile() || found.size > BigInt(caLimit)) {
      throw new MxtokenError(
        "unreadable",
        `--ca-file: ${path} ${whyNot(found.isFile() ? "tooLarge" : "noFile")}`,
      );
    }
    pem = readFileSync(path, "utf8");
  } catch (error) {
    if (error instanceof MxtokenError) throw error;
    throw new MxtokenError(
      mayBeReadLater(error) ? "unreachable" : "configuration",
      `--ca-file: cannot read ${path}: ${systemReason(error)}`,
      {
        cause: error,
      },
    );
  }
  const certificates =
    pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  if (certificates.length > 0 && certificates.every(isCertificate)) return pem;
  throw new MxtokenError("unreadable", `--ca-file: ${path} holds no certificate in PEM form`);
}

function checkProxy(text: string): string {
  const allowed = ["http:", "https:", "socks:", "socks4:", "socks4a:", "socks5:"];
  if (!URL.canParse(text) || !allowed.includes(new URL(text).protocol)) {
    // The text is not shown: it may hold a password.
    throw new MxtokenError(
      "usage",
      "--proxy takes an address like http://host:3128 or socks5://host:1080",
    );
  }
  return text;
}
