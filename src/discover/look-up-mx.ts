import { createSocket } from "node:dgram";
import { createConnection, isIPv6 } from "node:net";
import { MxtokenError } from "../errors.ts";
import { type Resolver, showEndpoint } from "../settings/servers.ts";
import { systemCode } from "../system-error.ts";
import { within } from "../world/waiting.ts";
import type { Clock, Net, Stop } from "../world/world.ts";
import { type MxQuestion, type MxReply, mxQuestion } from "./mx.ts";

type Found = Extract<MxReply, { is: "hosts" | "noSuchDomain" }>;
type Failed = Extract<MxReply, { is: "failed" }>;

/** What the domain name system knows for sure, and who said it. */
export type MxAnswer = Found & { readonly resolver: Resolver };

const patience = 3000;
/** Each resolver is asked once, and all of them once more. */
const rounds = 2;

/**
 * Looks up the MX hosts of a domain. The resolvers are asked in turn, each for 3 seconds by UDP,
 * and for 3 more by TCP where the answer is too long for UDP.
 *
 * @param domain in ASCII (IDNA)
 * @throws MxtokenError `unreachable` when no resolver gives an answer; Interrupted
 */
export async function lookUpMx(
  world: Clock & Net & Stop,
  domain: string,
  resolvers: readonly Resolver[],
): Promise<MxAnswer> {
  const failures = new Map<string, string>();
  for (let round = 0; round < rounds; round += 1) {
    for (const resolver of resolvers) {
      const reply = await ask(world, domain, resolver);
      if (reply.is !== "failed") return { ...reply, resolver };
      failures.set(showEndpoint(resolver), reply.reason);
    }
  }
  const meant = resolvers.find(({ perhapsMeant }) => perhapsMeant !== undefined)?.perhapsMeant;
  const tried = [...failures].map(([resolver, reason]) => `${resolver} (${reason})`);
  throw new MxtokenError(
    "unreachable",
    `the MX records of ${domain} could not be looked up: ${tried.join(", ") || "no resolver is configured"}`,
    {
      hint: `${meant === undefined ? "" : `where a port was meant, pass --dns-server '${meant}'; else `}try again later, name another resolver with --dns-server IP, or pass --provider NAME, which needs no DNS`,
    },
  );
}

async function ask(
  world: Clock & Net & Stop,
  domain: string,
  resolver: Resolver,
): Promise<Found | Failed> {
  // A new id for every question, so that a late answer to a former one is not taken for this.
  const question = await mxQuestion(domain);
  const place = showEndpoint(resolver);
  world.trace(`DNS ${place}: MX ${domain}?`);
  const onUnusable = () => world.trace(`DNS ${place}: something that is no answer, passed over`);
  const first = await answered(world, (stop) => askByUdp(resolver, question, stop, onUnusable));
  world.trace(`DNS ${place}: ${describe(first)}`);
  if (first.is !== "truncated") return first;
  const whole = await byTcp(world, resolver, question);
  world.trace(`DNS ${place} by TCP: ${describe(whole)}`);
  return whole;
}

async function byTcp(
  world: Clock & Stop,
  resolver: Resolver,
  question: MxQuestion,
): Promise<Found | Failed> {
  const whole = await answered(world, (stop) => askByTcp(resolver, question, stop));
  if (whole === undefined || whole.is === "truncated") {
    return { is: "failed", reason: "a truncated answer, and nothing better by TCP" };
  }
  return whole.is === "failed" ? { ...whole, reason: `${whole.reason}, by TCP` } : whole;
}

/** What goes wrong is an answer as well: the next resolver is asked. */
async function answered<Reply>(
  world: Clock & Stop,
  send: (stop: AbortSignal) => Promise<Reply>,
): Promise<Reply | Failed> {
  const failed = (reason: string) => ({ is: "failed", reason }) as const;
  try {
    return await within(world, patience, send, () => failed("no answer in 3 seconds"));
  } catch (error) {
    world.interrupted.throwIfAborted();
    return failed(reasons[systemCode(error) ?? ""] ?? "the connection failed");
  }
}

const reasons: Readonly<Record<string, string>> = {
  ECONNREFUSED: "nobody listens there",
  ECONNRESET: "the connection was dropped",
  ENETUNREACH: "the network is unreachable",
  EHOSTUNREACH: "the host is unreachable",
  EADDRNOTAVAIL: "the network is unreachable",
  EACCES: "permission denied",
  EPERM: "permission denied",
  // RFC 4007 section 6
  EINVAL: "a link-local address needs an interface of this machine, as in fe80::1%eth0",
};

function describe(reply: MxReply): string {
  if (reply.is === "failed") return reply.reason;
  if (reply.is === "hosts") return reply.hosts.map(({ name }) => name || ".").join(" ") || "no MX";
  return reply.is === "truncated" ? "truncated" : "NXDOMAIN";
}

// dns2 has clients of its own. They cannot be stopped, so that after Ctrl-C or a deadline their
// sockets would keep the program alive; they take the first message with the right id, whatever
// question it answers; and they know no IPv6 resolver. Only its wire format is used.

/**
 * Asks by UDP. Whatever is no answer to this question is passed over, and the wait goes on: it may
 * be a late answer to another one, or somebody's forgery.
 *
 * @param onUnusable called for each message that is passed over
 * @throws whatever the socket says, or the signal's reason
 */
async function askByUdp(
  { host, port }: Resolver,
  question: MxQuestion,
  signal: AbortSignal,
  onUnusable: () => void,
): Promise<MxReply> {
  signal.throwIfAborted();
  const socket = createSocket(isIPv6(host) ? "udp6" : "udp4");
  try {
    return await new Promise<MxReply>((resolve, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason), { once: true });
      socket.on("error", reject);
      socket.on("message", (message) => {
        const reply = question.read(message);
        if (reply === undefined) onUnusable();
        else resolve(reply);
      });
      // A connected socket hears only this address and port, and at once when nobody listens there.
      socket.on("connect", () => socket.send(question.message));
      socket.connect(port, host);
    });
  } finally {
    socket.close();
  }
}

/**
 * Asks by TCP (RFC 7766), for an answer that is too long for UDP.
 *
 * @returns undefined when what came is no answer to this question
 * @throws whatever the socket says, or the signal's reason
 */
async function askByTcp(
  { host, port }: Resolver,
  question: MxQuestion,
  signal: AbortSignal,
): Promise<MxReply | undefined> {
  signal.throwIfAborted();
  const { Packet } = await import("dns2");
  const socket = createConnection({ host, port });
  try {
    const length = Buffer.alloc(2);
    length.writeUInt16BE(question.message.length);
    socket.write(Buffer.concat([length, question.message]));
    const message = await new Promise<Buffer>((resolve, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason), { once: true });
      Packet.readStream(socket).then(resolve, reject);
    });
    return question.read(message);
  } finally {
    socket.destroy();
  }
}
