import { readFile } from "node:fs/promises";

/** The system's resolvers, in their order: `IP`, `IP:PORT` or `[IPV6]:PORT`. */
export async function systemResolvers(): Promise<readonly string[]> {
  // Node's own resolver is only loaded where somebody is looked for.
  const { getServers } = await import("node:dns");
  const configuration = await readFile("/etc/resolv.conf", "utf8").catch(() => "");
  return withZones(getServers(), configuration);
}

/**
 * Node leaves out the zone of a link-local resolver, without which it cannot be reached.
 *
 * @param configuration resolv.conf, where there is one
 */
export function withZones(servers: readonly string[], configuration: string): string[] {
  const zones = new Map(
    [...configuration.matchAll(/^\s*nameserver\s+([^\s%]+)(%\S+)/gm)].map(
      ([, address = "", zone = ""]) => [address.toLowerCase(), `${address}${zone}`],
    ),
  );
  return servers.map((server) => zones.get(server) ?? server);
}
