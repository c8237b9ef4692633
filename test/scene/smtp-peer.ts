import type { Socket } from "node:net";
import type { Certificates } from "./certificates.ts";
import { type LineServer, LineSession, readResponse, startLineServer } from "./line-session.ts";

/** How the scripted server takes a login. */
export type SmtpAnswer =
  | "accept"
  /** with an error challenge, as Gmail does */
  | "refuse"
  /** without one, as Microsoft does */
  | "refuseAtOnce"
  | "tenantDisabled"
  | "mailboxDisabled"
  | "temporary"
  /** does not read an initial response: asks for it again */
  | "askAgain"
  /** quotes what it was sent */
  | "quote"
  | "bye"
  | "drop"
  | "mute"
  /** begins a reply that never ends */
  | "flood"
  /** challenges for ever */
  | "insist"
  | SmtpSentence;

/** AUTH is answered in these words. */
export interface SmtpSentence {
  /** lines, separated by line feeds */
  readonly says: string;
  /** the error challenge before it */
  readonly challenge?: Readonly<Record<string, string>>;
}

/** An SMTP submission server that accepts, refuses and misbehaves on demand. */
export interface SmtpPeer extends LineServer {
  /** the logins that were tried */
  readonly logins: { mechanism: string; user: string; token: string; server: string }[];
  /** every line that came, without what follows a mechanism */
  readonly commands: string[];
  /** responses that did not come with AUTH itself, because AUTH's line is too short for them */
  responsesOnNextLine: number;
  login: (token: string) => SmtpAnswer | Promise<SmtpAnswer>;
  /** undefined: nothing is said at all */
  greeting: string | undefined;
  /** the lines that answer EHLO, beside the first; undefined: 502 */
  extensions: readonly string[] | undefined;
  /** how STARTTLS is answered; `mute`: accepted, and then no handshake */
  startTls: "accept" | "refuse" | "mute";
  /** sent in clear in the same packet as the answer to STARTTLS */
  injection: string;
  /** whether QUIT is answered */
  isPolite: boolean;
  /** whether a connection is dropped before the greeting */
  isAway: boolean;
  /** is told every line that came */
  heard: (line: string) => void;
}

type Script = Omit<SmtpPeer, keyof LineServer>;

/** @param tls `starttls` begins in clear, offers STARTTLS, and takes AUTH only over TLS */
export async function startSmtpPeer(
  certificates: Certificates,
  tls: "implicit" | "starttls" = "implicit",
): Promise<SmtpPeer> {
  const peer: Script = {
    logins: [],
    commands: [],
    responsesOnNextLine: 0,
    login: () => "accept",
    greeting: "220 mail.example.test ESMTP",
    extensions: ["SIZE 1000000", "AUTH PLAIN LOGIN XOAUTH2 OAUTHBEARER", "8BITMIME"],
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

/** RFC 5321 section 4.5.3.1.4 */
const maxCommand = 512;

const tenantDisabled =
  "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant. Visit https://aka.ms/smtp_auth_disabled for more information.";

class Session extends LineSession {
  readonly #peer: Script;
  /** what the next line is, inside AUTH */
  #expected: "response" | "challengeReply" | undefined;
  #mechanism = "";
  #hasAskedAgain = false;
  #lastWord: readonly string[] = [
    "535-5.7.8 Username and Password not accepted. For more information, go to",
    "535 5.7.8  https://support.example.test/mail - gsmtp",
  ];

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
    if (verb === "EHLO") this.#ehlo();
    else if (verb === "STARTTLS") this.#beginTls();
    else if (verb === "QUIT") this.#quit();
    else if (verb !== "AUTH") this.say("502 5.5.1 not implemented");
    else if (!this.isSecure) this.say("530 5.7.0 Must issue a STARTTLS command first");
    else {
      this.#mechanism = first;
      if (text.length + 2 > maxCommand) return this.say("500 5.5.6 Line too long");
      if (response !== undefined) return this.#authenticate(response);
      this.#peer.responsesOnNextLine += 1;
      this.#expected = "response";
      this.say("334 ");
    }
  }

  #ehlo(): void {
    const { extensions } = this.#peer;
    if (extensions === undefined) {
      this.say("502 5.5.1 not implemented");
      return;
    }
    const offers = this.isSecure ? [] : ["STARTTLS"].filter(() => this.#peer.startTls !== "refuse");
    const lines = ["mail.example.test", ...offers, ...extensions];
    this.say(...lines.map((line, index) => `250${index === lines.length - 1 ? " " : "-"}${line}`));
  }

  #beginTls(): void {
    if (this.#peer.startTls === "refuse") {
      this.say("502 5.5.1 not implemented");
      return;
    }
    this.socket.write(`220 2.0.0 go ahead\r\n${this.#peer.injection}`);
    if (this.#peer.startTls === "accept") this.startTls();
  }

  #quit(): void {
    if (!this.#peer.isPolite) return;
    this.say("221 2.0.0 bye");
    this.socket.end();
  }

  async #authenticate(response: string): Promise<void> {
    const login = readResponse(this.#mechanism, response);
    this.#peer.logins.push(login);
    const answer = await this.#peer.login(login.token);
    if (typeof answer === "object") return this.#sayAsTold(answer);
    switch (answer) {
      case "accept":
        return this.say("235 2.7.0 Authentication successful");
      case "refuse": {
        const challenge = { status: "400", schemes: "Bearer", scope: "https://mail.google.com/" };
        this.#expected = "challengeReply";
        return this.say(`334 ${Buffer.from(JSON.stringify(challenge)).toString("base64")}`);
      }
      case "refuseAtOnce":
        return this.say("535 5.7.3 Authentication unsuccessful [host.example.test]");
      case "tenantDisabled":
        return this.say(tenantDisabled);
      case "mailboxDisabled":
        return this.say(tenantDisabled.replace("Tenant", "Mailbox"));
      case "temporary":
        return this.say("454 4.7.0 Temporary authentication failure");
      case "askAgain":
        if (this.#hasAskedAgain) return this.say("235 2.7.0 Authentication successful");
        this.#hasAskedAgain = true;
        this.#expected = "response";
        return this.say("334 ");
      case "quote":
        return this.say(
          `535-5.7.8 not taken: ${response}`,
          `535-5.7.8 nor: ${response.slice(0, 400)}`,
          `535 5.7.8 nor: ${login.token}`,
        );
      case "bye":
        this.say("421 4.3.2 Service shutting down");
        this.socket.end();
        return;
      case "drop":
        this.socket.destroy();
        return;
      case "mute":
        return;
      case "flood":
        return this.#flood();
      case "insist":
        this.#expected = "response";
        return this.say("334 bm8=");
    }
  }

  #sayAsTold({ says, challenge }: SmtpSentence): void {
    if (challenge === undefined) this.say(...says.split("\n"));
    else {
      this.#lastWord = says.split("\n");
      this.#expected = "challengeReply";
      this.say(`334 ${Buffer.from(JSON.stringify(challenge)).toString("base64")}`);
    }
  }

  /** RFC 7628 section 3.2.3: the error comes after the client's answer to the challenge. */
  #end(text: string): void {
    this.#peer.commands.push(text);
    const isRight = text === (this.#mechanism === "XOAUTH2" ? "" : "AQ==");
    this.say(...(isRight ? this.#lastWord : ["501 5.5.2 Cannot decode response"]));
  }

  #flood(): void {
    const more = () => {
      if (this.socket.writable) this.socket.write(`250-${"x".repeat(1000)}\r\n`, more);
    };
    more();
  }
}
