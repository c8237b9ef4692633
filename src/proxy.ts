import { isIPv6 } from "node:net";
import { domainToASCII } from "node:url";
import { withCredentials } from "./causes/proxy-rows.ts";
import { MxtokenError } from "./errors.ts";
import { Secret } from "./secret.ts";

/** HTTP CONNECT (RFC 9110 section 9.3.6), in the clear or over TLS; SOCKS 4, 4a and 5 (RFC 1928). */
export type ProxyKind = "http" | "https" | "socks4" | "socks4a" | "socks5";

/** A server that opens connections for others. */
export interface ProxyServer {
  readonly kind: ProxyKind;
  /** a name, or an address without brackets */
  readonly host: string;
  readonly port: number;
  /** undefined where none are given; the password may be empty */
  readonly credentials: { readonly user: Secret; readonly password: Secret } | undefined;
  /** the option or the variable that names it */
  readonly setting: string;
}

/** Schemes of a proxy's address: `socks` is version 5, and so is curl's `socks5h`. */
const kinds: Readonly<Record<string, ProxyKind>> = {
  "http:": "http",
  "https:": "https",
  "socks:": "socks5",
  "socks4:": "socks4",
  "socks4a:": "socks4a",
  "socks5:": "socks5",
  "socks5h:": "socks5",
};

const ports = { http: 80, https: 443, socks4: 1080, socks4a: 1080, socks5: 1080 } as const;

/** RFC 1929 section 2, octets */
const longestOfSocks = 255;

/**
 * Reads a proxy's address, like `http://user:password@host:3128` or `socks5://host:1080`; `host:port` alone
 * is a common way to write it, and means `http`.
 *
 * @param setting the option or the variable that it comes from, for errors
 * @param code the error's
 * @throws MxtokenError, in which nothing of the text is shown: it may hold a password
 */
export function parseProxy(
  text: string,
  setting: string,
  code: "usage" | "configuration",
): ProxyServer {
  const url = urlOf(text);
  const kind = kinds[url?.protocol ?? ""];
  const host = url === undefined || kind === undefined ? "" : hostOf(url);
  // What follows the host holds an @ where a raw # / ? or \ has ended it in the middle of the password.
  const rest = `${url?.pathname}${url?.search}${url?.hash}`;
  if (url === undefined || kind === undefined || host === "" || rest.includes("@")) {
    const words = `${setting} must look like http://host:3128 or socks5://host:1080`;
    const hint = `write user and password as in ${withCredentials}`;
    throw new MxtokenError(code, words, text.includes("@") ? { hint } : {});
  }
  const [user, password] = [decoded(url.username), decoded(url.password)];
  const isTooLong = [user, password].some((each) => Buffer.byteLength(each) > longestOfSocks);
  if (kind.startsWith("socks") && isTooLong) {
    throw new MxtokenError(
      code,
      `${setting}: SOCKS takes no user or password over ${longestOfSocks} octets`,
    );
  }
  return {
    kind,
    host,
    port: url.port === "" ? ports[kind] : Number(url.port),
    credentials:
      user === "" && password === ""
        ? undefined
        : { user: new Secret(user), password: new Secret(password) },
    setting,
  };
}

/** Variables of an environment, by their names. */
type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The proxy that the environment names for HTTPS.
 *
 * @throws MxtokenError `configuration`
 */
export function proxyOf(env: Environment): ProxyServer | undefined {
  const text = (env["https_proxy"] ?? env["HTTPS_PROXY"])?.trim();
  const isUnused = noProxyOf(env).trim() === "*";
  if (text === undefined || text === "" || isUnused) return undefined;
  return parseProxy(text, "HTTPS_PROXY", "configuration");
}

/**
 * The proxy for a request: `NO_PROXY` leaves hosts out, by their names, with all that end in them, and
 * perhaps a port.
 *
 * @throws MxtokenError `configuration`
 */
export function proxyFor({ protocol, hostname, port }: URL, env: Environment) {
  const proxy = protocol === "https:" ? proxyOf(env) : undefined;
  const entries = noProxyOf(env)
    .split(/[,\s]+/)
    .filter(Boolean);
  const isLeftOut = entries.some((entry) => {
    const isAddress = isIPv6(entry);
    const [, name = isAddress ? `[${entry}]` : entry, only] =
      (isAddress ? undefined : /^(.+):(\d+)$/.exec(entry)) ?? [];
    const suffix = name.replace(/^\*?\./, "").toLowerCase();
    const isPort = only === undefined || Number(only) === Number(port || 443);
    return isPort && (hostname === suffix || hostname.endsWith(`.${suffix}`));
  });
  return isLeftOut ? undefined : proxy;
}

function noProxyOf(env: Environment): string {
  return env["no_proxy"] ?? env["NO_PROXY"] ?? "";
}

/** `host:port`, with brackets where the host is an IPv6 address. */
export function hostAndPort({ host, port }: { host: string; port: number }): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

function urlOf(text: string): URL | undefined {
  const trimmed = text.trim();
  const whole = /^[a-z][a-z0-9+.-]*:\/\//i.test(trimmed) ? trimmed : `http://${trimmed}`;
  return URL.canParse(whole) ? new URL(whole) : undefined;
}

/** Of a scheme that it does not know, URL leaves the host as it is written. */
function hostOf({ hostname, port }: URL): string {
  if (port === "0") return "";
  const address = /^\[(.+)\]$/.exec(hostname)?.[1];
  return address ?? domainToASCII(decoded(hostname));
}

/** A % that no two digits follow stands for itself, and so does what is no UTF-8. */
function decoded(text: string): string {
  return text.replace(/(?:%[\da-f]{2})+/gi, (octets) => {
    try {
      return decodeURIComponent(octets);
    } catch {
      return octets;
    }
  });
}
