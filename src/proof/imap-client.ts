import type { Socket } from "node:net";
import { MxtokenError } from "../errors.ts";
import type { Mechanism } from "../mail-server.ts";
import { type Mailbox, serverOf } from "../mailbox.ts";
import type { Secret } from "../secret.ts";
import { beginTls } from "../world/connecting.ts";
import { connectionError } from "../world/network-error.ts";
import type { Net } from "../world/world.ts";
import { greetingTimeout, trustOf } from "./connection.ts";
import { Answered } from "./judge.ts";
import { chooseMechanism } from "./login.ts";
import { read } from "./reading.ts";
import { mechanismsByStrength } from "./sasl.ts";
import type { Transcript } from "./transcript.ts";
import { endless, errorOf, noStartTls, unreachable } from "./verdict.ts";

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
async function provingClient(mailbox: Mailbox, transcript: Transcript) {
  const { ImapFlow } = await import("imapflow");
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
          `${transcript.where} asks for no login, which proves nothing`,
        );
      }
      const prefix = "AUTH=";
      const offered = [...this.capabilities.keys()]
        .filter((name) => name.startsWith(prefix))
        .map((name) => name.slice(prefix.length));
      this.mechanism = chooseMechanism(offered, mailbox, transcript);
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

/** What follows from what imapflow logs. */
function heed(
  entry: Entry,
  client: { stats(): { received: number }; giveUpFor(trouble: unknown): void },
  transcript: Transcript,
): void {
  const { where, lines } = transcript;
  if (entry.src === "c") transcript.sent(entry.msg ?? "");
  if (entry.src === "s") {
    transcript.heard(entry.msg ?? "");
    // imapflow waits for a greeting that it knows.
    const isUnwelcome = lines.length === 1 && read(transcript).greeting?.is !== "welcome";
    if (isUnwelcome) client.giveUpFor(connectionError("ECONNRESET"));
  }
  if (client.stats().received > maxReceived) client.giveUpFor(errorOf(endless(where, "IMAP")));
  if (entry.throttleDelay === undefined) return;
  const retryAfter = Math.ceil(entry.throttleDelay / 1000);
  const facts = { host: where, code: "ETHROTTLE", retryAfter };
  const words = `${where} is throttling: it asks to wait ${retryAfter} seconds`;
  client.giveUpFor(new MxtokenError("unreachable", words, { retryAfter, facts }));
}

/**
 * A client that is not connected yet. It does not sit out a throttled server's waiting time, and lets no
 * server talk without an end, which imapflow by itself does.
 */
export async function imapClient(
  world: Net,
  mailbox: Mailbox,
  accessToken: Secret,
  transcript: Transcript,
) {
  const ProvingClient = await provingClient(mailbox, transcript);
  const imap = serverOf(mailbox, "imap");
  const note = (entry: Entry) => {
    try {
      heed(entry, client, transcript);
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

/** imapflow's codes for a connection that ended, and the names that `networkError()` knows. */
const networkCodes: ReadonlyMap<string, string> = new Map([
  ["NoConnection", "ECONNRESET"],
  ["EConnectionClosed", "ECONNRESET"],
  ["StateLogout", "ECONNRESET"],
  ["ClosedAfterConnectTLS", "ECONNRESET"],
  ["ClosedAfterConnectText", "ECONNRESET"],
  ["UPGRADE_TIMEOUT", "CONNECT_TIMEOUT"],
  ["ETIMEOUT", "ETIMEDOUT"],
]);

/** imapflow's codes for more than it was allowed to take. */
const tooMuch =
  /^(?:LineTooLarge|LiteralTooLarge|ResponseTooLarge|TooManyTokens|TooManyResponses)$/;

/** imapflow's codes for answers that are no IMAP, or not now. */
const notImap =
  /^(?:ParserError.*|MAX_IMAP_NESTING_REACHED|UnexpectedTag|MissingTag|InvalidResponse|ResponseProcessingFailed|STARTTLS_INJECTION)$/;

/** What `judge()` understands, in place of an error of imapflow's. */
export function fromImapflow(error: unknown, transcript: Transcript): unknown {
  if (error instanceof MxtokenError || !(error instanceof Error)) return error;
  const value: Record<string, unknown> = { ...error };
  const { where } = transcript;
  if (typeof value["responseStatus"] === "string") return new Answered();
  const code = typeof value["code"] === "string" ? value["code"] : "";
  if (tooMuch.test(code)) return errorOf(endless(where, "IMAP"));
  if (notImap.test(code)) {
    const words = `${where} does not speak IMAP as it should (${code})`;
    return errorOf(unreachable(words, { host: where }));
  }
  if (value["tlsFailed"] === true && /STARTTLS/.test(error.message)) {
    const isAnswered = read(transcript).refusal !== undefined;
    return isAnswered ? new Answered() : errorOf(noStartTls(transcript));
  }
  const networkCode = networkCodes.get(code);
  return networkCode === undefined ? error : connectionError(networkCode, error);
}
