import { createServer as createHttpServer, type RequestListener, type Server } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { MxtokenError } from "../errors.ts";
import type { KeyPair } from "../store/certificate-files.ts";
import { systemCode, systemReason } from "../system-error.ts";
import type { Clock } from "../world/world.ts";

/** A server on 127.0.0.1 and, where there is IPv6, on ::1, with one port on both. */
export interface LoopbackServer {
  readonly port: number;
  /** Keeps a connection whose answer takes its time. */
  hold(socket: Socket): void;
  /** @throws MxtokenError `configuration` where 127.0.0.1 is all that there is */
  requireIpv6(): void;
  /** Refuses new connections and ends the open ones. */
  close(): Promise<void>;
}

export interface LoopbackOptions {
  /** for HTTPS; undefined: plain HTTP */
  readonly keyPair: KeyPair | undefined;
  /** undefined: any free one */
  readonly port: number | undefined;
}

/** Room for codes of several kilobytes; Node's own limit is 16 KiB for all headers together. */
const maxHeaderSize = 32 * 1024;
const attempts = 20;

/**
 * Listens on loopback only.
 *
 * @throws MxtokenError `configuration` when the port cannot be had
 */
export async function listenOnLoopback(
  world: Clock,
  { keyPair, port }: LoopbackOptions,
  onRequest: RequestListener,
): Promise<LoopbackServer> {
  const connections = new Connections(world);
  const start = async (address: string, wanted: number) => {
    const server = createServer(keyPair, onRequest);
    server.on("connection", (socket) => connections.add(socket));
    // Without this, Node closes the connection of a CONNECT without an answer.
    server.on("connect", (_request, socket) => {
      socket.end("HTTP/1.1 405 Method Not Allowed\r\nAllow: GET\r\nConnection: close\r\n\r\n");
    });
    await listen(server, address, wanted);
    return server;
  };
  for (let attempt = 1; ; attempt += 1) {
    const first = await start("127.0.0.1", port ?? 0).catch((error) => {
      throw cannotListen(port, error);
    });
    const chosen = (first.address() as AddressInfo).port;
    try {
      let withoutIpv6: unknown;
      // `localhost` may lead to either address: on both it has to be us who answers.
      const second = await start("::1", chosen).catch((error) => {
        if (!isWithoutIpv6(error)) throw error;
        withoutIpv6 = error;
      });
      const servers = second === undefined ? [first] : [first, second];
      return {
        port: chosen,
        hold: (socket) => connections.hold(socket),
        requireIpv6() {
          if (second === undefined) throw cannotListen(port, withoutIpv6);
        },
        close: () => closeAll(servers, connections),
      };
    } catch (error) {
      await closeAll([first], connections);
      const isTaken = systemCode(error) === "EADDRINUSE" && port === undefined;
      if (!isTaken || attempt === attempts) throw cannotListen(port, error);
    }
  }
}

function createServer(keyPair: KeyPair | undefined, onRequest: RequestListener): Server {
  if (keyPair === undefined) return createHttpServer({ maxHeaderSize }, onRequest);
  const options = {
    maxHeaderSize,
    key: keyPair.key.reveal(),
    cert: keyPair.certificate,
    minVersion: "TLSv1.2",
  } as const;
  return createHttpsServer(options, onRequest);
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ host, port }, () => {
      server.off("error", reject);
      resolve();
    });
  });
}

function isWithoutIpv6(error: unknown): boolean {
  const code = systemCode(error);
  return code === "EADDRNOTAVAIL" || code === "EAFNOSUPPORT";
}

function cannotListen(port: number | undefined, error: unknown): MxtokenError {
  const where = port === undefined ? "on this machine" : `on port ${port}`;
  const reasons: Readonly<Record<string, string>> = {
    EADDRINUSE: "another program uses it",
    EADDRNOTAVAIL: "there is no IPv6 here",
    EAFNOSUPPORT: "there is no IPv6 here",
  };
  const reason = reasons[systemCode(error) ?? ""] ?? systemReason(error);
  return new MxtokenError("configuration", `cannot listen ${where}: ${reason}`, { cause: error });
}

async function closeAll(servers: readonly Server[], connections: Connections): Promise<void> {
  const closed = servers.map((server) => new Promise((resolve) => server.close(resolve)));
  connections.closeAll();
  await Promise.all(closed);
}

/** A browser is done within a second, also through a tunnel. */
const connectionPatience = 15_000;
const connectionLimit = 200;

/**
 * The open connections of a listener. None of them can keep others out: one that does not come to
 * its point is cut off after 15 s, and when there are too many, the oldest makes room.
 */
class Connections {
  readonly #world: Clock;
  /** the oldest first */
  readonly #open = new Map<string, Socket>();
  readonly #held = new Set<string>();

  constructor(world: Clock) {
    this.#world = world;
  }

  /** @param socket as it was accepted, before any TLS */
  add(socket: Socket): void {
    const name = nameOf(socket);
    const closed = new AbortController();
    this.#open.set(name, socket);
    // A peer that goes away in the middle is nobody's trouble.
    socket.on("error", () => undefined);
    socket.once("close", () => {
      closed.abort();
      // The peer may be back from the same port already.
      if (this.#open.get(name) !== socket) return;
      this.#open.delete(name);
      this.#held.delete(name);
    });
    const cutOff = () => {
      if (!this.#held.has(name)) socket.destroy();
    };
    this.#world.deadline(connectionPatience, closed.signal).addEventListener("abort", cutOff);
    this.#makeRoom();
  }

  /** Keeps a connection whose answer takes its time. */
  hold(socket: Socket): void {
    this.#held.add(nameOf(socket));
  }

  closeAll(): void {
    for (const socket of this.#open.values()) socket.destroy();
  }

  #makeRoom(): void {
    for (const [name, socket] of this.#open) {
      if (this.#open.size <= connectionLimit) return;
      if (this.#held.has(name)) continue;
      this.#open.delete(name);
      socket.destroy();
    }
  }
}

/** The same for a connection and for the TLS connection inside it, while they are open. */
function nameOf(socket: Socket): string {
  return `${socket.remoteAddress} ${socket.remotePort}`;
}
