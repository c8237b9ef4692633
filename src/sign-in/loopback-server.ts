import {
  createServer as createHttpServer,
  type IncomingMessage,
  type RequestListener,
} from "node:http";
import { createServer as createHttpsServer } from "node:https";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { MxtokenError } from "../errors.ts";
import type { KeyPair } from "../store/certificate-files.ts";
import { systemCode, systemReason } from "../system-error.ts";
import type { Clock } from "../world/world.ts";
import { Connections } from "./loopback-connections.ts";
import type { Trouble } from "./result-page.ts";

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

interface LoopbackUse {
  /** also of requests that came by plain HTTP where TLS is spoken */
  readonly onRequest: RequestListener;
  /** returns what whoever came is told, in plain text */
  onTrouble(trouble: Trouble): string;
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
  use: LoopbackUse,
): Promise<LoopbackServer> {
  const connections = new Connections(world);
  const speak = speaker(keyPair, use);
  const start = async (address: string, wanted: number) => {
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      connections.add(socket);
      speak(socket);
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

/** RFC 8446 section 5.1: a TLS connection begins with a record of this type. */
const handshakeRecord = 0x16;

/** What to do with a new connection: TLS and plain HTTP are told apart by its first byte. */
function speaker(keyPair: KeyPair | undefined, use: LoopbackUse): (socket: Socket) => void {
  const http = createHttpServer({ maxHeaderSize }, use.onRequest);
  const https =
    keyPair &&
    createHttpsServer(
      {
        maxHeaderSize,
        key: keyPair.key.reveal(),
        cert: keyPair.certificate,
        minVersion: "TLSv1.2",
      },
      use.onRequest,
    );
  for (const server of [http, https]) {
    // Without these, Node closes the connection without a word.
    server?.on("connect", (_request, socket) => {
      socket.end("HTTP/1.1 405 Method Not Allowed\r\nAllow: GET\r\nConnection: close\r\n\r\n");
    });
    server?.on("clientError", (error, socket) => answerError(error, socket, use));
  }
  return (socket) => {
    const goAway = () => socket.destroy();
    socket.once("end", goAway);
    socket.once("data", (first: Buffer) => {
      socket.off("end", goAway);
      socket.pause();
      if (first[0] === handshakeRecord && https === undefined) {
        use.onTrouble("otherScheme");
        socket.destroy();
        return;
      }
      socket.unshift(first);
      (first[0] === handshakeRecord ? https : http)?.emit("connection", socket);
      queueMicrotask(() => socket.resume());
    });
  };
}

/** The alerts of RFC 8446 section 6.2 that are about a certificate, in OpenSSL's words. */
const distrust = /_ALERT_(?:BAD_CERTIFICATE|CERTIFICATE_\w+|UNKNOWN_CA|UNSUPPORTED_CERTIFICATE)$/;

function answerError(error: Error, socket: Duplex, { onTrouble }: LoopbackUse): void {
  const code = systemCode(error) ?? "";
  if (distrust.test(code)) onTrouble("distrust");
  if (!code.startsWith("HPE_") || !socket.writable) {
    socket.destroy();
    return;
  }
  const isTooLong = code === "HPE_HEADER_OVERFLOW";
  const text = isTooLong ? onTrouble("tooLong") : "";
  socket.end(
    [
      `HTTP/1.1 ${isTooLong ? "431 Request Header Fields Too Large" : "400 Bad Request"}`,
      "Content-Type: text/plain; charset=utf-8",
      "X-Content-Type-Options: nosniff",
      "Connection: close",
      `Content-Length: ${Buffer.byteLength(text)}`,
      `\r\n${text}`,
    ].join("\r\n"),
  );
  // What is still on its way would have the answer dropped.
  socket.resume();
}

/**
 * The body of a request, which is read to its end in any case.
 *
 * @param limit bytes
 * @returns undefined for a longer one
 */
export function readBody(request: IncomingMessage, limit: number): Promise<string | undefined> {
  const pieces: Buffer[] = [];
  let size = 0;
  request.on("data", (piece: Buffer) => {
    size += piece.length;
    if (size <= limit) pieces.push(piece);
  });
  return new Promise((resolve) => {
    request.once("end", () =>
      resolve(size > limit ? undefined : Buffer.concat(pieces).toString("utf8")),
    );
  });
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
