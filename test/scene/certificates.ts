import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { generate } from "selfsigned";

/** A certificate authority of this test process and a server certificate that it issued. */
export interface Certificates {
  readonly ca: string;
  readonly caFile: string;
  readonly key: string;
  readonly cert: string;
}

const names = [
  { type: 2, value: "localhost" },
  { type: 7, ip: "127.0.0.1" },
  { type: 7, ip: "::1" },
] as const;

const year = 365 * 24 * 3600 * 1000;

/** Issues a server certificate for localhost; `name` puts another host into it instead. */
export async function issueCertificates(
  directory: string,
  options: { name?: string; expired?: boolean } = {},
): Promise<Certificates> {
  const common = { keyType: "ec", curve: "P-256", algorithm: "sha256" } as const;
  // A name of its own: of two authorities of the same name, the wrong one may be taken.
  const value = `mxtoken test authority ${randomUUID()}`;
  const authority = await generate([{ name: "commonName", value }], {
    ...common,
    extensions: [
      { name: "basicConstraints", cA: true, critical: true },
      { name: "keyUsage", keyCertSign: true, cRLSign: true, critical: true },
    ],
  });
  const start = Date.now() - (options.expired ? 2 * year : year / 365);
  const server = await generate([{ name: "commonName", value: options.name ?? "localhost" }], {
    ...common,
    ca: { key: authority.private, cert: authority.cert },
    notBeforeDate: new Date(start),
    notAfterDate: new Date(start + year),
    extensions: [
      { name: "basicConstraints", cA: false, critical: true },
      {
        name: "subjectAltName",
        altNames: options.name === undefined ? [...names] : [{ type: 2, value: options.name }],
      },
    ],
  });
  const caFile = join(
    directory,
    `ca-${options.name ?? (options.expired ? "expired" : "localhost")}.pem`,
  );
  writeFileSync(caFile, authority.cert);
  return { ca: authority.cert, caFile, key: server.private, cert: server.cert };
}

/** A directory that is gone when the test process ends. */
export function temporaryDirectory(): string {
  const path = mkdtempSync(join(tmpdir(), "mxtoken-test-"));
  if (temporaryDirectories.length === 0) process.once("exit", removeTemporaryDirectories);
  temporaryDirectories.push(path);
  return path;
}

const temporaryDirectories: string[] = [];

function removeTemporaryDirectories(): void {
  for (const path of temporaryDirectories) rmSync(path, { recursive: true, force: true });
}
