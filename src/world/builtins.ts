import { readFileSync } from "node:fs";
import type { SecureContext } from "node:tls";
import type { Environment } from "./world.ts";

// Modules of Node's own that take a few milliseconds to load, for the two or three functions that a
// run may never call.

/** Whether a text is an IP address, as `node:net` has it: 4, 6 or 0. */
export function isIP(text: string): number {
  return process.getBuiltinModule("node:net").isIP(text);
}

/** SHA-256 in hexadecimal. */
export function sha256(text: string): string {
  return process.getBuiltinModule("node:crypto").hash("sha256", text);
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

/** The system's resolvers, in their order: `IP`, `IP:PORT` or `[IPV6]:PORT`. */
export async function systemResolvers(): Promise<readonly string[]> {
  const { getServers } = process.getBuiltinModule("node:dns");
  const { readFile } = process.getBuiltinModule("node:fs/promises");
  const configuration = await readFile("/etc/resolv.conf", "utf8").catch(() => "");
  return withZones(getServers(), configuration);
}

/**
 * Node leaves out the zone of a link-local resolver (RFC 4007), without which it cannot be reached, and
 * names two of one address on two interfaces once. It knows better than resolv.conf which lines count.
 *
 * @param servers as Node names them
 * @param configuration resolv.conf, where there is one
 */
export function withZones(servers: readonly string[], configuration: string): string[] {
  const named = servers.map(readServer);
  const listed = nameserversIn(configuration)
    .map(readServer)
    .filter(({ place }) => named.some((each) => each.place === place));
  const zonedOf = (server: Nameserver) => listed.filter(({ place }) => place === server.place);
  // Not every system takes its resolvers from there.
  const isSource = named.every((server) => zonedOf(server).length > 0);
  const inOrder = named.flatMap((server) => {
    const zoned = zonedOf(server);
    return zoned.length > 0 ? zoned : [server];
  });
  return [...new Set((isSource ? listed : inOrder).map(({ text }) => text))];
}

/** A resolver with an address in canonical form (RFC 5952). */
interface Nameserver {
  /** address and port */
  readonly place: string;
  /** the same with the zone */
  readonly text: string;
}

/** resolv.conf(5); c-ares takes several addresses in a line as well. */
function nameserversIn(configuration: string): string[] {
  const lines = configuration.matchAll(/^[ \t]*nameserver[ \t]+([^#;\n]*)/gm);
  return [...lines].flatMap(([, rest = ""]) => rest.split(/[\s,]+/).filter(Boolean));
}

/** `IP`, `IP%ZONE`, `[IPV6%ZONE]:PORT`, or c-ares' `[IPV6]:PORT%ZONE`. */
function readServer(server: string): Nameserver {
  const pattern = /^(?:\[(?<inside>[^\]]+)\](?::(?<port>\d+))?(?<behind>%.+)?|(?<bare>.+))$/;
  const { inside, port, behind = "", bare = "" } = pattern.exec(server)?.groups ?? {};
  const [written = "", zone] = `${inside ?? bare}${behind}`.split("%");
  const address = canonical(written);
  const zoned = zone === undefined ? address : `${address}%${zone}`;
  return port === undefined || port === "53"
    ? { place: address, text: zoned }
    : { place: `[${address}]:${port}`, text: `[${zoned}]:${port}` };
}

function canonical(address: string): string {
  const url = `http://[${address}]/`;
  return URL.canParse(url) ? new URL(url).hostname.slice(1, -1) : address;
}

/** The contexts that were made, by what they trust beside Node's own list. */
const contexts = new Map<string, SecureContext>();

/**
 * What a TLS connection trusts: the certificate authorities that Node trusts by itself and one more.
 * A `ca` option would replace Node's list instead of adding to it, and have all of it parsed again
 * for every connection, which takes longer than the connection on loopback.
 *
 * @param extra PEM; undefined leaves Node's own list in force
 * @param extraFile the file that NODE_EXTRA_CA_CERTS names
 */
export function trustAlso(
  extra: string | undefined,
  extraFile: string | undefined,
): SecureContext | undefined {
  if (extra === undefined) return undefined;
  const former = contexts.get(extra);
  if (former !== undefined) return former;
  const tls = process.getBuiltinModule("node:tls");
  const context = tls.createSecureContext();
  const own: { addCACert(pem: string): void } = context.context;
  own.addCACert(extra);
  // Only Node 22.15 and newer, which can tell its list, puts this file's into every copy of it.
  if (extraFile !== undefined && !("getCACertificates" in tls)) {
    try {
      own.addCACert(readFileSync(extraFile, "utf8"));
    } catch {
      // Node itself only warns about this file; the warning has been printed already.
    }
  }
  contexts.set(extra, context);
  return context;
}

/** Options that are secrets, also as a person on Windows may write them. */
const secretName = /^MXTOKEN_.*(?:SECRET|PASSPHRASE)/i;

/** The variables that hold a secret of this program, or say where it is kept. */
export function secretsIn(env: Environment): Record<string, string> {
  const named = Object.entries(env).filter(([name]) => secretName.test(name));
  return Object.fromEntries(
    named.flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
}

/** What a child process inherits: all but the secrets. */
export function withoutSecrets(env: Environment): Environment {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !secretName.test(name)));
}

/**
 * An environment whose secrets this process alone can see.
 *
 * @param inherited `process.env`, of which Windows finds a name however it is written
 */
export function keepSecrets(inherited: NodeJS.ProcessEnv) {
  const secrets = secretsIn(inherited);
  const env: Environment = Object.assign(Object.create(inherited) as Environment, secrets);
  return {
    /** with the secrets, whether they are hidden or not */
    env,
    /**
     * Takes the secrets out of what child processes inherit, also where a package starts them, as the
     * one that opens the browser. To be called before the first one, by whoever owns the process.
     */
    hideSecrets() {
      for (const name of Object.keys(secrets)) delete inherited[name];
    },
  };
}

/** Node's SQLite; undefined where this version has none. Up to version 24 it says that it is new, unasked. */
export function sqlite(): typeof import("node:sqlite") | undefined {
  const { emitWarning } = process;
  process.emitWarning = () => undefined;
  try {
    return process.getBuiltinModule("node:sqlite") as ReturnType<typeof sqlite>;
  } finally {
    process.emitWarning = emitWarning;
  }
}
