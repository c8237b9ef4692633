import { isIP, type Socket } from "node:net";
import type { ProxyServer } from "../proxy.ts";
import type { Listener, LookUp } from "./connecting.ts";
import { Incoming } from "./incoming.ts";
import { connectionError, ProxyFailure } from "./network-error.ts";

// The package `socks` says what a proxy has answered in a sentence alone, loses what the server says
// right behind the proxy's answer, and waits by a timer of its own.

const noLogin = 0;
const byPassword = 2;
const connectCommand = 1;

/** How an address is written (RFC 1928 section 5), and how many octets it has. */
const [addressV4, domainName, addressV6] = [1, 3, 4] as const;
const longestName = 255;

/**
 * Asks a SOCKS 5 proxy for a connection (RFC 1928), and logs in to it where it wants that (RFC 1929).
 * It looks the name up.
 *
 * @throws ProxyFailure; Error of Node's kind when the connection fails
 */
export async function openSocks5(
  socket: Socket,
  proxy: ProxyServer,
  target: Listener,
  stop: AbortSignal,
): Promise<void> {
  const incoming = new Incoming(socket, stop);
  const { credentials } = proxy;
  const methods = credentials === undefined ? [noLogin] : [noLogin, byPassword];
  socket.write(Buffer.from([5, methods.length, ...methods]));
  const [version, method = 0] = await incoming.take(2);
  if (version !== 5) throw new ProxyFailure(proxy, { code: "EPROXYPROTOCOL" });
  if (!methods.includes(method)) {
    throw new ProxyFailure(proxy, { code: "ESOCKS", socksReply: 255 });
  }
  if (method === byPassword) await logIn(socket, proxy, incoming);
  socket.write(Buffer.from([5, connectCommand, 0, ...addressOf(target.host), ...portOf(target)]));
  const [replied, socksReply] = await incoming.take(2);
  if (replied !== 5) throw new ProxyFailure(proxy, { code: "EPROXYPROTOCOL" });
  if (socksReply !== 0) throw new ProxyFailure(proxy, { code: "ESOCKS", socksReply });
  const [, type] = await incoming.take(2);
  const octets = type === addressV4 ? 4 : type === addressV6 ? 16 : (await incoming.take(1))[0];
  await incoming.take((octets ?? 0) + 2);
  incoming.leave();
}

async function logIn(socket: Socket, proxy: ProxyServer, incoming: Incoming): Promise<void> {
  const words = [proxy.credentials?.user, proxy.credentials?.password].map((secret) =>
    Buffer.from(secret?.reveal() ?? ""),
  );
  socket.write(Buffer.from([1, ...words.flatMap((word) => [word.length, ...word])]));
  const [, status] = await incoming.take(2);
  if (status !== 0) throw new ProxyFailure(proxy, { code: "ESOCKSLOGIN" });
}

/**
 * Asks a SOCKS 4 proxy for a connection. It takes an address of IPv4 alone; the proxy of SOCKS 4a looks a
 * name up.
 *
 * @throws as {@link openSocks5}
 */
export async function openSocks4(
  socket: Socket,
  proxy: ProxyServer,
  { host, port }: Listener,
  { stop, lookUp }: { readonly stop: AbortSignal; readonly lookUp: LookUp },
): Promise<void> {
  const isNameSent = proxy.kind === "socks4a" && isIP(host) === 0;
  const address = isNameSent ? "0.0.0.1" : await addressV4Of(host, lookUp);
  if (address === undefined) throw new ProxyFailure(proxy, { code: "ESOCKSV6" });
  const user = Buffer.from(proxy.credentials?.user.reveal() ?? "");
  const name = isNameSent ? [...Buffer.from(host), 0] : [];
  const request = [4, connectCommand, ...portOf({ port }), ...octetsOfV4(address), ...user, 0];
  socket.write(Buffer.from([...request, ...name]));
  const incoming = new Incoming(socket, stop);
  const [version, socksReply] = await incoming.take(2);
  if (version !== 0) throw new ProxyFailure(proxy, { code: "EPROXYPROTOCOL" });
  if (socksReply !== 90) throw new ProxyFailure(proxy, { code: "ESOCKS", socksReply });
  await incoming.take(6);
  incoming.leave();
}

async function addressV4Of(host: string, lookUp: LookUp): Promise<string | undefined> {
  if (isIP(host) !== 0) return isIP(host) === 4 ? host : undefined;
  const addresses = await lookUp(host);
  return addresses.find(({ family }) => family === 4)?.address;
}

function addressOf(host: string): number[] {
  if (isIP(host) === 4) return [addressV4, ...octetsOfV4(host)];
  if (isIP(host) === 6) return [addressV6, ...octetsOfV6(host)];
  const name = Buffer.from(host);
  if (name.length > longestName) throw connectionError("ENOTFOUND");
  return [domainName, name.length, ...name];
}

function octetsOfV4(address: string): number[] {
  return address.split(".").map(Number);
}

function octetsOfV6(address: string): number[] {
  // URL writes every group in hexadecimal, also those of an embedded IPv4 address; the zone is ours alone.
  const { hostname } = new URL(`http://[${address.replace(/%.*/, "")}]`);
  const [head = [], tail = []] = hostname
    .slice(1, -1)
    .split("::")
    .map((half) => half.split(":").filter(Boolean));
  const zeros = Array.from({ length: 8 - head.length - tail.length }, () => "0");
  return [...head, ...zeros, ...tail].flatMap((group) => {
    const number = Number.parseInt(group, 16);
    return [number >> 8, number & 0xff];
  });
}

function portOf({ port }: Pick<Listener, "port">): number[] {
  return [port >> 8, port & 0xff];
}
