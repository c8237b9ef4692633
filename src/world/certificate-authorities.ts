import { readFileSync } from "node:fs";
import type { SecureContext } from "node:tls";

/** The contexts that were made, by what they trust beside Node's own list. */
const contexts = new Map<string, SecureContext>();

/**
 * What a TLS connection trusts: the certificate authorities that Node trusts by itself and one more.
 * A `ca` option would replace Node's list instead of adding to it, and have all of it parsed again
 * for every connection, which takes longer than the connection on loopback.
 *
 * @param extra PEM; undefined leaves Node's own list in force
 * @param extraFile the file that NODE_EXTRA_CA_CERTS names, which a list of our own would drop
 */
export function trustAlso(
  extra: string | undefined,
  extraFile: string | undefined,
): SecureContext | undefined {
  if (extra === undefined) return undefined;
  const key = JSON.stringify([extra, extraFile]);
  const former = contexts.get(key);
  if (former !== undefined) return former;
  const tls = process.getBuiltinModule("node:tls");
  const context = tls.createSecureContext({ ca: [...knownAuthorities(extraFile), extra] });
  contexts.set(key, context);
  return context;
}

function knownAuthorities(extraFile: string | undefined): string[] {
  const tls = process.getBuiltinModule("node:tls");
  // Node 22.15 and newer know their own list, with NODE_EXTRA_CA_CERTS and --use-system-ca in it.
  if ("getCACertificates" in tls && typeof tls.getCACertificates === "function") {
    return tls.getCACertificates("default");
  }
  const known = [...tls.rootCertificates];
  if (extraFile !== undefined) {
    try {
      known.push(readFileSync(extraFile, "utf8"));
    } catch {
      // Node itself only warns about this file; the warning has been printed already.
    }
  }
  return known;
}
