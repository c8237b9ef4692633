import { createServer as createPlainServer, type Socket } from "node:net";
import { createServer as createTlsServer, TLSSocket } from "node:tls";
import type { Certificates } from "./certificates.ts";
import { closedInTheEnd } from "./closing.ts";

/** One connection of a scripted server whose protocol consists of lines. */
export abstract class LineSession {
  readonly #certificates: Certificates;
  protected socket: Socket;
  #buffer = "";

  constructor(socket: Socket, certificates: Certificates) {
    this.socket = socket;
    this.#certificates = certificates;
  }

  abstract start(): void;
  protected abstract line(text: string): void | Promise<void>;

  protected get isSecure(): boolean {
    return this.socket instanceof TLSSocket;
  }

  protected say(...lines: string[]): void {
    if (!this.socket.destroyed) this.socket.write(lines.map((line) => `${line}\r\n`).join(""));
  }

  protected listen(): void {
    this.socket.on("data", (chunk) => {
      this.#buffer += chunk.toString("latin1");
      for (;;) {
        const end = this.#buffer.indexOf("\r\n");
        if (end < 0) return;
        const text = this.#buffer.slice(0, end);
        this.#buffer = this.#buffer.slice(end + 2);
        void this.line(text);
      }
    });
  }

  protected startTls(): void {
    this.socket.removeAllListeners("data");
    const { key, cert } = this.#certificates;
    this.socket = new TLSSocket(this.socket, { isServer: true, key, cert });
    this.socket.on("error", () => undefined);
    this.listen();
  }
}

export interface LineServer {
  readonly port: number;
  /** resolves when the first connection is there, and TLS with it where it begins so */
  readonly connected: Promise<void>;
  /** resolves when no connection is open */
  allClosed(): Promise<void>;
  close(): Promise<void>;
}

/** A server on loopback; `begin` gets every connection, over TLS already where it begins so. */
export async function startLineServer(
  certificates: Certificates,
  tls: "implicit" | "starttls",
  begin: (socket: Socket) => void,
): Promise<LineServer> {
  const sockets = new Set<Socket>();
  const waiting = new Set<() => void>();
  const { key, cert } = certificates;
  let announce: () => void = () => undefined;
  const connected = new Promise<void>((resolve) => {
    announce = resolve;
  });
  const serve = (socket: Socket) => {
    socket.on("error", () => undefined);
    begin(socket);
    announce();
  };
  const server =
    tls === "implicit" ? createTlsServer({ key, cert }, serve) : createPlainServer(serve);
  server.on("tlsClientError", () => undefined);
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    socket.on("close", () => {
      sockets.delete(socket);
      if (sockets.size > 0) return;
      for (const resolve of waiting) resolve();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  return {
    port: typeof address === "object" && address !== null ? address.port : 0,
    connected,
    allClosed: () =>
      new Promise<void>((resolve) => {
        if (sockets.size === 0) resolve();
        else waiting.add(resolve);
      }),
    close: closedInTheEnd(async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    }),
  };
}

/** The parts of an initial client response, as a server reads them (RFC 7628 section 3.1). */
export function readResponse(mechanism: string, base64: string) {
  const fields = Buffer.from(base64, "base64").toString().split("\u0001");
  const partOf = (name: string) =>
    fields.find((field) => field.startsWith(name))?.slice(name.length) ?? "";
  const saslname = /^(?:user=|n,a=)([^,]*)/.exec(fields[0] ?? "")?.[1] ?? "";
  const user = saslname.replaceAll("=2C", ",").replaceAll("=3D", "=");
  return {
    mechanism,
    user,
    token: partOf("auth=Bearer "),
    server: `${partOf("host=")}:${partOf("port=")}`,
  };
}
