import { createServer as createPlainServer, type Socket } from "node:net";
import { createServer as createTlsServer, TLSSocket } from "node:tls";
import type { Certificates } from "./certificates.ts";
import { closedInTheEnd } from "./closing.ts";

/** How the scripted server takes a login. */
export type LoginAnswer =
  | "accept"
  | "refuse"
  /** accepted, and then every command says that no mailbox is connected, as Exchange does */
  | "notConnected"
  /** LIST works, INBOX does not open */
  | "noInbox"
  | "unavailable"
  | "limit"
  | "throttle"
  | "bye"
  | "drop"
  | "mute"
  | ImapSentence
  | ImapFlood;

/** One command is answered in these words, the login itself or one after it. */
export interface ImapSentence {
  readonly at: "AUTHENTICATE" | "LIST" | "EXAMINE";
  /** without the tag */
  readonly says: string;
  /** the error challenge before it */
  readonly challenge?: Readonly<Record<string, string>>;
}

/** One command is answered without an end, by one piece again and again. */
export interface ImapFlood {
  readonly at: ImapSentence["at"];
  readonly begin?: string;
  readonly floods: string;
}

/** An IMAP server that accepts, refuses and misbehaves on demand. */
export interface ImapPeer {
  readonly port: number;
  /** the logins that were tried */
  readonly logins: { mechanism: string; user: string; token: string }[];
  /** every command line, without arguments of AUTHENTICATE */
  readonly commands: string[];
  /** decides about a login; may wait */
  login: (token: string) => LoginAnswer | Promise<LoginAnswer>;
  greeting: string | undefined;
  capabilities: string;
  /** by which the initial response is asked for, where it is not read from the command's line */
  prompt: string;
  /** whether it is read there */
  readsInitialResponse: boolean;
  /** octets that were sent in floods */
  flooded: number;
  /** whether LOGOUT is answered */
  isPolite: boolean;
  /** whether a connection is dropped before the greeting */
  isAway: boolean;
  close(): Promise<void>;
}

/** @param tls `starttls` begins in clear and offers STARTTLS while `capabilities` says so */
export async function startImapPeer(
  certificates: Certificates,
  tls: "implicit" | "starttls" = "implicit",
): Promise<ImapPeer> {
  const sockets = new Set<Socket>();
  const peer: ImapPeer = {
    port: 0,
    logins: [],
    commands: [],
    login: () => "accept",
    greeting: "* OK ready",
    capabilities: "IMAP4rev1 SASL-IR AUTH=XOAUTH2 AUTH=OAUTHBEARER",
    prompt: "+ ",
    readsInitialResponse: true,
    flooded: 0,
    isPolite: true,
    isAway: false,
    close: closedInTheEnd(async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    }),
  };
  const { key, cert } = certificates;
  const serve = (socket: Socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    socket.on("close", () => sockets.delete(socket));
    if (peer.isAway) socket.destroy();
    else new Session(peer, socket, certificates).start();
  };
  const server =
    tls === "implicit" ? createTlsServer({ key, cert }, serve) : createPlainServer(serve);
  server.on("tlsClientError", () => undefined);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  return Object.assign(peer, { port });
}

class Session {
  readonly #peer: ImapPeer;
  readonly #certificates: Certificates;
  #socket: Socket;
  #buffer = "";
  #answer: LoginAnswer = "accept";
  /** what comes after the client's answer to an error challenge */
  #lastWord: string | undefined;
  #asked: { tag: string; mechanism: string } | undefined;

  constructor(peer: ImapPeer, socket: Socket, certificates: Certificates) {
    this.#peer = peer;
    this.#socket = socket;
    this.#certificates = certificates;
  }

  start(): void {
    if (this.#peer.greeting !== undefined) this.#say(this.#peer.greeting);
    this.#listen();
  }

  #listen(): void {
    this.#socket.on("data", (chunk) => {
      this.#buffer += chunk.toString("latin1");
      for (;;) {
        const end = this.#buffer.indexOf("\r\n");
        if (end < 0) return;
        const line = this.#buffer.slice(0, end);
        this.#buffer = this.#buffer.slice(end + 2);
        void this.#command(line);
      }
    });
  }

  #say(...lines: string[]): void {
    if (!this.#socket.destroyed) this.#socket.write(lines.map((line) => `${line}\r\n`).join(""));
  }

  async #command(line: string): Promise<void> {
    if (this.#lastWord !== undefined) {
      this.#say(this.#lastWord);
      this.#lastWord = undefined;
      return;
    }
    if (this.#asked !== undefined) {
      const { tag, mechanism } = this.#asked;
      this.#asked = undefined;
      return this.#authenticate(tag, mechanism, line);
    }
    const [tag = "*", verb = "", ...rest] = line.split(" ");
    const name = verb.toUpperCase();
    this.#peer.commands.push(name === "AUTHENTICATE" ? name : [name, ...rest].join(" "));
    if (name === "AUTHENTICATE") return this.#begin(tag, rest[0] ?? "", rest[1]);
    if (typeof this.#answer === "object" && this.#answer.at === name) {
      return this.#sayAsTold(tag, this.#answer);
    }
    if (name === "CAPABILITY") {
      this.#say(`* CAPABILITY ${this.#peer.capabilities}`, `${tag} OK done`);
    } else if (name === "STARTTLS") {
      this.#say(`${tag} OK begin`);
      this.#startTls();
    } else if (name === "LOGOUT") {
      if (!this.#peer.isPolite) return;
      this.#say("* BYE bye", `${tag} OK done`);
      this.#socket.end();
    } else if (this.#answer === "notConnected") {
      this.#say(`${tag} BAD User is authenticated but not connected.`);
    } else if (name === "LIST" || name === "LSUB") {
      this.#say(`* ${name} (\\HasNoChildren) "/" INBOX`, `${tag} OK done`);
    } else if (name === "EXAMINE" && this.#answer === "noInbox") {
      this.#say(`${tag} NO Mailbox doesn't exist`);
    } else if (name === "EXAMINE") {
      this.#say(
        "* FLAGS (\\Seen)",
        "* 7 EXISTS",
        "* OK [UIDVALIDITY 1] ok",
        `${tag} OK [READ-ONLY] done`,
      );
    } else {
      this.#say(`${tag} OK done`);
    }
  }

  async #begin(tag: string, mechanism: string, response: string | undefined): Promise<void> {
    if (response !== undefined && !/\bSASL-IR\b/.test(this.#peer.capabilities)) {
      return this.#say(`${tag} BAD Too many arguments`);
    }
    if (response !== undefined && this.#peer.readsInitialResponse) {
      return this.#authenticate(tag, mechanism, response);
    }
    this.#asked = { tag, mechanism };
    this.#say(this.#peer.prompt);
  }

  #sayAsTold(tag: string, answer: ImapSentence | ImapFlood): void {
    if ("floods" in answer) this.#flood(answer);
    else if (answer.challenge === undefined) this.#say(`${tag} ${answer.says}`);
    else {
      this.#lastWord = `${tag} ${answer.says}`;
      this.#say(`+ ${Buffer.from(JSON.stringify(answer.challenge)).toString("base64")}`);
    }
  }

  #flood({ begin = "", floods }: ImapFlood): void {
    const more = () => {
      if (!this.#socket.writable) return;
      this.#peer.flooded += floods.length;
      this.#socket.write(floods, more);
    };
    this.#socket.write(begin, more);
  }

  async #authenticate(tag: string, mechanism: string, response: string): Promise<void> {
    const decoded = Buffer.from(response, "base64").toString();
    const fields = decoded.split("\u0001");
    const user = /^(?:user=|n,a=)([^,]*)/.exec(fields[0] ?? "")?.[1] ?? "";
    const bearer = "auth=Bearer ";
    const token = fields.find((field) => field.startsWith(bearer))?.slice(bearer.length) ?? "";
    this.#peer.logins.push({ mechanism, user, token });
    this.#answer = await this.#peer.login(token);
    if (typeof this.#answer === "object" && this.#answer.at === "AUTHENTICATE") {
      return this.#sayAsTold(tag, this.#answer);
    }
    switch (this.#answer) {
      case "refuse": {
        this.#lastWord = `${tag} NO [AUTHENTICATIONFAILED] Invalid credentials`;
        const challenge = { status: "400", schemes: "Bearer", scope: "https://mail.google.com/" };
        this.#say(`+ ${Buffer.from(JSON.stringify(challenge)).toString("base64")}`);
        return;
      }
      case "unavailable":
        return this.#say(`${tag} NO [UNAVAILABLE] Temporary authentication failure.`);
      case "limit":
        return this.#say(`${tag} NO Too many simultaneous connections. (Failure)`);
      case "throttle":
        return this.#say(
          `${tag} BAD Request is throttled. Suggested Backoff Time: 92415 milliseconds`,
        );
      case "bye":
        this.#say("* BYE Server is going down for maintenance");
        this.#socket.end();
        return;
      case "drop":
        this.#socket.destroy();
        return;
      case "mute":
        return;
      default:
        this.#say(`${tag} OK [CAPABILITY ${this.#peer.capabilities}] Logged in`);
    }
  }

  #startTls(): void {
    this.#socket.removeAllListeners("data");
    const { key, cert } = this.#certificates;
    this.#socket = new TLSSocket(this.#socket, { isServer: true, key, cert });
    this.#socket.on("error", () => undefined);
    this.#listen();
  }
}
