// Modules of Node's own that take a few milliseconds to load, for the two or three functions that a
// run may never call.

/** Whether a text is an IP address, as `node:net` has it: 4, 6 or 0. */
export function isIP(text: string): number {
  return process.getBuiltinModule("node:net").isIP(text);
}

/** SHA-256 in hexadecimal. */
export function sha256(text: string): string {
  return process.getBuiltinModule("node:crypto").createHash("sha256").update(text).digest("hex");
}

/** Whether OpenSSL can read a certificate in PEM form. */
export function isCertificate(pem: string): boolean {
  const { X509Certificate } = process.getBuiltinModule("node:crypto");
  try {
    return new X509Certificate(pem).subject !== undefined;
  } catch {
    return false;
  }
}

/** The number of a signal, which a shell adds to 128 for its status. */
export function signalNumber(name: NodeJS.Signals): number {
  return process.getBuiltinModule("node:os").constants.signals[name];
}
