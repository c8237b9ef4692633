import type { Socket } from "node:net";
import DNS, { Packet } from "dns2";
import { closedInTheEnd } from "./closing.ts";
import { freePort } from "./loopback.ts";

/** What a scripted resolver does with one question. */
export type DnsAnswer =
  | {
      mx?: readonly (readonly [preference: number, host: string])[];
      /** the MX records belong to this name, of which the one that was asked for is an alias */
      alias?: string;
      rcode?: number;
      truncated?: true;
      /** without the question */
      isBare?: true;
      /** from a server that resolves nothing for others and says so */
      isLame?: true;
      /** instead of the id of the question */
      id?: (id: number) => number;
      /** instead of the name of the question */
      name?: string;
      /** whose the MX records are, instead of the name that was asked for */
      owner?: string;
      /** instead of the type of the question */
      type?: number;
      /** a question, and not an answer */
      isQuestion?: true;
    }
  | Buffer
  | "silence";

export interface DnsQuery {
  readonly name: string;
  readonly type: number;
  readonly transport: "udp" | "tcp";
}

/** A resolver that answers as it is told, for what no real one does on demand. */
export interface DnsServer {
  readonly port: number;
  /** as `--dns-server` takes it */
  readonly address: string;
  readonly queries: DnsQuery[];
  /** several answers are sent one after the other; may wait */
  answer: (query: DnsQuery) => readonly DnsAnswer[] | Promise<readonly DnsAnswer[]>;
  close(): Promise<void>;
}

/** @param host 127.0.0.1 or another address of this machine */
export async function startDnsServer(host = "127.0.0.1"): Promise<DnsServer> {
  const isIPv6 = host.includes(":");
  const port = await freePort();
  const udp = DNS.createUDPServer({ type: isIPv6 ? "udp6" : "udp4" });
  const tcp = DNS.createTCPServer();
  const sockets = new Set<Socket>();
  tcp.on("connection", (socket: Socket) => sockets.add(socket));
  const server: DnsServer = {
    port,
    address: isIPv6 ? `[${host}]:${port}` : `${host}:${port}`,
    queries: [],
    answer: () => [{ rcode: 5 }],
    close: closedInTheEnd(async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => udp.close(() => resolve()));
      await new Promise<void>((resolve) => tcp.close(() => resolve()));
    }),
  };
  const handle =
    (transport: DnsQuery["transport"]) =>
    async (request: Packet, send: (answer: Packet | Buffer) => unknown) => {
      const [{ name, type } = { name: "", type: 0 }] = request.questions;
      const query = { name, type, transport };
      server.queries.push(query);
      for (const answer of await server.answer(query)) {
        if (answer !== "silence")
          await send(Buffer.isBuffer(answer) ? answer : reply(request, answer));
      }
    };
  udp.on("request", handle("udp"));
  tcp.on("request", handle("tcp"));
  await udp.listen(port, host);
  await new Promise<void>((resolve) => tcp.listen(port, host, resolve));
  return server;
}

function reply(request: Packet, answer: Exclude<DnsAnswer, Buffer | "silence">): Packet {
  const packet = Packet.createResponseFromRequest(request);
  const [question] = request.questions;
  const name = answer.name ?? question?.name ?? "";
  const type = answer.type ?? Packet.TYPE.MX;
  packet.questions = answer.isBare ? [] : [new Packet.Question(name, type, Packet.CLASS.IN)];
  const { header } = packet;
  if (answer.id !== undefined) header.id = answer.id(header.id);
  if (answer.isQuestion) header.qr = 0;
  header.ra = answer.isLame ? 0 : 1;
  header.rcode = answer.rcode ?? 0;
  header.tc = answer.truncated ? 1 : 0;
  const record = { class: Packet.CLASS.IN, ttl: 60 };
  if (answer.alias !== undefined) {
    packet.answers.push({
      ...record,
      name,
      type: Packet.TYPE.CNAME,
      domain: answer.alias,
    } as never);
  }
  for (const [priority, exchange] of answer.mx ?? []) {
    const owner = answer.owner ?? answer.alias ?? name;
    packet.answers.push({
      ...record,
      name: owner,
      type: Packet.TYPE.MX,
      exchange,
      priority,
    } as never);
  }
  return packet;
}
