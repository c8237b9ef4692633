import assert from "node:assert/strict";
import { createServer as createHttpServer } from "node:http";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { Server as TlsServer } from "node:tls";
import type { Endpoint, Finding, NotAccepted } from "../../src/mail-server.ts";
import type { Mailbox } from "../../src/mailbox.ts";
import { parseAddress } from "../../src/mailbox.ts";
import { inBase64, oauthbearer, xoauth2 } from "../../src/proof/sasl.ts";
import { type ProxyServer, parseProxy } from "../../src/proxy.ts";
import type { Secret } from "../../src/secret.ts";
import { closedInTheEnd } from "./closing.ts";
import { type TestWorld, testWorld } from "./world.ts";

export const user = "foo@example.test";
export const login = "person@example.test";

/** A mailbox whose servers are the test's own. */
export function mailboxAt(more: Partial<Mailbox>): Mailbox {
  return {
    address: parseAddress(user),
    login,
    provider: "custom",
    title: "the test's own server",
    imap: { host: "localhost", port: 993, tls: "implicit" },
    smtp: undefined,
    pop: undefined,
    verify: [],
    mechanisms: ["OAUTHBEARER", "XOAUTH2"],
    isPopTokenOnNextLine: false,
    ca: undefined,
    caFile: undefined,
    proxy: undefined,
    ...more,
  };
}

/** The proxy of an address, as `--proxy` names it. */
export function proxyAt(address: string): ProxyServer {
  return parseProxy(address, "--proxy", "usage");
}

/** A world that keeps what is traced. */
export function tracingWorld(cwd: string): TestWorld & { readonly traced: string[] } {
  const traced: string[] = [];
  return Object.assign(testWorld({ cwd }), {
    traced,
    trace: (line: string) => void traced.push(line),
  });
}

/** Fails unless the token was not accepted, as `result` says and with these words. */
export function assertNotAccepted(
  finding: Finding | undefined,
  result: NotAccepted["result"],
  reason: RegExp,
): asserts finding is NotAccepted {
  assert.ok(finding !== undefined && finding.result !== "accepted", JSON.stringify(finding));
  assert.equal(finding.result, result, finding.reason);
  assert.match(finding.reason, reason);
}

/** Fails where a token, or a piece of what is sent of it, can be read in what was shown. */
export function assertHidden(
  shown: readonly unknown[],
  token: Secret,
  users: readonly string[],
  servers: readonly Endpoint[],
): void {
  const text = shown.map((value) => JSON.stringify(value)).join("\n");
  const secrets = users.flatMap((name) => [
    token,
    inBase64(token),
    inBase64(xoauth2(name, token)),
    ...servers.map((server) => inBase64(oauthbearer(name, server, token))),
  ]);
  for (const secret of secrets) {
    const value = secret.reveal();
    for (let start = 0; start < value.length; start += 1) {
      const piece = value.slice(start, start + 40);
      if (piece.length === 40) assert.ok(!text.includes(piece), `${piece} is shown`);
    }
  }
}

/** Any server on loopback, closed with everything that is connected to it. */
export interface Listener {
  readonly port: number;
  /** resolves at the first connection */
  readonly connected: Promise<void>;
  close(): Promise<void>;
}

async function listener(server: Server): Promise<Listener> {
  const sockets = new Set<Duplex>();
  const connected = new Promise<void>((resolve) => {
    server.on("connection", (socket) => {
      sockets.add(socket);
      socket.on("error", () => undefined);
      socket.once("close", () => sockets.delete(socket));
      resolve();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    connected,
    close: closedInTheEnd(async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    }),
  };
}

/** Takes connections and never says a word. */
export function startMuteServer(): Promise<Listener> {
  return listener(createServer());
}

/**
 * Answers each piece that comes with the next of a script (octets as latin1), or hangs up.
 *
 * @param server one whose sockets are to be spoken to, as one of TLS
 */
export async function startScript(
  script: readonly (string | readonly number[] | "end")[],
  server: Server = createServer(),
): Promise<Listener & { readonly heard: Buffer[] }> {
  const heard: Buffer[] = [];
  server.on(server instanceof TlsServer ? "secureConnection" : "connection", (socket: Socket) => {
    const left = [...script];
    socket.on("error", () => undefined);
    socket.on("data", (chunk) => {
      heard.push(chunk);
      const next = left.shift();
      if (next === "end") socket.end();
      else if (typeof next === "string") socket.write(next, "latin1");
      else if (next !== undefined) socket.write(Buffer.from(next));
    });
  });
  return Object.assign(await listener(server), { heard });
}

/** An HTTP proxy that takes CONNECT, or refuses it with 403. */
export async function startHttpProxy(
  refuses = false,
): Promise<Listener & { readonly asked: string[] }> {
  const asked: string[] = [];
  const proxy = createHttpServer();
  proxy.on("connect", (request, socket: Socket) => {
    asked.push(`${request.url} ${request.headers["proxy-authorization"]}`);
    if (refuses) {
      socket.end("HTTP/1.1 403 Forbidden\r\n\r\n");
      return;
    }
    const [, port = "0"] = (request.url ?? "").split(":");
    join(Number(port), socket, "HTTP/1.1 200 Connection established\r\n\r\n");
  });
  return Object.assign(await listener(proxy), { asked });
}

/** A SOCKS5 proxy without authentication (RFC 1928). */
export async function startSocksProxy(): Promise<Listener & { readonly asked: string[] }> {
  const asked: string[] = [];
  const proxy = createServer((socket) => {
    socket.once("data", () => {
      socket.write(Buffer.from([5, 0]));
      socket.once("data", (request) => {
        // version, CONNECT, reserved, a domain name, its length
        asked.push(request.subarray(5, -2).toString());
        join(request.readUInt16BE(request.length - 2), socket, [5, 0, 0, 1, 127, 0, 0, 1, 0, 0]);
      });
    });
  });
  return Object.assign(await listener(proxy), { asked });
}

function join(port: number, socket: Socket, welcome: string | number[]): void {
  const onward = connect(port, "127.0.0.1", () => {
    socket.write(typeof welcome === "string" ? welcome : Buffer.from(welcome));
    onward.pipe(socket).pipe(onward);
  });
  onward.on("error", () => socket.destroy());
  socket.on("error", () => onward.destroy());
  socket.on("close", () => onward.destroy());
}
