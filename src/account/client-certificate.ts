import { createHash, createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { MxtokenError } from "../errors.ts";
import type { ClientCertificate } from "../oauth/client.ts";
import { Secret } from "../secret.ts";
import { readGivenFile } from "../settings/read-file.ts";
import type { Settings } from "../settings/settings.ts";
import type { World } from "../world/world.ts";

/**
 * Reads `--client-certificate` and `--client-key`; a file with both may be given as the first.
 *
 * @returns undefined when none was named
 * @throws MxtokenError `configuration`, or `unreadable` for files that are not what they should be
 */
export async function readClientCertificate(
  world: World,
  { clientCertificate, clientKey }: Settings,
): Promise<ClientCertificate | undefined> {
  if (clientCertificate === undefined) {
    if (clientKey === undefined) return undefined;
    throw new MxtokenError("configuration", "--client-key needs --client-certificate");
  }
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
