import { readFileSync, statSync } from "node:fs";
import { resolve } from "node:path";
import type { ProviderRow } from "../catalog/provider-row.ts";
import { MxtokenError, mayBeReadLater, systemReason } from "../errors.ts";
import type { Endpoint, Protocol } from "../mail-server.ts";
import type { Mailbox } from "../mailbox.ts";
import { parseEndpoint } from "../settings/endpoint.ts";
import { customProvider } from "../settings/provider.ts";
import { whyNot } from "../settings/read-file.ts";
import type { Settings } from "../settings/settings.ts";
import type { Remembered } from "../token.ts";
import { isCertificate } from "../world/builtins.ts";

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
