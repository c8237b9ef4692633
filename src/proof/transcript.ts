import type { Protocol } from "../mail-server.ts";

/** A line of a conversation with a mail server, or a reply of several lines. */
export interface Line {
  readonly by: "client" | "server";
  /** of the server, as it came */
  readonly text: string;
}

/** What is known of a conversation with a mail server. */
export interface Heard {
  readonly protocol: Protocol;
  /** `host:port`, perhaps with the proxy on the way to it */
  readonly where: string;
  /** who logs in */
  readonly login: string;
  /** characters of the access token */
  readonly tokenLength: number;
  /** makes the server's words fit to be shown */
  readonly say: (words: string) => string;
  /** as they came and went */
  readonly lines: readonly Line[];
}

/** Many times what is said before and during a login. A LIST has more, which nobody judges. */
const lineLimit = 100;

/** Characters of a line that are remembered: many times what says something of the login. */
const textLimit = 4096;

/** Remembers what is said: the greeting, and the last lines. */
export class Transcript implements Heard {
  readonly protocol: Protocol;
  readonly where: string;
  readonly login: string;
  readonly tokenLength: number;
  readonly say: (words: string) => string;
  readonly lines: Line[] = [];
  readonly #trace: (text: string) => void;

  /** @param trace gets every line, fit to be shown */
  constructor(
    { protocol, where, login, tokenLength, say }: Omit<Heard, "lines">,
    trace: (text: string) => void,
  ) {
    this.protocol = protocol;
    this.where = where;
    this.login = login;
    this.tokenLength = tokenLength;
    this.say = say;
    this.#trace = trace;
  }

  /** A line that the client sends. */
  sent(line: string): void {
    const text = this.say(line);
    this.#note({ by: "client", text });
    this.#trace(`${this.protocol.toUpperCase()} > ${text}`.trimEnd());
  }

  /** A line that the server has sent; in SMTP, the lines of a reply in one. */
  heard(reply: string): void {
    const text = reply.slice(0, textLimit).replaceAll("\r", "");
    this.#note({ by: "server", text });
    for (const line of text.split("\n")) {
      this.#trace(`${this.protocol.toUpperCase()} < ${this.say(line)}`);
    }
  }

  #note(line: Line): void {
    this.lines.push(line);
    if (this.lines.length > lineLimit) this.lines.splice(1, 1);
  }
}
