import { MxtokenError } from "../errors.ts";
import type { Endpoint } from "../mail-server.ts";
import { isIP } from "../world/builtins.ts";

const startTlsPorts: ReadonlySet<number> = new Set([143, 587, 25, 110]);

/**
 * Reads `HOST`, `HOST:PORT`, `[IPV6]:PORT` or `starttls://HOST:PORT`. Ports 143, 587, 25 and 110
 * begin with STARTTLS, every other one with TLS (RFC 8314); there is no way to ask for none.
 *
 * @param option the option's name, for the error
 * @param ports the port where none is given, for TLS at once and for STARTTLS
 * @throws MxtokenError `usage`
 */
export function parseEndpoint(
  text: string,
  option: string,
  ports: { implicit: number; starttls: number },
): Endpoint {
  const forced = /^starttls:\/\//i.test(text);
  const rest = text.replace(/^starttls:\/\//i, "").replace(/\/$/, "");
  const match = /^(?:\[([^\]]+)\]|([^:[\]/\s@?#]+))(?::(\d{1,5}))?$/.exec(rest);
  const host = match?.[1] ?? match?.[2];
  const port = match?.[3] === undefined ? undefined : Number(match[3]);
  const wrongPort = port !== undefined && (port < 1 || port > 65535);
  if (host === undefined || wrongPort || (match?.[1] !== undefined && isIP(match[1]) !== 6)) {
    throw new MxtokenError("usage", `--${option}: ${JSON.stringify(text)} is not HOST[:PORT]`, {
      hint: `for example --${option} mail.example.com:${ports.implicit}, or --${option} starttls://mail.example.com:${ports.starttls}`,
    });
  }
  if (forced || (port !== undefined && startTlsPorts.has(port))) {
    return { host, port: port ?? ports.starttls, tls: "starttls" };
  }
  return { host, port: port ?? ports.implicit, tls: "implicit" };
}

/** `host:port`, with brackets where the host is an IPv6 address. */
export function showEndpoint(endpoint: { host: string; port: number }): string {
  const host = isIP(endpoint.host) === 6 ? `[${endpoint.host}]` : endpoint.host;
  return `${host}:${endpoint.port}`;
}
