import type { Socket } from "node:net";
import { connectionError } from "../world/network-error.ts";
import type { Transcript } from "./transcript.ts";
import { endless, errorOf } from "./verdict.ts";

/** Octets; RFC 2449 allows 512 for a reply, and a challenge may be longer. */
const maxLine = 16 * 1024;
const maxBuffered = 64 * 1024;
const maxLines = 100;

/**
 * The lines of POP3 (RFC 1939) in both directions. It lasts as long as its socket; what a server
 * can make it remember is bounded.
 */
export class PopClient {
  #socket: Socket;
  readonly #transcript: Transcript;
  #buffered = "";
  #failure: Error | undefined;
  #wake: () => void = () => undefined;

  /** @param transcript gets every line */
  constructor(socket: Socket, transcript: Transcript) {
    this.#socket = socket;
    this.#transcript = transcript;
    this.#listen();
  }

  /** Sends a line and resolves with the reply's first line. */
  async ask(line: string): Promise<string> {
    this.#transcript.sent(line);
    this.#socket.write(`${line}\r\n`);
    return this.read();
  }

  /** The rest of a reply that has several lines, up to the line with nothing but a dot. */
  async readMore(): Promise<string[]> {
    const lines: string[] = [];
    for (;;) {
      const line = await this.read();
      if (line === ".") return lines;
      if (lines.push(line) > maxLines) throw this.#tooMuch();
    }
  }

  /** @throws Error in Node's form when the connection has ended, or a line does not end */
  async read(): Promise<string> {
    for (;;) {
      const end = this.#buffered.indexOf("\n");
      if (end > maxLine || (end < 0 && this.#buffered.length > maxLine)) throw this.#tooMuch();
      if (end >= 0) {
        const line = this.#buffered.slice(0, end).replace(/\r$/, "");
        this.#buffered = this.#buffered.slice(end + 1);
        const text = Buffer.from(line, "latin1").toString();
        this.#transcript.heard(text);
        return text;
      }
      if (this.#failure !== undefined) throw this.#failure;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** What is being read, and all that is read later, fails. */
  fail(error: Error): void {
    this.#failure ??= error;
    this.#wake();
  }

  /**
   * Goes on over TLS. What the server has said before belongs to whoever stands on the way, and is
   * forgotten (RFC 2595 section 2.4).
   *
   * @param upgrade makes a secure socket of the plain one
   */
  async upgrade(upgrade: (plain: Socket) => Promise<Socket>): Promise<void> {
    this.#socket.off("data", this.#take);
    this.#buffered = "";
    this.#socket = await upgrade(this.#socket);
    this.#listen();
  }

  close(): void {
    this.#socket.destroy();
  }

  #listen(): void {
    this.#socket.on("data", this.#take);
    this.#socket.on("error", (error) => this.fail(error));
    const ended = () => this.fail(connectionError("ECONNRESET"));
    if (this.#socket.destroyed) ended();
    else this.#socket.on("close", ended);
    // A socket from a proxy is paused.
    this.#socket.resume();
  }

  readonly #take = (chunk: Buffer) => {
    this.#buffered += chunk.toString("latin1");
    if (this.#buffered.length > maxBuffered) {
      this.#buffered = "";
      this.fail(this.#tooMuch());
      this.close();
    } else {
      this.#wake();
    }
  };

  #tooMuch(): Error {
    return errorOf(endless(this.#transcript.where, "POP3"));
  }
}
