import type { Socket } from "node:net";
import { explained } from "../causes/diagnose.ts";
import { MxtokenError } from "../errors.ts";
import type { Endpoint, Mechanism, Protocol } from "../mail-server.ts";
import type { Mailbox } from "../mailbox.ts";
import { hostAndPort, type ProxyServer } from "../proxy.ts";
import type { Secret } from "../secret.ts";
import { showEndpoint } from "../settings/servers.ts";
import {
  connectTimeout,
  connectTo,
  startTls,
  type TlsTrust,
  whenEnded,
} from "../world/connecting.ts";
import { openTunnel } from "../world/tunnel.ts";
import { within } from "../world/waiting.ts";
import type { Clock, Net, Stop } from "../world/world.ts";
import { mechanismsByStrength } from "./sasl.ts";
import { unreachable, type Verdict } from "./verdict.ts";

/** Milliseconds until the server has said its first word, until the end, and for the goodbye. */
export const greetingTimeout = 20_000;
const wholeTimeout = 30_000;
export const goodbyeTimeout = 2_000;

/** A login that proves a token. */
export interface Login {
  readonly world: Clock & Net;
  readonly mailbox: Mailbox;
  readonly server: Endpoint;
  readonly accessToken: Secret;
  /** the server, and the proxy on the way to it */
  readonly where: string;
  /** makes the server's words fit to be shown */
  readonly say: (words: string) => string;
  /** ends the connection */
  readonly stop: AbortSignal;
}

/**
 * Runs a proof that must end in time, and at once when the process is asked to end.
 *
 * @param prove must end when the signal aborts, whatever the server does
 * @param judge makes a verdict of what `prove` throws, or throws it where it is a defect
 * @throws Interrupted; a defect, as it is
 */
export async function withinTime<Accepted>(
  world: Clock & Stop,
  where: string,
  prove: (stop: AbortSignal) => Promise<Accepted>,
  judge: (error: unknown) => Verdict,
): Promise<Accepted | Verdict> {
  try {
    return await within(world, wholeTimeout, prove, () =>
      unreachable(`${where} did not finish within ${wholeTimeout / 1000} seconds`, { host: where }),
    );
  } catch (error) {
    world.interrupted.throwIfAborted();
    return judge(error);
  }
}

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

/** A server that offers mechanisms, and how it is spoken of. */
interface Offering extends Pick<Login, "where" | "say"> {
  readonly protocol: Protocol;
  /** what stands before the name of a mechanism */
  readonly prefix?: string;
}

/**
 * The strongest of the mechanisms that a server offers and that the mailbox allows.
 *
 * @throws MxtokenError `mailboxRefused`
 */
export function chooseMechanism(
  offered: readonly string[],
  { mechanisms }: Mailbox,
  { where, protocol, prefix = "", say }: Offering,
): Mechanism {
  const mechanism = mechanismsByStrength.find(
    (name) => offered.includes(prefix + name) && mechanisms.includes(name),
  );
  if (mechanism !== undefined) return mechanism;
  throw new MxtokenError(
    "mailboxRefused",
    `${where} takes no OAuth 2.0 token by ${mechanisms.join(" or ")}; it offers ${say(offered.join(" ")) || "no mechanism at all"}`,
    explained("no-token-taken-here", { host: where, protocol }),
  );
}

function destroyWhenAborted(socket: Socket, stop: AbortSignal): void {
  const destroy = () => socket.destroy();
  socket.on("error", () => undefined);
  whenEnded(stop, destroy);
  socket.once("close", () => stop.removeEventListener("abort", destroy));
}
