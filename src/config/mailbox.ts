import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import type { Address } from "../address.ts";
import type { Endpoint, Mechanism, ProviderRow } from "../catalog/providers.ts";
import { findProvider, providers } from "../catalog/providers.ts";
import { MxtokenError } from "../errors.ts";
import { parseEndpoint } from "./endpoint.ts";
import type { Remembered, Settings } from "./settings.ts";

/** Where the mailbox is and how to log in to it. */
export interface Mailbox {
  readonly address: Address;
  /** the row's name, or `custom` */
  readonly provider: string;
  readonly title: string;
  readonly imap: Endpoint;
  readonly mechanisms: readonly Mechanism[];
  /** one more certificate authority, PEM */
  readonly ca: string | undefined;
  readonly proxy: string | undefined;
}

/** The name of a provider that was given by its values instead of by name. */
export const customProvider = "custom";

/**
 * The row of the catalogue to use: the one that was named, else the one that the token file was
 * made with. Undefined when everything that a row says was given by options.
 *
 * @throws MxtokenError `usage` for an unknown name, `noProvider` when nothing was named
 */
export function resolveProvider(
  settings: Settings,
  remembered: Remembered,
): ProviderRow | undefined {
  const named = settings.provider;
  if (named !== undefined) {
    const row = findProvider(named);
    if (row === undefined) {
      throw new MxtokenError("usage", `--provider: ${JSON.stringify(named)} is not known`, {
        hint: `known are ${providers.map((known) => known.name).join(", ")}; for another one give its values: ${valuesNeeded}`,
      });
    }
    return row;
  }
  const former = remembered.provider === undefined ? undefined : findProvider(remembered.provider);
  if (former !== undefined) return former;
  if (allValuesGiven(settings)) return undefined;
  throw new MxtokenError("noProvider", `no provider was named for ${settings.address.text}`, {
    hint: `pass --provider NAME (${providers.map((known) => known.name).join(", ")}), or all its values: ${valuesNeeded}`,
  });
}

const valuesNeeded = "--authorize-uri --token-uri --scope --client-id --imap-server";

function allValuesGiven(settings: Settings): boolean {
  const { authorizeUri, tokenUri, scope, clientId, imapServer } = settings;
  return [authorizeUri, tokenUri, scope, clientId, imapServer].every(
    (value) => value !== undefined,
  );
}

/**
 * Completes the mailbox from the options and the provider's row.
 *
 * @throws MxtokenError `usage`, `configuration`, or `unreadable` for a CA file that holds none
 */
export function resolveMailbox(
  settings: Settings,
  row: ProviderRow | undefined,
  cwd: string,
): Mailbox {
  const imap =
    settings.imapServer === undefined
      ? row?.imap
      : parseEndpoint(settings.imapServer, "imap-server", { implicit: 993, starttls: 143 });
  if (imap === undefined) {
    throw new MxtokenError("configuration", "no IMAP server is known: pass --imap-server");
  }
  return {
    address: settings.address,
    provider: row?.name ?? customProvider,
    title: row?.title ?? `the server ${imap.host}`,
    imap,
    mechanisms: row?.mechanisms ?? ["OAUTHBEARER", "XOAUTH2"],
    ca: settings.caFile === undefined ? undefined : readCa(resolve(cwd, settings.caFile)),
    proxy: settings.proxy === undefined ? undefined : checkProxy(settings.proxy),
  };
}

function readCa(path: string): string {
  let pem: string;
  try {
    pem = readFileSync(path, "utf8");
  } catch (error) {
    const reason = error instanceof Error && "code" in error ? String(error.code) : "unreadable";
    throw new MxtokenError("configuration", `--ca-file: cannot read ${path}: ${reason}`, {
      cause: error,
    });
  }
  const certificates =
    pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  try {
    for (const certificate of certificates) new X509Certificate(certificate);
    if (certificates.length > 0) return pem;
  } catch {
    // Told below: what OpenSSL says of a broken certificate helps nobody.
  }
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
