import type { Socket } from "node:net";
import type { Endpoint } from "../mail-server.ts";
import type { Mailbox } from "../mailbox.ts";
import { hostAndPort, type ProxyServer } from "../proxy.ts";
import { showEndpoint } from "../settings/servers.ts";
import {
  connectTimeout,
  connectTo,
  startTls,
  type TlsTrust,
  whenEnded,
} from "../world/connecting.ts";
import { openTunnel } from "../world/tunnel.ts";
import type { Clock, Net } from "../world/world.ts";

/** Milliseconds until the server has said its first word. */
export const greetingTimeout = 20_000;

/**
 * Connects to a mail server, through the proxy where there is one, and begins TLS where the
 * endpoint begins with it.
 *
 * @param stop ends the connection, now and later
 * @throws Error of Node's kind, or a ProxyFailure, for `networkError()`
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
  const { proxy } = mailbox;
  const trust = trustOf(world, mailbox);
  try {
    const socket =
      proxy === undefined
        ? await connectTo(endpoint, end)
        : await openTunnel(proxy, endpoint, { ...trust, stop: end });
    destroyWhenAborted(socket, stop);
    return endpoint.tls === "implicit"
      ? await startTls(socket, { ...trust, host: endpoint.host }, end)
      : socket;
  } finally {
    done.abort();
  }
}

/** What a mailbox's TLS connections trust. */
export function trustOf(world: Net, mailbox: Mailbox): TlsTrust {
  return { secureContext: world.trust(mailbox.ca) };
}

/** The server, and the proxy on the way to it. */
export function placeOf(endpoint: Endpoint, proxy: ProxyServer | undefined): string {
  const server = showEndpoint(endpoint);
  return proxy === undefined ? server : `${server} (through the proxy ${hostAndPort(proxy)})`;
}

function destroyWhenAborted(socket: Socket, stop: AbortSignal): void {
  const destroy = () => socket.destroy();
  socket.on("error", () => undefined);
  whenEnded(stop, destroy);
  socket.once("close", () => stop.removeEventListener("abort", destroy));
}
