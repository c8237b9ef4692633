import type { Socket } from "node:net";
import { MxtokenError } from "../errors.ts";
import type { Finding, Mechanism } from "../mail-server.ts";
import { type Mailbox, serverOf } from "../mailbox.ts";
import type { Secret } from "../secret.ts";
import { showEndpoint } from "../settings/servers.ts";
import { beginTls } from "../world/connecting.ts";
import { whenAborted } from "../world/waiting.ts";
import type { Clock, Net, Stop } from "../world/world.ts";
import {
  chooseMechanism,
  goodbyeTimeout,
  greetingTimeout,
  openConnection,
  placeOf,
  trustOf,
  withinTime,
} from "./connection.ts";
import { judgeImapFailure, type Stage } from "./imap-failure.ts";
import { mechanismsByStrength, sayWithout } from "./sasl.ts";
import { endless, errorOf } from "./verdict.ts";

/**
 * Octets that a server may say: in one line, in one literal, in one response, and
 * altogether. Lines of a LIST are short, and the largest mailboxes have some ten thousand folders.
 */
const limits = {
  maxLineLength: 64 * 1024,
  maxLiteralSize: 64 * 1024,
  maxResponseSize: 256 * 1024,
  maxResponseTokens: 10_000,
};
const maxReceived = 4 * 1024 * 1024;

/**
 * Logs in with the token and opens the mailbox for reading: LIST, then EXAMINE of INBOX, never
 * SELECT. At Microsoft an accepted AUTHENTICATE alone proves nothing: it also accepts a token for
 * a mailbox that the token does not open.
 *
 * TLS is always on and always verified; STARTTLS is mandatory where TLS does not begin at once.
 *
 * @throws Interrupted; a defect of ours, as it is; every other failure is a finding
 */
export async function proveByImap(
  world: Clock & Net & Stop,
  mailbox: Mailbox,
  accessToken: Secret,
): Promise<Finding> {
  const imap = serverOf(mailbox, "imap");
  const user = mailbox.address.text;
  const where = placeOf(imap, mailbox.proxy);
  const say = sayWithout(user, imap, accessToken);
  let stage: Stage = "login";
  world.interrupted.throwIfAborted();
  const client = await imapClient(world, mailbox, accessToken, say);
  const prove = async (stop: AbortSignal) => {
    client.connection = await openConnection(world, mailbox, imap, stop);
    const stopped = whenAborted(stop).then(() => client.close());
    const orEnd = async <T>(step: Promise<T>): Promise<T> => {
      step.catch(() => undefined);
      await Promise.race([step, stopped, client.givenUp]);
      stop.throwIfAborted();
      if (client.trouble !== undefined) throw client.trouble;
      return step;
    };
    await orEnd(client.connect());
    stage = "mailbox";
    const folders = await orEnd(client.list({ listOnly: true }));
    const inbox = await orEnd(client.mailboxOpen("INBOX", { readOnly: true }));
    const { mechanism } = client;
    // The token is proven: a server that is slow to say goodbye is not waited for.
    await Promise.race([client.logout(), whenAborted(world.deadline(goodbyeTimeout))]);
    if (mechanism === undefined) throw new MxtokenError("defect", "logged in by no mechanism");
    // A server may leave out how many messages there are.
    const found = { folders: folders.length, messages: inbox.exists ?? 0 };
    return { result: "accepted", mechanism, ...found } as const;
  };
  const judge = (error: unknown) => judgeImapFailure(client.trouble ?? error, stage, where, say);
  try {
    const result = await withinTime(world, where, prove, judge);
    return { probe: "imap", host: imap.host, port: imap.port, user, ...result };
  } finally {
    // imapflow leaves its socket open when connect() rejects.
    client.close();
    client.connection?.destroy();
  }
}

/** What imapflow writes to its log, as far as it is read here. */
interface Entry {
  /** c: the client said it, s: the server */
  readonly src?: string;
  readonly msg?: string;
  /** milliseconds */
  readonly throttleDelay?: number;
}

/**
 * imapflow by itself takes OAUTHBEARER wherever the server offers it, counts a server that asks for no
 * login (PREAUTH) as logged in, and takes it for an error challenge when a server asks for the initial
 * response that it was sent already. This client keeps to the provider's mechanisms, knows which one was
 * used, and answers whoever asks.
 */
async function provingClient(mailbox: Mailbox, say: (words: string) => string) {
  const { ImapFlow } = await import("imapflow");
  const where = showEndpoint(serverOf(mailbox, "imap"));
  const logIn: unknown = Reflect.get(ImapFlow.prototype, "authenticate");

  return class ProvingClient extends ImapFlow {
    mechanism: Mechanism | undefined;
    /** to the server, with TLS where that begins at once */
    connection: Socket | undefined;
    /** why the connection was given up from here */
    trouble: unknown;
    /** ends the wait for {@link givenUp} */
    endWait: () => void = () => undefined;
    /** resolves when it was */
    readonly givenUp = new Promise<void>((resolve) => {
      this.endWait = resolve;
    });

    async authenticate(): Promise<unknown> {
      if (this.authenticated) {
        throw new MxtokenError(
          "mailboxRefused",
          `${where} asks for no login, which proves nothing`,
        );
      }
      const prefix = "AUTH=";
      const offered = [...this.capabilities.keys()].filter((name) => name.startsWith(prefix));
      const server = { where, protocol: "imap", prefix, say } as const;
      this.mechanism = chooseMechanism(offered, mailbox, server);
      for (const name of mechanismsByStrength) {
        if (name !== this.mechanism) this.capabilities.delete(prefix + name);
      }
      // Every server takes the initial response on a line of its own, where it asks for it (RFC 4959
      // section 3), as imapsync sends it; some that offer more ask all the same.
      this.capabilities.delete("SASL-IR");
      if (typeof logIn !== "function") throw new MxtokenError("defect", "imapflow has changed");
      return logIn.call(this);
    }

    giveUpFor(trouble: unknown): void {
      this.trouble ??= trouble;
      this.close();
      this.endWait();
    }
  };
}

/**
 * A client that is not connected yet. It does not sit out a throttled server's waiting time, and lets no
 * server talk without an end, which imapflow by itself does.
 */
async function imapClient(
  world: Net,
  mailbox: Mailbox,
  accessToken: Secret,
  say: (words: string) => string,
) {
  const ProvingClient = await provingClient(mailbox, say);
  const imap = serverOf(mailbox, "imap");
  const where = showEndpoint(imap);
  const heed = (entry: Entry) => {
    if (entry.src === "c" || entry.src === "s") {
      world.trace(`IMAP ${entry.src === "c" ? ">" : "<"} ${say(entry.msg ?? "")}`);
    }
    if (client.stats().received > maxReceived) client.giveUpFor(errorOf(endless(where, "IMAP")));
    if (entry.throttleDelay === undefined) return;
    const retryAfter = Math.ceil(entry.throttleDelay / 1000);
    const facts = { host: where, code: "ETHROTTLE", retryAfter };
    const words = `${where} is throttling: it asks to wait ${retryAfter} seconds`;
    client.giveUpFor(new MxtokenError("unreachable", words, { retryAfter, facts }));
  };
  const note = (entry: Entry) => {
    try {
      heed(entry);
    } catch (error) {
      // imapflow would take it for the server's.
      client.giveUpFor(error);
    }
  };
  const silent = () => undefined;
  const client = new ProvingClient({
    host: imap.host,
    port: imap.port,
    secure: imap.tls === "implicit",
    ...(imap.tls === "starttls" ? { doSTARTTLS: true } : {}),
    auth: { user: mailbox.address.text, accessToken: accessToken.reveal() },
    transport: {
      connect(_options, onConnect) {
        if (client.connection === undefined) throw new MxtokenError("defect", "not connected");
        // Before the next event of the socket, and after imapflow knows it.
        queueMicrotask(onConnect);
        return client.connection;
      },
      upgrade: (plain, _options, onSecure) =>
        beginTls(plain, { ...trustOf(world, mailbox), host: imap.host }).once(
          "secureConnect",
          onSecure,
        ),
    },
    greetingTimeout,
    ...limits,
    disableAutoIdle: true,
    disableCompression: true,
    disableAutoEnable: true,
    clientInfo: { name: "mxtoken", version: "", vendor: "", "support-url": "" },
    logger: { trace: note, debug: note, info: silent, warn: note, error: note },
  });
  // The call that is waited for is rejected too, but only told that the connection is gone.
  client.on("error", (error) => client.giveUpFor(error));
  return client;
}
