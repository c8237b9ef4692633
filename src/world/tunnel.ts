import type { Socket } from "node:net";
import { hostAndPort, type ProxyServer } from "../proxy.ts";
import { blackOut, harmless, Secret } from "../secret.ts";
import { systemCode } from "../system-error.ts";
import {
  connectTo,
  type Listener,
  type LookUp,
  lookUpBySystem,
  startTls,
  type TlsTrust,
} from "./connecting.ts";
import { Incoming } from "./incoming.ts";
import { ProxyFailure } from "./network-error.ts";
import { openSocks4, openSocks5 } from "./socks.ts";

/** Octets of an answer to CONNECT, with its header fields. */
const longestAnswer = 16 * 1024;

/** How a tunnel is made. */
export interface TunnelOptions extends TlsTrust {
  /** ends it */
  readonly stop: AbortSignal;
  readonly lookUp?: LookUp;
}

/**
 * Connects to a server through a proxy, which looks its name up (not SOCKS 4). What the server has said
 * already is left on the connection.
 *
 * @throws ProxyFailure for `networkError()`
 */
export async function openTunnel(
  proxy: ProxyServer,
  target: Listener,
  options: TunnelOptions,
): Promise<Socket> {
  const { stop, lookUp = lookUpBySystem } = options;
  const plain = await connectTo(proxy, stop, lookUp).catch((error: unknown) => {
    throw new ProxyFailure(proxy, {}, error);
  });
  try {
    const socket = await withTls(plain, proxy, options);
    if (proxy.kind === "socks5") await openSocks5(socket, proxy, target, stop);
    else if (proxy.kind === "http" || proxy.kind === "https") {
      await openByConnect(socket, proxy, target, stop);
    } else await openSocks4(socket, proxy, target, { stop, lookUp });
    return socket;
  } catch (error) {
    plain.destroy();
    throw failureOf(proxy, error);
  }
}

async function withTls(
  socket: Socket,
  proxy: ProxyServer,
  { secureContext, stop }: TunnelOptions,
): Promise<Socket> {
  if (proxy.kind !== "https") return socket;
  return startTls(socket, { host: proxy.host, secureContext }, stop).catch((error: unknown) => {
    const told = failureOf(proxy, error);
    throw told instanceof ProxyFailure ? told : new ProxyFailure(proxy, {}, error);
  });
}

/** Why a proxy that was reached did not answer. */
function failureOf(proxy: ProxyServer, error: unknown): unknown {
  const code = systemCode(error);
  if (code === "CONNECT_TIMEOUT") return new ProxyFailure(proxy, { code: "EPROXYSILENT" }, error);
  const hasEnded = code === "ECONNRESET" || code === "EPIPE";
  return hasEnded ? new ProxyFailure(proxy, { code: "EPROXYCLOSED" }, error) : error;
}

/** Asks an HTTP proxy for a connection (RFC 9110 section 9.3.6), with the password by Basic (RFC 7617). */
async function openByConnect(
  socket: Socket,
  proxy: ProxyServer,
  target: Listener,
  stop: AbortSignal,
): Promise<void> {
  const authority = hostAndPort(target);
  const basic = basicOf(proxy);
  const login = basic === undefined ? "" : `Proxy-Authorization: Basic ${basic.reveal()}\r\n`;
  socket.write(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n${login}\r\n`);
  const incoming = new Incoming(socket, stop);
  const answer = await finalAnswer(incoming, proxy);
  if (answer.status >= 200 && answer.status < 300) {
    incoming.leave();
    return;
  }
  const words = blackOut(answer.reason, [basic, proxy.credentials?.password]);
  const schemes = answer.schemes.length === 0 ? undefined : answer.schemes;
  const { status } = answer;
  throw new ProxyFailure(proxy, { code: "EPROXY", status, said: harmless(words, 100), schemes });
}

interface Answer {
  readonly status: number;
  /** the reason phrase */
  readonly reason: string;
  /** the authentication schemes that are offered */
  readonly schemes: readonly string[];
}

/** The answer after the interim ones (RFC 9110 section 15.2). */
async function finalAnswer(incoming: Incoming, proxy: ProxyServer): Promise<Answer> {
  for (let octets = 0; ; ) {
    const head = await nextHead(incoming, proxy, longestAnswer - octets);
    octets += head.length;
    const match = /^HTTP\/\d(?:\.\d+)? (\d{3})(?: (.*))?$/m.exec(head);
    if (match?.index !== 0) throw new ProxyFailure(proxy, { code: "EPROXYPROTOCOL" });
    const status = Number(match[1]);
    if (status >= 200) return { status, reason: match[2] ?? "", schemes: schemesIn(head) };
  }
}

/** Status line and header fields, which are taken; not a line more of what is no HTTP. */
async function nextHead(incoming: Incoming, proxy: ProxyServer, longest: number): Promise<string> {
  const start = "HTTP/";
  for (let seen = 0; ; ) {
    const text = incoming.held.toString("latin1");
    const isHttp = text.startsWith(start.slice(0, text.length)) || text.startsWith(start);
    if (!isHttp || text.length > longest) {
      throw new ProxyFailure(proxy, { code: "EPROXYPROTOCOL" });
    }
    const end = /\r?\n\r?\n/g;
    end.lastIndex = Math.max(0, seen - 3);
    const found = end.exec(text);
    if (found !== null) {
      const octets = await incoming.take(found.index + found[0].length);
      return octets.toString("latin1").replaceAll("\r", "");
    }
    seen = text.length;
    await incoming.more();
  }
}

/** RFC 9110 section 11.6.1: each begins with a name, and what follows it is no `=`. */
function schemesIn(head: string): string[] {
  const fields = head.match(/^proxy-authenticate:.*$/gim) ?? [];
  const names = fields.flatMap((field) => {
    const challenges = field.slice(field.indexOf(":") + 1).replace(/"(?:[^"\\]|\\.)*"/g, "");
    return [...challenges.matchAll(/(?:^|,)\s*([a-z][\w-]{0,30})(?=\s+[^\s=]|\s*(?:,|$))/gi)];
  });
  return [...new Set(names.map(([, name = ""]) => name))].slice(0, 5);
}

function basicOf({ credentials }: ProxyServer): Secret | undefined {
  if (credentials === undefined) return undefined;
  const { user, password } = credentials;
  return new Secret(Buffer.from(`${user.reveal()}:${password.reveal()}`).toString("base64"));
}
