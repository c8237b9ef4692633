import { MxtokenError } from "../errors.ts";
import type { Endpoint } from "../mail-server.ts";
import { strangeCharacterIn } from "../mailbox.ts";
import { hostAndPort } from "../proxy.ts";
import { isIP } from "../world/builtins.ts";
import type { Net } from "../world/world.ts";

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
export function showEndpoint(endpoint: Pick<Endpoint, "host" | "port">): string {
  return hostAndPort(endpoint);
}

/** A recursive resolver of the domain name system. */
export interface Resolver {
  /** an IP address, perhaps with a zone */
  readonly host: string;
  readonly port: number;
  /** how it is written where a person may have left out the brackets */
  readonly perhapsMeant?: string;
}

/**
 * Reads `--dns-server`: `IP`, `IP:PORT` or `[IPV6]:PORT`.
 *
 * @throws MxtokenError `usage`
 */
export function parseDnsServer(text: string): Resolver {
  const resolver = parseResolver(text.trim());
  if (resolver !== undefined) return { ...resolver, ...withPortApart(resolver.host) };
  throw new MxtokenError("usage", `--dns-server: ${JSON.stringify(text)} is not IP[:PORT]`, {
    hint: "for example --dns-server 192.0.2.53; an IPv6 address with a port needs brackets: --dns-server '[2001:db8::53]:5353'",
  });
}

/** `::1:5316` is an address as it stands, and nobody may have it: the port was meant for `::1`. */
function withPortApart(host: string): Pick<Resolver, "perhapsMeant"> {
  const [, address = "", port = ""] = /^(.+):([1-9]\d{0,3})$/.exec(host) ?? [];
  return isIP(address) === 6 ? { perhapsMeant: `[${address}]:${port}` } : {};
}

/** The resolvers of the system's configuration, in its order. */
export async function systemResolvers(world: Net): Promise<Resolver[]> {
  const texts = await world.resolvers();
  return texts.flatMap((text) => parseResolver(text) ?? []);
}

function parseResolver(text: string): Resolver | undefined {
  if (isIP(text) !== 0) return { host: text, port: 53 };
  const groups = /^(?:\[(?<v6>[^\]]+)\]|(?<v4>[\d.]+))(?::(?<port>\d{1,5}))?$/.exec(text)?.groups;
  const host = groups?.["v6"] ?? groups?.["v4"];
  if (host === undefined || isIP(host) !== (groups?.["v6"] === undefined ? 4 : 6)) return undefined;
  const port = Number(groups?.["port"] ?? 53);
  return port < 1 || port > 65_535 ? undefined : { host, port };
}

/** An authorization server as somebody has named it. */
export interface NamedIssuer {
  /** its issuer identifier (RFC 8414 section 2) */
  readonly issuer: string;
  /**
   * the address of its metadata, where that is what was given: the identifier may then have a slash at its
   * end that does not show in it
   */
  readonly document: string | undefined;
}

/** Where metadata stand: RFC 8414 section 3, OpenID Connect Discovery section 4. */
const wellKnown = /\/\.well-known\/(?:openid-configuration|oauth-authorization-server)(?=\/|$)/;

/**
 * Reads `--issuer`: an issuer identifier, which has no query and no fragment (RFC 8414 section 2), or the
 * address of the metadata that it has.
 *
 * @throws MxtokenError `usage`
 */
export function parseIssuer(given: string): NamedIssuer {
  const text = given.trim();
  if (isBareHttps(text)) {
    if (!wellKnown.test(text)) return { issuer: text, document: undefined };
    const document = text.replace(/\/+$/, "");
    return { issuer: document.replace(wellKnown, ""), document };
  }
  const strange = strangeCharacterIn(text);
  // Where there is a user, there is perhaps a password.
  const shown = text.includes("@") ? "it" : JSON.stringify(text);
  const better = betterIssuer(text);
  throw new MxtokenError(
    "usage",
    `--issuer: ${shown} must begin with https:// and have no query, no fragment and no user${strange === undefined ? "" : `; ${strange}`}`,
    { hint: better === undefined ? undefined : `pass --issuer ${better}` },
  );
}

/** Whether a text is an address by https, and nothing beside host and path. */
export function isBareHttps(text: string): boolean {
  if (!/^https:\/\/[\x21-\x7e]+$/i.test(text) || /[?#\\]/.test(text) || !URL.canParse(text))
    return false;
  const { username, password } = new URL(text);
  return username === "" && password === "";
}

/** What was probably meant: without the marks around it, its query and `http`, which many leave to a browser. */
function betterIssuer(text: string): string | undefined {
  const bare = text.replace(/^[<"'`(]+|[>"'`),;]+$/g, "").replace(/[?#].*$/s, "");
  const rest = bare.replace(/^(?:https?:)?\/\//i, "");
  const better = `https://${rest}`;
  const isHost = /^(?:localhost|[\w-]+(?:\.[\w-]+)+)(?::\d+)?(?:\/|$)/.test(rest);
  return isHost && isBareHttps(better) ? better : undefined;
}
