import { createHash, createPublicKey, X509Certificate } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { exportJWK, type JWK } from "jose";
import { generate } from "selfsigned";

/** A certificate that an application is known by, in files of its own. */
export interface IssuedClientCertificate {
  readonly certificate: string;
  readonly key: string;
  readonly certificateFile: string;
  readonly keyFile: string;
  /** both in one, as some tools write them */
  readonly bothFile: string;
  readonly publicKey: JWK;
  /** SHA-256 of its DER form, base64url */
  readonly thumbprint: string;
}

const day = 24 * 3600 * 1000;

export async function issueClientCertificate(
  directory: string,
  name: string,
  options: { keyType?: "rsa" | "ec"; from?: number; until?: number } = {},
): Promise<IssuedClientCertificate> {
  const {
    keyType = "rsa",
    from = Date.now() - 10 * day,
    until = Date.now() + 3650 * day,
  } = options;
  const issued = await generate([{ name: "commonName", value: name }], {
    ...(keyType === "rsa" ? { keyType } : { keyType, curve: "P-256" }),
    algorithm: "sha256",
    notBeforeDate: new Date(from),
    notAfterDate: new Date(until),
  });
  const file = (kind: string, text: string) => {
    const path = join(directory, `${name}-${kind}.pem`);
    writeFileSync(path, text, { mode: 0o600 });
    return path;
  };
  const { raw } = new X509Certificate(issued.cert);
  return {
    certificate: issued.cert,
    key: issued.private,
    certificateFile: file("certificate", issued.cert),
    keyFile: file("key", issued.private),
    bothFile: file("both", `${issued.cert}\n${issued.private}`),
    publicKey: await exportJWK(createPublicKey(issued.cert)),
    thumbprint: createHash("sha256").update(raw).digest("base64url"),
  };
}
