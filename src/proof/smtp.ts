import type { Socket } from "node:net";
import type {
  SMTPConnectionCustomAuthContext,
  default as SMTPConnectionType,
} from "nodemailer/lib/smtp-connection";
import type { Endpoint, Finding, Mechanism } from "../mail-server.ts";
import { type Mailbox, serverOf } from "../mailbox.ts";
import type { Secret } from "../secret.ts";
import { tlsOptions } from "../world/connecting.ts";
import { connectionError } from "../world/network-error.ts";
import { whenAborted } from "../world/waiting.ts";
import type { Clock, Net, Stop } from "../world/world.ts";
import { greetingTimeout, openConnection, trustOf } from "./connection.ts";
import { Answered } from "./judge.ts";
import { chooseMechanism, goodbyeTimeout, type Login, transcriptOf, withinTime } from "./login.ts";
import { type Carrier, exchange, initialResponse } from "./sasl.ts";
import type { Transcript } from "./transcript.ts";
import { endless, errorOf } from "./verdict.ts";

/** RFC 5321 section 4.5.3.1.4; RFC 4954 section 4 holds an initial response to it. */
const maxCommand = 512;

/** Many times what a server has to say before and during AUTH. */
const maxReply = 64 * 1024;

/**
 * Logs in with the token to the server that mail is sent by, as the person who signed in, and
 * sends nothing: after the login comes QUIT.
 *
 * TLS is always on and always verified; STARTTLS is mandatory where TLS does not begin at once.
 *
 * @throws Interrupted; a defect of ours, as it is; every other failure is a finding
 */
export async function proveBySmtp(
  world: Clock & Net & Stop,
  mailbox: Mailbox,
  accessToken: Secret,
): Promise<Finding> {
  const { login: user } = mailbox;
  const server = serverOf(mailbox, "smtp");
  const transcript = transcriptOf("smtp", { world, mailbox, accessToken, login: user });
  const result = await withinTime(world, transcript, async (stop) => {
    try {
      return await logIn({ world, mailbox, server, accessToken, transcript, stop });
    } catch (error) {
      throw fromNodemailer(error, transcript.where);
    }
  });
  return { probe: "smtp", host: server.host, port: server.port, user, ...result };
}

async function logIn(login: Login): Promise<{ result: "accepted"; mechanism: Mechanism }> {
  const { world, mailbox, server, accessToken, transcript, stop } = login;
  // Before the connection is opened: nobody would listen to it meanwhile.
  const { default: SMTPConnection } = await import("nodemailer/lib/smtp-connection");
  const socket = await openConnection(world, mailbox, server, stop);
  const client = smtpClient(SMTPConnection, login, socket);
  try {
    await Promise.race([client.greet(), client.broken]);
    const mechanism = chooseMechanism(client.offered(), mailbox, transcript);
    const response = initialResponse(mechanism, mailbox.login, server, accessToken);
    const reply = await Promise.race([client.authenticate(mechanism, response), client.broken]);
    if (!reply.startsWith("235")) throw new Answered();
    // The token is proven: a server that is slow to say goodbye is not waited for.
    client.quit();
    await Promise.race([client.closed, whenAborted(world.deadline(goodbyeTimeout))]);
    return { result: "accepted", mechanism };
  } finally {
    client.close();
    socket.destroy();
  }
}

/**
 * nodemailer for what comes before AUTH (greeting, EHLO, STARTTLS) and for reading replies. AUTH
 * itself is our own: nodemailer knows no OAUTHBEARER, takes another mechanism than the one it is
 * told where the server offers one that it likes better, and repeats a refused XOAUTH2, which counts
 * against the mailbox as one more failed login.
 */
function smtpClient(
  SMTPConnection: typeof SMTPConnectionType,
  { world, mailbox, server, transcript }: Login,
  socket: Socket,
) {
  let run: ((send: Carrier["send"]) => Promise<void>) | undefined;
  const connection = new SMTPConnection({
    ...connectionOptions(server, socket),
    tls: tlsOptions(trustOf(world, mailbox)),
    customAuth: { [ownMethod]: (context) => run?.((line) => sendBy(context, line)) },
    logger: logger(transcript),
  });
  const sendBy = async (context: SMTPConnectionCustomAuthContext, line: string) => {
    transcript.sent(line);
    return (await context.sendCommand(line)).response;
  };
  // What goes wrong also rejects what is waited for.
  connection.on("error", () => undefined);
  const closed = new Promise<void>((resolve) => {
    if (socket.destroyed) resolve();
    else socket.once("close", () => resolve());
  });
  const broken = new Promise<never>((_resolve, reject) => {
    connection.once("error", reject);
    // A last reply is read before its connection's end.
    void closed.then(() => setImmediate(() => reject(connectionError("ECONNRESET"))));
  });
  broken.catch(() => undefined);
  return {
    /** rejects when the connection fails or ends */
    broken,
    closed,
    greet: () =>
      new Promise<void>((resolve, reject) => {
        connection.connect((error) => (error === undefined ? resolve() : reject(error)));
      }),
    /** the SASL mechanisms in the answer to EHLO (RFC 4954 section 3; some write AUTH=) */
    offered: () =>
      [...String(connection.lastServerResponse).matchAll(/^250[- ]AUTH[ =](.*)$/gim)].flatMap(
        ([, names = ""]) => names.toUpperCase().split(/[ =]+/).filter(Boolean),
      ),
    authenticate: (mechanism: Mechanism, response: Secret) =>
      new Promise<string>((resolve, reject) => {
        run = async (send) => {
          const carrier = { maxCommand, send, challengeOf: challengeIn };
          await exchange(carrier, mechanism, response).then(resolve, reject);
        };
        connection.login({ type: "custom", method: ownMethod }, (error) => error && reject(error));
      }),
    quit: () => connection.quit(),
    close: () => connection.close(),
  };
}

function connectionOptions(smtp: Endpoint, socket: Socket) {
  return {
    host: smtp.host,
    port: smtp.port,
    connection: socket,
    secure: smtp.tls === "implicit",
    secured: smtp.tls === "implicit",
    requireTLS: smtp.tls === "starttls",
    // The name of this machine is nobody's business (RFC 5321 section 4.1.4 allows an address).
    name: "[127.0.0.1]",
    connectionTimeout: greetingTimeout,
    greetingTimeout,
    socketCloseTimeout: 0,
    maxResponseSize: maxReply,
    transactionLog: true,
  };
}

/** No mechanism's name: under one of these, nodemailer would choose another. */
const ownMethod = "ACCESS-TOKEN";

function challengeIn(reply: string): string | undefined {
  return /^334(?: .*)?$/.test(reply) ? reply.slice(4).trim() : undefined;
}

/** The protocol's lines among what nodemailer logs; commands of AUTH it only mentions. */
function logger(transcript: Transcript) {
  const silent = () => undefined;
  return {
    ...{ trace: silent, info: silent, warn: silent, error: silent, fatal: silent },
    debug(entry: { tnx?: string }, message = "") {
      if (entry.tnx === "server") transcript.heard(message);
      if (entry.tnx === "client" && !/^AUTH |^\/\*/.test(message)) transcript.sent(message);
    },
  };
}

/** nodemailer's `timeoutType` and `code`, in the names that `networkError()` knows. */
const networkCodes: Readonly<Record<string, string>> = {
  UPGRADE_TIMEOUT: "CONNECT_TIMEOUT",
  SOCKET_TIMEOUT: "CONNECT_TIMEOUT",
  ECONNECTION: "ECONNRESET",
  ETLS: "ECONNRESET",
  ESOCKET: "ECONNRESET",
  EDNS: "ENOTFOUND",
};

/** What `judge()` understands, in place of an error of nodemailer's. */
function fromNodemailer(error: unknown, where: string): unknown {
  const value: Record<string, unknown> =
    typeof error === "object" && error !== null ? { ...error } : {};
  const text = (name: string) => (typeof value[name] === "string" ? value[name] : undefined);
  if (text("response") !== undefined) return new Answered();
  const code = text("timeoutType") ?? text("originalCode") ?? text("code") ?? "";
  // Without the server's words: they were more than maxResponseSize.
  if (code === "EPROTOCOL") return errorOf(endless(where, "SMTP"));
  const isOfNodemailer = "timeoutType" in value || "originalCode" in value || code in networkCodes;
  return isOfNodemailer ? connectionError(networkCodes[code] ?? code) : error;
}
