import { createPrivateKey, X509Certificate } from "node:crypto";
import { MxtokenError } from "../errors.ts";
import { Secret } from "../secret.ts";
import {
  type CertificateFiles,
  certificateFiles,
  type KeyPair,
  readCertificateFiles,
  type StoredKeyPair,
  withCertificateLock,
  writeCertificateFiles,
} from "../store/certificate-files.ts";
import type { World } from "../world/world.ts";

/** What a person can compare with what the browser shows. */
export interface CertificateFacts {
  /** SHA-256 of the certificate, hexadecimal with colons */
  readonly fingerprint: string;
  /** milliseconds since 1970 */
  readonly validFrom: number;
  readonly validTo: number;
  /** hosts that it speaks for */
  readonly names: readonly string[];
  /** hexadecimal */
  readonly serialNumber: string;
}

/** The listener's key and certificate, and where they are kept. */
export interface ListenerCertificate {
  readonly pair: KeyPair;
  readonly facts: CertificateFacts;
  readonly files: CertificateFiles;
  /** whether it was made just now */
  readonly isNew: boolean;
  /** half a sentence: why a former one was replaced, whose trust is void now */
  readonly renewedBecause: string | undefined;
  /** why it could not be kept, where that is so: then it is for this run only */
  readonly notKept?: string;
}

/**
 * The certificate of this home: the stored one, or a new one where there is none or it cannot be
 * used (any more).
 *
 * @param renew makes a new one in any case
 * @throws MxtokenError `unwritable`, `unreachable`; Interrupted
 */
export async function listenerCertificate(
  world: World,
  directory: string,
  renew: boolean,
): Promise<ListenerCertificate> {
  const files = certificateFiles(directory);
  const read = async () => judge(await readCertificateFiles(world, directory), world.now());
  const found = renew ? undefined : await read();
  if (found?.is === "pair") return describe(found.pair, files);
  return withCertificateLock(world, directory, async () => {
    const former = await read();
    // Another process may have made one while the lock was waited for.
    if (former.is === "pair" && !renew) return describe(former.pair, files);
    const pair = await makeKeyPair(world.now());
    await writeCertificateFiles(world, directory, pair);
    return { ...describe(pair, files), isNew: true, renewedBecause: reasonFor(former) };
  });
}

function reasonFor(former: StoredKeyPair): string | undefined {
  if (former.is === "nothing") return undefined;
  return former.is === "unusable" ? former.why : "--renew asks for it";
}

/** As {@link listenerCertificate}; where nothing can be written, a certificate for this run only. */
export async function certificateForThisRun(
  world: World,
  directory: string,
): Promise<ListenerCertificate> {
  try {
    return await listenerCertificate(world, directory, false);
  } catch (error) {
    if (!(error instanceof MxtokenError)) throw error;
    const made = describe(await makeKeyPair(world.now()), certificateFiles(directory));
    return { ...made, isNew: true, notKept: error.message };
  }
}

/** What is stored, and still can be used at this time. */
function judge(stored: StoredKeyPair, now: number): StoredKeyPair {
  if (stored.is !== "pair") return stored;
  const why = whyUnusable(stored.pair, now);
  return why === undefined ? stored : { is: "unusable", why };
}

/** @param pair one that {@link whyUnusable} finds nothing wrong with */
function describe(pair: KeyPair, files: CertificateFiles): ListenerCertificate {
  const parsed = new X509Certificate(pair.certificate);
  const facts = {
    fingerprint: parsed.fingerprint256,
    validFrom: Date.parse(parsed.validFrom),
    validTo: Date.parse(parsed.validTo),
    serialNumber: parsed.serialNumber,
    names: (parsed.subjectAltName ?? "")
      .split(", ")
      .map((name) => name.replace(/^(DNS|IP Address):/, ""))
      .map((name) => (name === "0:0:0:0:0:0:0:1" ? "::1" : name)),
  };
  return { pair, facts, files, isNew: false, renewedBecause: undefined };
}

const day = 24 * 3600 * 1000;
// Browsers and operating systems distrust server certificates that are valid for over 398 days.
const validity = 390 * day;
const renewBefore = 30 * day;
// The clock of a browser on the other end of a tunnel may be behind.
const backdated = day;

/**
 * Makes a key (EC P-256) and a self-signed certificate (SHA-256) for this machine's own names. It
 * is an end-entity certificate that can sign nothing: whoever trusts it trusts this one listener.
 */
async function makeKeyPair(now: number): Promise<KeyPair> {
  const { generate } = (await import("selfsigned")).default;
  const subject = [
    { name: "commonName", value: "localhost" },
    { name: "organizationName", value: "mxtoken on this machine" },
  ];
  const made = await generate(subject, {
    keyType: "ec",
    curve: "P-256",
    algorithm: "sha256",
    notBeforeDate: new Date(now - backdated),
    notAfterDate: new Date(now + validity),
    extensions: [
      { name: "basicConstraints", cA: false, critical: true },
      { name: "keyUsage", digitalSignature: true, critical: true },
      { name: "extKeyUsage", serverAuth: true },
      {
        name: "subjectAltName",
        altNames: [
          { type: 2, value: "localhost" },
          { type: 7, ip: "127.0.0.1" },
          { type: 7, ip: "::1" },
        ],
      },
    ],
  });
  return { key: new Secret(made.private), certificate: made.cert };
}

/** Half a sentence; undefined when it can be used. */
function whyUnusable(pair: KeyPair, now: number): string | undefined {
  const parsed = parse(pair);
  if (parsed === undefined) return "the old one cannot be read";
  const { certificate, key } = parsed;
  if (!certificate.checkPrivateKey(key)) return "the old one does not belong to its key";
  // One that can sign others would make its key a danger to everything that the browser trusts.
  if (certificate.ca) return "the old one can sign other certificates";
  if (!["localhost", "127.0.0.1", "::1"].every((name) => speaksFor(certificate, name))) {
    return "the old one does not name localhost, 127.0.0.1 and ::1";
  }
  const ends = Date.parse(certificate.validTo);
  if (ends <= now) return "the old one has expired";
  if (ends - now < renewBefore) return "the old one ends soon";
  return Date.parse(certificate.validFrom) > now ? "the old one is not valid yet" : undefined;
}

function parse(pair: KeyPair) {
  try {
    return {
      certificate: new X509Certificate(pair.certificate),
      key: createPrivateKey(pair.key.reveal()),
    };
  } catch {
    return undefined;
  }
}

function speaksFor(certificate: X509Certificate, name: string): boolean {
  const found = name === "localhost" ? certificate.checkHost(name) : certificate.checkIP(name);
  return found !== undefined;
}
