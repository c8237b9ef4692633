import type { Socket } from "node:net";
import type { Certificates } from "./certificates.ts";
import { type LineServer, LineSession, readResponse, startLineServer } from "./line-session.ts";

/** How the scripted server takes a login. */
export type PopAnswer =
  | "accept"
  /** with an error challenge, as Gmail does */
  | "refuse"
  /** without one, as Microsoft does */
  | "refuseAtOnce"
  /** accepted, and then no maildrop is opened */
  | "noMaildrop"
  | "temporary"
  | "inUse"
  | "loginDelay"
  | "authCode"
  /** does not read an initial response: asks for it again */
  | "askAgain"
  | "quote"
  | "bye"
  | "drop"
  | "mute"
  /** a line that never ends */
  | "flood"
  /** more lines than anybody asked for */
  | "chatter"
  /** challenges for ever */
  | "insist"
  | "gibberish"
  | PopSentence;

/** AUTH, or STAT after it, is answered in these words. */
export interface PopSentence {
  readonly at: "AUTH" | "STAT";
  readonly says: string;
  /** the error challenge before it */
  readonly challenge?: Readonly<Record<string, string>>;
}

/** A POP3 server that accepts, refuses and misbehaves on demand. */
export interface PopPeer extends LineServer {
  readonly logins: { mechanism: string; user: string; token: string; server: string }[];
  /** every line that came, without what follows a mechanism */
  readonly commands: string[];
  /** the octets of the longest command line, with its line end */
  longestCommand: number;
  login: (token: string) => PopAnswer | Promise<PopAnswer>;
  greeting: string | undefined;
  /** the lines that answer CAPA; undefined: -ERR */
  capabilities: readonly string[] | undefined;
  /** the response must come on a line of its own */
  wantsTwoLines: boolean;
  /** how STLS is answered; `mute`: accepted, and then no handshake */
  startTls: "accept" | "refuse" | "mute";
  /** sent in clear in the same packet as the answer to STLS */
  injection: string;
  isPolite: boolean;
  isAway: boolean;
  /** is told every line that came */
  heard: (line: string) => void;
}

type Script = Omit<PopPeer, keyof LineServer>;

/** @param tls `starttls` begins in clear, and takes AUTH only after STLS */
export async function startPopPeer(
  certificates: Certificates,
  tls: "implicit" | "starttls" = "implicit",
): Promise<PopPeer> {
  const peer: Script = {
    logins: [],
    commands: [],
    longestCommand: 0,
    login: () => "accept",
    greeting: "+OK ready",
    capabilities: ["TOP", "UIDL", "SASL PLAIN XOAUTH2 OAUTHBEARER", "USER"],
    wantsTwoLines: false,
    startTls: "accept",
    injection: "",
    isPolite: true,
    isAway: false,
    heard: () => undefined,
  };
  const server = await startLineServer(certificates, tls, (socket) => {
    if (peer.isAway) socket.destroy();
    else new Session(peer, socket, certificates).start();
  });
  return Object.assign(peer, server);
}

class Session extends LineSession {
  readonly #peer: Script;
  #expected: "response" | "challengeReply" | undefined;
  #mechanism = "";
  #answer: PopAnswer | undefined;
  #lastWord = "-ERR [AUTH] Username and password not accepted.";

  constructor(peer: Script, socket: Socket, certificates: Certificates) {
    super(socket, certificates);
    this.#peer = peer;
  }

  start(): void {
    if (this.#peer.greeting !== undefined) this.say(this.#peer.greeting);
    this.listen();
  }

  protected async line(text: string): Promise<void> {
    this.#peer.heard(text);
    const expected = this.#expected;
    this.#expected = undefined;
    if (expected === "response") return this.#authenticate(text);
    if (expected === "challengeReply") return this.#end(text);
    const [name = "", first = "", response] = text.split(" ");
    const verb = name.toUpperCase();
    this.#peer.commands.push(verb === "AUTH" ? `AUTH ${first}` : text);
    this.#peer.longestCommand = Math.max(this.#peer.longestCommand, text.length + 2);
    const { capabilities } = this.#peer;
    if (verb === "CAPA") {
      this.say(...(capabilities === undefined ? ["-ERR what?"] : ["+OK", ...capabilities, "."]));
    } else if (verb === "STLS") this.#beginTls();
    else if (verb === "AUTH") return this.#auth(first, response);
    else if (verb === "STAT") this.#stat();
    else if (verb === "QUIT") {
      if (!this.#peer.isPolite) return;
      this.say("+OK bye");
      this.socket.end();
    } else this.say("-ERR what?");
  }

  #beginTls(): void {
    if (this.#peer.startTls === "refuse") {
      this.say("-ERR what?");
      return;
    }
    this.socket.write(`+OK go ahead\r\n${this.#peer.injection}`);
    if (this.#peer.startTls === "accept") this.startTls();
  }

  #stat(): void {
    if (typeof this.#answer === "object") this.say(this.#answer.says);
    else if (this.#answer !== "accept") this.say("-ERR Access to the maildrop is denied.");
    else this.say("+OK 7 12345");
  }

  async #auth(mechanism: string, response: string | undefined): Promise<void> {
    if (!this.isSecure) return this.say("-ERR not without TLS");
    if (response !== undefined && this.#peer.wantsTwoLines) return this.say("-ERR Protocol error");
    this.#mechanism = mechanism;
    if (response !== undefined) return this.#authenticate(response);
    this.#expected = "response";
    this.say("+ ");
  }

  async #authenticate(response: string): Promise<void> {
    const login = readResponse(this.#mechanism, response);
    this.#peer.logins.push(login);
    const isSecondTime = this.#answer !== undefined;
    this.#answer = await this.#peer.login(login.token);
    if (typeof this.#answer === "object") return this.#sayAsTold(this.#answer);
    switch (this.#answer) {
      case "accept":
      case "noMaildrop":
        return this.say("+OK logged in");
      case "refuse": {
        const challenge = { status: "400", schemes: "Bearer", scope: "https://mail.google.com/" };
        this.#expected = "challengeReply";
        return this.say(`+ ${Buffer.from(JSON.stringify(challenge)).toString("base64")}`);
      }
      case "refuseAtOnce":
        return this.say("-ERR Authentication failure: unknown user name or bad password.");
      case "temporary":
        return this.say("-ERR [SYS/TEMP] Authentication service is away");
      case "inUse":
        return this.say("-ERR [IN-USE] Do you have another POP session running?");
      case "loginDelay":
        return this.say("-ERR [LOGIN-DELAY] minimum time between mail checks is 15 minutes");
      case "authCode":
        return this.say("-ERR [AUTH] not accepted; try again later");
      case "askAgain":
        if (isSecondTime) {
          this.#answer = "accept";
          return this.say("+OK logged in");
        }
        this.#expected = "response";
        return this.say("+ ");
      case "quote":
        return this.say(
          `-ERR invalid token: ${response} nor ${response.slice(0, 400)} ${login.token}`,
        );
      case "bye":
        this.say("-ERR [SYS/TEMP] Server is going down");
        this.socket.end();
        return;
      case "drop":
        this.socket.destroy();
        return;
      case "mute":
        return;
      case "flood":
        return this.#flood("x".repeat(1000));
      case "chatter":
        return this.#flood("-ERR what?\r\n".repeat(100));
      case "insist":
        this.#expected = "response";
        return this.say("+ bm8=");
      case "gibberish":
        return this.say("HTTP/1.1 400 Bad Request");
    }
  }

  #sayAsTold({ at, says, challenge }: PopSentence): void {
    if (at === "STAT") this.say("+OK logged in");
    else if (challenge === undefined) this.say(says);
    else {
      this.#lastWord = says;
      this.#expected = "challengeReply";
      this.say(`+ ${Buffer.from(JSON.stringify(challenge)).toString("base64")}`);
    }
  }

  /** RFC 7628 section 3.2.3: the error comes after the client's answer to the challenge. */
  #end(text: string): void {
    this.#peer.commands.push(text);
    const isRight = text === (this.#mechanism === "XOAUTH2" ? "" : "AQ==");
    this.say(isRight ? this.#lastWord : "-ERR Protocol error");
  }

  #flood(piece: string): void {
    const more = () => {
      if (this.socket.writable) this.socket.write(piece, more);
    };
    more();
  }
}
