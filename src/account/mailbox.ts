import { statSync } from "node:fs";
import { resolve } from "node:path";
import type { ProviderRow } from "../catalog/provider-row.ts";
import { providerByName } from "../catalog/providers.ts";
import { MxtokenError } from "../errors.ts";
import type { Tell } from "../events.ts";
import type { Endpoint, Protocol } from "../mail-server.ts";
import { type Mailbox, serverOf } from "../mailbox.ts";
import { parseProxy } from "../proxy.ts";
import { customProvider, explicitProvider } from "../settings/provider.ts";
import { parseEndpoint } from "../settings/servers.ts";
import type { Settings } from "../settings/settings.ts";
import { checkSameOwner } from "../store/entry.ts";
import { mayBeReadLater, systemReason } from "../system-error.ts";
import type { Remembered } from "../token.ts";
import { isCertificate } from "../world/builtins.ts";
import { readTextNow } from "../world/read-bounded.ts";
import type { Host, World } from "../world/world.ts";
import { ownerNamedBy, type Stored } from "./peek.ts";
import { type Chosen, chooseStored, noAccessToken, readStored } from "./stored.ts";

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
    proxy:
      settings.proxy === undefined ? undefined : parseProxy(settings.proxy, "--proxy", "usage"),
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

/** Files that were read and checked: to parse their certificates takes longer than the rest of a turn. */
const known = new Map<string, { readonly signature: string; readonly pem: string }>();

function readCa(path: string): string {
  const signature = signatureOf(path);
  const former = known.get(path);
  if (former !== undefined && former.signature === signature) return former.pem;
  const pem = readCertificates(path);
  if (signature !== undefined) known.set(path, { signature, pem });
  return pem;
}

/** What changes whenever a file does; undefined where that cannot be told. */
function signatureOf(path: string): string | undefined {
  try {
    const { dev, ino, size, mtimeMs, ctimeMs } = statSync(path);
    return `${dev} ${ino} ${size} ${mtimeMs} ${ctimeMs}`;
  } catch {
    return undefined;
  }
}

function readCertificates(path: string): string {
  let pem: string;
  try {
    const found = readTextNow(path, caLimit);
    if (found.is !== "read") {
      const { why, hint } = found;
      throw new MxtokenError("unreadable", `--ca-file: ${path} ${why}`, { hint });
    }
    pem = found.text;
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

/** A mailbox to log in to, and what is stored for it. */
interface MailboxToProve {
  readonly mailbox: Mailbox;
  /** undefined where nothing stored is needed */
  readonly stored: Stored | undefined;
  /** the provider, where only the address tells it */
  readonly foundRow: ProviderRow | undefined;
}

/**
 * A mailbox for a login that needs no OAuth client, and perhaps nothing stored either.
 *
 * @param isTokenBrought the token comes from elsewhere: what is stored only helps to find the provider
 * @throws MxtokenError `signInNeeded` when something stored is needed and is not there
 */
export async function resolveMailboxToProve(
  world: World,
  settings: Settings,
  isTokenBrought: boolean,
  tell: Tell,
): Promise<MailboxToProve> {
  const isServerNamed =
    settings.provider !== undefined ||
    settings.verify.every((protocol) => settings[`${protocol}Server`] !== undefined);
  if (isTokenBrought && isServerNamed) {
    const row =
      settings.provider === undefined ? undefined : explicitProvider(settings, {}, "")?.row;
    const mailbox = toProve(world, settings, row, {});
    return { mailbox, stored: undefined, foundRow: undefined };
  }
  const { row, foundRow, stored } = await choose(world, settings, isTokenBrought, tell);
  const notes = stored.record?.notes ?? {};
  checkSameOwner(stored.entry.place, notes, ownerNamedBy(settings));
  return { stored, foundRow, mailbox: toProve(world, settings, row, notes) };
}

async function choose(
  world: World,
  settings: Settings,
  isTokenBrought: boolean,
  tell: Tell,
): Promise<Omit<Chosen, "evidence">> {
  const stored = await readStored(world, { settings }, tell);
  const { record, entry } = stored;
  const isServerNamed = settings.verify.every(
    (protocol) => settings[`${protocol}Server`] !== undefined,
  );
  if (settings.provider === undefined && isServerNamed) {
    // With whatever provider it is from: the person has named the server.
    return { row: providerByName(record?.notes.provider ?? ""), foundRow: undefined, stored };
  }
  // Nobody has to be asked for the provider of nothing.
  if (!isTokenBrought && record === undefined && settings.provider === undefined) {
    throw await noAccessToken(entry);
  }
  return chooseStored(world, { settings, purpose: "newToken" }, stored, tell);
}

/** @throws MxtokenError `configuration` where a server of a protocol that is to be proven is not known */
function toProve(
  world: Host,
  settings: Settings,
  row: ProviderRow | undefined,
  remembered: Remembered,
): Mailbox {
  const mailbox = resolveMailbox(settings, row, remembered, world.cwd);
  for (const protocol of settings.verify) serverOf(mailbox, protocol);
  return mailbox;
}
