import { createHash, createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { resolve } from "node:path";
import { MxtokenError } from "../errors.ts";
import type { ClientCertificate, ServiceAccount } from "../oauth/client.ts";
import { Secret } from "../secret.ts";
import type { Settings } from "../settings/settings.ts";
import { mayBeReadLater, systemReason } from "../system-error.ts";
import { readText } from "../world/read-bounded.ts";
import type { Clock, Host, Stop } from "../world/world.ts";

/**
 * Reads `--client-certificate` and `--client-key`; a file with both may be given as the first.
 *
 * @returns undefined when none was named
 * @throws MxtokenError `configuration`, or `unreadable` for files that are not what they should be
 */
export async function readClientCertificate(
  world: Clock & Host & Stop,
  { clientCertificate, clientKey }: Settings,
): Promise<ClientCertificate | undefined> {
  if (clientCertificate === undefined) return undefined;
  const file = await readGivenFile(world, "client-certificate", clientCertificate);
  const certificate = parseCertificate(file.path, file.text);
  const keyFile =
    clientKey === undefined ? file : await readGivenFile(world, "client-key", clientKey);
  const key = parseKey(keyFile.path, keyFile.text);
  if (!certificate.checkPrivateKey(key)) {
    throw new MxtokenError(
      "configuration",
      `the key in ${keyFile.path} is not the one of the certificate in ${file.path}`,
    );
  }
  if (Date.parse(certificate.validTo) <= world.now()) {
    throw new MxtokenError(
      "configuration",
      `the certificate in ${file.path} has expired (${certificate.validTo})`,
      { hint: "make a new one and upload it to the application's registration" },
    );
  }
  return {
    thumbprint: createHash("sha256").update(certificate.raw).digest("base64url"),
    key: new Secret(key.export({ type: "pkcs8", format: "pem" }).toString()),
    readableByEverybody: keyFile.isReadableByEverybody ? keyFile.path : undefined,
  };
}

function parseCertificate(path: string, text: string): X509Certificate {
  try {
    return new X509Certificate(text);
  } catch (error) {
    throw new MxtokenError("unreadable", `${path} holds no certificate in PEM form`, {
      cause: error,
    });
  }
}

function parseKey(path: string, text: string): KeyObject {
  let key: KeyObject;
  // Before it, in the same file, the certificate may stand.
  const [pem = text] = /-----BEGIN [A-Z ]*PRIVATE KEY-----.*/s.exec(text) ?? [];
  try {
    key = createPrivateKey(pem);
  } catch (error) {
    const isEncrypted = /ENCRYPTED/.test(text);
    throw new MxtokenError(
      "unreadable",
      isEncrypted
        ? `the private key in ${path} has a passphrase, for which nobody can be asked here`
        : `${path} holds no private key in PEM form`,
      {
        cause: error,
        hint: isEncrypted ? "write it without one: openssl pkey -in KEY -out PLAIN-KEY" : undefined,
      },
    );
  }
  if (key.asymmetricKeyType === "rsa") return key;
  throw new MxtokenError("unreadable", `the private key in ${path} is no RSA key`, {
    hint: "the client's assertion is signed with PS256, which needs one",
  });
}

const option = "service-account-key";

/**
 * Reads the key file of a service account, the JSON that Google's console hands out.
 *
 * @throws MxtokenError `configuration` where it cannot be read, `unreadable` where it is no such key
 */
export async function readServiceAccount(
  world: Host & Stop,
  name: string | undefined,
): Promise<ServiceAccount> {
  if (name === undefined) {
    throw new MxtokenError("configuration", `--flow service-account needs --${option} FILE`);
  }
  const { path, text, isReadableByEverybody } = await readGivenFile(world, option, name);
  const members = parse(path, text);
  if (members["type"] !== "service_account") {
    throw notAKey(path, 'its "type" is not "service_account"');
  }
  const member = (key: string) => {
    const value = members[key];
    if (typeof value === "string" && /^[\x20-\x7e\n\r]+$/.test(value)) return value;
    throw notAKey(path, `it has no ${JSON.stringify(key)}`);
  };
  const privateKey = member("private_key");
  if (!isRsaKey(privateKey)) throw notAKey(path, 'its "private_key" is no RSA key in PEM form');
  return {
    email: member("client_email"),
    clientId: member("client_id"),
    keyId: members["private_key_id"] === undefined ? undefined : member("private_key_id"),
    privateKey: new Secret(privateKey),
    readableByEverybody: isReadableByEverybody ? path : undefined,
  };
}

function parse(path: string, text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null) return { ...value };
  } catch {
    // Told below: the parser's own words quote the file.
  }
  throw notAKey(path, "it is not a JSON object");
}

function isRsaKey(pem: string): boolean {
  try {
    return createPrivateKey(pem).asymmetricKeyType === "rsa";
  } catch {
    return false;
  }
}

function notAKey(path: string, why: string): MxtokenError {
  return new MxtokenError("unreadable", `${path} is no key of a service account: ${why}`, {
    hint: "it is the JSON file that Google's console hands out when a key is made",
  });
}

/** No key and no certificate is that long. */
const sizeLimit = 256 * 1024;

/** A file that an option names. */
interface GivenFile {
  /** absolute */
  readonly path: string;
  readonly text: string;
  /** whether everybody on this machine can read it */
  readonly isReadableByEverybody: boolean;
}

/**
 * Reads a file that an option names.
 *
 * @param option the option's name, for the error
 * @throws MxtokenError `configuration` where it cannot be read, `unreadable` where it is no text
 */
async function readGivenFile(world: Host & Stop, option: string, name: string): Promise<GivenFile> {
  const path = resolve(world.cwd, name);
  try {
    const how = { limit: sizeLimit, mayBePipe: false, stop: world.interrupted };
    const found = await readText(path, how);
    if (found.is !== "read") {
      const code = found.is === "noText" ? "unreadable" : "configuration";
      throw new MxtokenError(code, `--${option}: ${path} ${found.why}`, { hint: found.hint });
    }
    return {
      path,
      text: found.text,
      // Windows protects by access lists, and its file modes tell nothing of them.
      isReadableByEverybody: world.user !== undefined && (found.mode & 0o004) !== 0,
    };
  } catch (error) {
    world.interrupted.throwIfAborted();
    if (error instanceof MxtokenError) throw error;
    throw new MxtokenError(
      mayBeReadLater(error) ? "unreachable" : "configuration",
      `--${option}: cannot read ${path}: ${systemReason(error)}`,
      { cause: error },
    );
  }
}
