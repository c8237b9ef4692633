import { createPrivateKey, X509Certificate } from "node:crypto";
import { Secret } from "../secret.ts";
import type { KeyPair } from "../store/certificate-files.ts";

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

const day = 24 * 3600 * 1000;
// Browsers and operating systems distrust server certificates that are valid for over 398 days.
const validity = 390 * day;
const renewBefore = 30 * day;
// The clock of a browser on the other end of a tunnel may be behind.
const backdated = day;

/**
 * Makes a key (EC P-256) and a self-signed certificate (SHA-256) for this machine's own names. It
 * is an end-entity certificate that can sign nothing: whoever trusts it trusts this one listener.
 *
 * @param now milliseconds since 1970
 */
export async function makeKeyPair(now: number): Promise<KeyPair> {
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

/** @param certificate PEM, and one that {@link whyUnusable} finds nothing wrong with */
export function certificateFacts(certificate: string): CertificateFacts {
  const parsed = new X509Certificate(certificate);
  return {
    fingerprint: parsed.fingerprint256,
    validFrom: Date.parse(parsed.validFrom),
    validTo: Date.parse(parsed.validTo),
    serialNumber: parsed.serialNumber,
    names: (parsed.subjectAltName ?? "")
      .split(", ")
      .map((name) => name.replace(/^(DNS|IP Address):/, ""))
      .map((name) => (name === "0:0:0:0:0:0:0:1" ? "::1" : name)),
  };
}

/**
 * Why a stored pair cannot be used (any more), as half a sentence; undefined when it can.
 *
 * @param now milliseconds since 1970
 */
export function whyUnusable(pair: KeyPair, now: number): string | undefined {
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
