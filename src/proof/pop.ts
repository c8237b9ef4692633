import type { Finding, Mechanism } from "../mail-server.ts";
import { type Mailbox, serverOf } from "../mailbox.ts";
import type { Secret } from "../secret.ts";
import { startTls } from "../world/connecting.ts";
import { connectionError } from "../world/network-error.ts";
import { whenAborted } from "../world/waiting.ts";
import type { Clock, Net, Stop } from "../world/world.ts";
import {
  chooseMechanism,
  goodbyeTimeout,
  greetingTimeout,
  type Login,
  openConnection,
  placeOf,
  trustOf,
  withinTime,
} from "./connection.ts";
import { PopClient } from "./pop-client.ts";
import { exchange, initialResponse, type Outcome, sayWithout, statusIn } from "./sasl.ts";
import {
  errorOf,
  noStartTls,
  type ServerAnswer,
  unreachable,
  type Verdict,
  verdictOf,
  verdictOn,
} from "./verdict.ts";

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
  const where = placeOf(server, mailbox.proxy);
  const say = sayWithout(user, server, accessToken);
  const result = await withinTime(
    world,
    where,
    async (stop) => {
      const socket = await openConnection(world, mailbox, server, stop);
      const client = new PopClient(socket, where, (line) => world.trace(`POP ${say(line)}`));
      try {
        return await logIn({ world, mailbox, server, accessToken, where, say, stop, client });
      } finally {
        client.close();
        socket.destroy();
      }
    },
    (error) => verdictOf(error, where),
  );
  return { probe: "pop", host: server.host, port: server.port, user, ...result };
}

interface PopLogin extends Login {
  readonly client: PopClient;
}

async function logIn(login: PopLogin) {
  const { world, mailbox, server, accessToken, where, say, client } = login;
  const insist = (stage: PopStage, outcome: Outcome) => {
    if (!isOk(outcome.reply)) throw errorOf(judgePopReply(outcome, stage, where, say));
  };
  insist("greeting", { reply: await greeting(login), challenge: "" });
  if (server.tls === "starttls") await upgrade(login);
  const mechanism = await agree(login);
  const response = initialResponse(mechanism, mailbox.address.text, server, accessToken);
  const carrier = { maxCommand, send: (line: string) => client.ask(line), challengeOf };
  insist("login", await exchange(carrier, mechanism, response, mailbox.isPopTokenOnNextLine));
  const status = await client.ask("STAT");
  insist("maildrop", { reply: status, challenge: "" });
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

async function upgrade({ world, mailbox, server, where, stop, client }: PopLogin): Promise<void> {
  if (!isOk(await client.ask("STLS"))) throw errorOf(noStartTls(where, 995));
  const options = { ...trustOf(world, mailbox), host: server.host };
  await client.upgrade((plain) => startTls(plain, options, stop));
}

/** Not every server lists its mechanisms: then the provider's first one is tried. */
async function agree({ mailbox, where, say, client }: PopLogin): Promise<Mechanism> {
  const capabilities = isOk(await client.ask("CAPA")) ? await client.readMore() : [];
  const lists = capabilities.map((line) => line.toUpperCase().split(" "));
  const offered = lists.find(([name]) => name === "SASL")?.slice(1);
  const asked = { where, protocol: "pop", say } as const;
  return chooseMechanism(offered ?? mailbox.mechanisms.slice(0, 1), mailbox, asked);
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

/** How far the proof had come. */
type PopStage = "greeting" | "login" | "maildrop";

/**
 * Response codes of RFC 2449 and RFC 3206. SYS/PERM is not among them: it says no more than that a
 * person is needed, and Gmail uses it for accounts that have POP switched off.
 */
const codes: readonly [pattern: RegExp, says: ServerAnswer["code"]][] = [
  [/^\[AUTH\b/i, "refusal"],
  [/^\[(?:SYS\/TEMP|IN-USE|LOGIN-DELAY)\b/i, "trouble"],
];

/**
 * Tells a refusal of the token from a server that could not decide, from its last reply.
 *
 * @param where `host:port`
 * @param say makes the server's words fit to be shown
 */
function judgePopReply(
  { reply, challenge }: Outcome,
  stage: PopStage,
  where: string,
  say: (words: string) => string,
): Verdict {
  const text = reply.replace(/^-ERR\b\s*/i, "");
  const said = say(`${text}${challenge && ` (${challenge})`}`);
  const facts = { protocol: "pop", host: where, said } as const;
  if (!/^-ERR\b/i.test(reply)) {
    return unreachable(`${where} does not speak POP3: ${said}`, facts);
  }
  if (stage === "greeting") {
    return unreachable(`${where} hung up: ${said || "no reason given"}`, facts);
  }
  const code = codes.find(([pattern]) => pattern.test(text))?.[1];
  return verdictOn(
    { words: text, status: statusIn(challenge), code },
    { facts, isLoggedIn: stage === "maildrop", refusal: "pop-login-refused" },
  );
}
