import type { Finding, Mechanism } from "../mail-server.ts";
import { type Mailbox, serverOf } from "../mailbox.ts";
import type { Secret } from "../secret.ts";
import { startTls } from "../world/connecting.ts";
import { connectionError } from "../world/network-error.ts";
import { whenAborted } from "../world/waiting.ts";
import type { Clock, Net, Stop } from "../world/world.ts";
import { greetingTimeout, openConnection, trustOf } from "./connection.ts";
import { Answered } from "./judge.ts";
import { chooseMechanism, goodbyeTimeout, type Login, transcriptOf, withinTime } from "./login.ts";
import { PopClient } from "./pop-client.ts";
import { exchange, initialResponse } from "./sasl.ts";

/** RFC 2449 section 4; RFC 5034 section 4 holds an initial response to it. */
const maxCommand = 255;

/**
 * Logs in with the token and opens the maildrop: AUTH, then STAT, never RETR or DELE. At Microsoft
 * an accepted AUTH alone proves nothing.
 *
 * The client is our own, because the packages that are kept up (node-pop3, yapople) log in by USER
 * and PASS only. TLS is always on and always verified; STLS (RFC 2595) is mandatory where TLS does
 * not begin at once.
 *
 * @throws Interrupted; a defect of ours, as it is; every other failure is a finding
 */
export async function proveByPop(
  world: Clock & Net & Stop,
  mailbox: Mailbox,
  accessToken: Secret,
): Promise<Finding> {
  const server = serverOf(mailbox, "pop");
  const user = mailbox.address.text;
  const transcript = transcriptOf("pop", { world, mailbox, accessToken, login: user });
  const result = await withinTime(world, transcript, async (stop) => {
    const socket = await openConnection(world, mailbox, server, stop);
    const client = new PopClient(socket, transcript);
    try {
      return await logIn({ world, mailbox, server, accessToken, transcript, stop, client });
    } finally {
      client.close();
      socket.destroy();
    }
  });
  return { probe: "pop", host: server.host, port: server.port, user, ...result };
}

interface PopLogin extends Login {
  readonly client: PopClient;
}

async function logIn(login: PopLogin) {
  const { world, mailbox, server, accessToken, client } = login;
  const insist = (reply: string) => {
    if (!isOk(reply)) throw new Answered();
  };
  insist(await greeting(login));
  if (server.tls === "starttls") await upgrade(login);
  const mechanism = await agree(login);
  const response = initialResponse(mechanism, mailbox.address.text, server, accessToken);
  const carrier = { maxCommand, send: (line: string) => client.ask(line), challengeOf };
  insist(await exchange(carrier, mechanism, response, mailbox.isPopTokenOnNextLine));
  const status = await client.ask("STAT");
  insist(status);
  await goodbye(world, client);
  return { result: "accepted", mechanism, messages: messagesIn(status) } as const;
}

async function greeting({ world, client, stop }: PopLogin): Promise<string> {
  const heard = new AbortController();
  const late = world.deadline(greetingTimeout, AbortSignal.any([heard.signal, stop]));
  void whenAborted(late).then(() => {
    if (!heard.signal.aborted) client.fail(connectionError("GREETING_TIMEOUT"));
  });
  try {
    return await client.read();
  } finally {
    heard.abort();
  }
}

async function upgrade({ world, mailbox, server, stop, client }: PopLogin): Promise<void> {
  if (!isOk(await client.ask("STLS"))) throw new Answered();
  const options = { ...trustOf(world, mailbox), host: server.host };
  await client.upgrade((plain) => startTls(plain, options, stop));
}

/** Not every server lists its mechanisms: then the provider's first one is tried. */
async function agree({ mailbox, transcript, client }: PopLogin): Promise<Mechanism> {
  const capabilities = isOk(await client.ask("CAPA")) ? await client.readMore() : [];
  const lists = capabilities.map((line) => line.toUpperCase().split(" "));
  const offered = lists.find(([name]) => name === "SASL")?.slice(1);
  return chooseMechanism(offered ?? mailbox.mechanisms.slice(0, 1), mailbox, transcript);
}

/** The token is proven: a server that is slow to say goodbye is not waited for. */
async function goodbye(world: Clock, client: PopClient): Promise<void> {
  const answered = client.ask("QUIT").catch(() => undefined);
  await Promise.race([answered, whenAborted(world.deadline(goodbyeTimeout))]);
}

function isOk(reply: string): boolean {
  return /^\+OK\b/i.test(reply);
}

/** A continuation (RFC 5034 section 4), unlike +OK. */
function challengeOf(reply: string): string | undefined {
  return /^\+(?: (.*))?$/.test(reply) ? reply.slice(2).trim() : undefined;
}

/** RFC 1939 section 5. */
function messagesIn(status: string): number {
  return Number(/^\+OK (\d{1,9})\b/i.exec(status)?.[1] ?? 0);
}
