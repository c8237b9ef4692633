import { connect, isIP, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { MxtokenError } from "../errors.ts";
import type { Endpoint } from "../mail-server.ts";
import type { Mailbox } from "../mailbox.ts";
import { showEndpoint } from "../settings/servers.ts";
import { systemCode } from "../system-error.ts";
import type { Clock, Net } from "../world/world.ts";

/** Milliseconds until the server has said its first word. */
export const connectTimeout = 20_000;

/**
 * Connects to a mail server, through the proxy where there is one, and begins TLS where the
 * endpoint begins with it.
 *
 * @param stop ends the connection, now and later
 * @throws Error of Node's or the proxy client's kind, for `networkError()`
 */
export async function openConnection(
  world: Clock & Net,
  mailbox: Mailbox,
  endpoint: Endpoint,
  stop: AbortSignal,
): Promise<Socket> {
  stop.throwIfAborted();
  const done = new AbortController();
  const late = world.deadline(connectTimeout, AbortSignal.any([done.signal, stop]));
  const end = AbortSignal.any([stop, late]);
  try {
    const socket =
      mailbox.proxy === undefined
        ? connect({ host: endpoint.host, port: endpoint.port })
        : await connectByProxy(mailbox.proxy, endpoint, end);
    destroyWhenAborted(socket, stop);
    if (socket.connecting) await event(socket, "connect", end);
    return endpoint.tls === "implicit"
      ? await startTls(socket, { ...tlsOptions(world, mailbox), host: endpoint.host }, end)
      : socket;
  } finally {
    done.abort();
  }
}

/** Begins TLS on a connection; the certificate is verified, and must be the host's. */
export async function startTls(
  socket: Socket,
  options: ReturnType<typeof tlsOptions> & { host: string },
  end: AbortSignal,
): Promise<Socket> {
  const { host } = options;
  // RFC 6066 section 3 allows no address there.
  const secure = connectTls({ ...options, socket, ...(isIP(host) ? {} : { servername: host }) });
  await event(secure, "secureConnect", end);
  return secure;
}

/** Said aloud, because NODE_TLS_REJECT_UNAUTHORIZED=0 would switch verification off. */
export function tlsOptions(world: Net, mailbox: Mailbox) {
  const secureContext = world.trust(mailbox.ca);
  return { rejectUnauthorized: true, ...(secureContext === undefined ? {} : { secureContext }) };
}

/** The server, and the proxy on the way to it, whose password is not shown. */
export function placeOf(endpoint: Endpoint, proxy: string | undefined): string {
  const server = showEndpoint(endpoint);
  return proxy === undefined ? server : `${server} (through the proxy ${new URL(proxy).host})`;
}

/** A failure in Node's form, for `networkError()`. */
export function connectionError(code: string, cause?: unknown): Error {
  return Object.assign(new Error(code, { cause }), { code });
}

/** The SOCKS client says what the proxy answered without a code. */
function proxyFailure(error: unknown): unknown {
  const isDefect =
    error instanceof TypeError || error instanceof RangeError || error instanceof ReferenceError;
  const isKnown = isDefect || systemCode(error) !== undefined;
  return isKnown ? error : connectionError("ProxyError", error);
}

async function connectByProxy(
  proxy: string,
  { host, port }: Endpoint,
  end: AbortSignal,
): Promise<Socket> {
  const { proxyConnection } = await import("imapflow/lib/proxy-connection.js");
  const silent = () => undefined;
  const logger = {
    ...{ trace: silent, debug: silent, info: silent },
    ...{ warn: silent, error: silent, fatal: silent },
  };
  const options = { connectionTimeout: connectTimeout };
  const opening = proxyConnection(logger, proxy, host, port, options).catch((error: unknown) => {
    throw proxyFailure(error);
  });
  let isAwaited = true;
  const abandoned = new Promise<never>((_resolve, reject) => {
    whenEnded(end, () => {
      // The proxy may still answer when nobody waits any more.
      if (isAwaited) opening.then((socket) => socket?.destroy(), silent);
      reject(connectionError("CONNECT_TIMEOUT"));
    });
  });
  const socket = await Promise.race([opening, abandoned]);
  isAwaited = false;
  if (socket === undefined) throw new MxtokenError("defect", "imapflow does not know the proxy");
  return socket;
}

/** Resolves at the event; whatever comes before it destroys the socket and rejects. */
async function event(
  socket: Socket,
  name: "connect" | "secureConnect",
  end: AbortSignal,
): Promise<void> {
  // An error that comes later is seen by whoever reads.
  socket.on("error", () => undefined);
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once(name, () => resolve());
      socket.once("error", reject);
      socket.once("close", () => reject(connectionError("ECONNRESET")));
      whenEnded(end, () => reject(connectionError("CONNECT_TIMEOUT")));
    });
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

function destroyWhenAborted(socket: Socket, stop: AbortSignal): void {
  const destroy = () => socket.destroy();
  socket.on("error", () => undefined);
  whenEnded(stop, destroy);
  socket.once("close", () => stop.removeEventListener("abort", destroy));
}

function whenEnded(signal: AbortSignal, run: () => void): void {
  if (signal.aborted) run();
  else signal.addEventListener("abort", run, { once: true });
}
