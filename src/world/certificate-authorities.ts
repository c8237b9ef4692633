import { readFileSync } from "node:fs";
import tls from "node:tls";

/**
 * The certificate authorities that Node trusts by itself and one more, for the `ca` option of a
 * TLS connection, which replaces Node's list instead of adding to it.
 *
 * @param extra PEM; undefined leaves Node's own list in force
 * @param extraFile the file that NODE_EXTRA_CA_CERTS names, which `ca` would drop
 */
export function certificateAuthorities(
  extra: string | undefined,
  extraFile: string | undefined,
): string[] | undefined {
  if (extra === undefined) return undefined;
  // Node 22.15 and newer know their own list, with NODE_EXTRA_CA_CERTS and --use-system-ca in it.
  if ("getCACertificates" in tls && typeof tls.getCACertificates === "function") {
    const known: string[] = tls.getCACertificates("default");
    return [...known, extra];
  }
  const known = [...tls.rootCertificates];
  if (extraFile !== undefined) {
    try {
      known.push(readFileSync(extraFile, "utf8"));
    } catch {
      // Node itself only warns about this file; the warning has been printed already.
    }
  }
  return [...known, extra];
}
