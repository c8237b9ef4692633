import { ReadStream } from "node:fs";
import { MxtokenError } from "../errors.ts";
import { TextPieces } from "../world/text.ts";
import { Changes } from "../world/waiting.ts";
import type { Stop, Terminal } from "../world/world.ts";

// A pasted address may hold a code of several kilobytes; a line beyond this is no paste.
const lineLimit = 64 * 1024;

const waitingLines = 100;

const escapeSequence = new RegExp(`${"\x1b"}(?:\\[[0-9;?]*[ -/]*[@-~]|O.)`, "g");

const key = { interrupt: "\x03", endOfInput: "\x04", eraseLine: "\x15" } as const;

/**
 * Reads lines from standard input, from a terminal or a pipe.
 *
 * A terminal is put into raw mode: in its own line mode it cuts every line at 4,095 characters,
 * and it would echo the code, which is a secret; the person sees how much arrived instead.
 */
export class LineInput {
  readonly #world: Terminal & Stop;
  readonly #isTerminal: boolean;
  readonly #lines: string[] = [];
  #current = "";
  #tooLong = false;
  #ended = false;
  #started = false;
  readonly #pieces = new TextPieces();
  readonly #changes = new Changes();

  constructor(world: Terminal & Stop) {
    this.#world = world;
    this.#isTerminal = world.stdin.isTTY === true && world.stdin.setRawMode !== undefined;
  }

  /**
   * The next line that is not blank, without blanks around it; undefined at the end of the input.
   *
   * @param signal ends the wait
   * @throws the signal's reason; MxtokenError `usage` for a line over 64 KiB
   */
  async next(signal: AbortSignal): Promise<string | undefined> {
    this.open();
    for (;;) {
      signal.throwIfAborted();
      const line = this.#lines.shift();
      if (line !== undefined) {
        if (line.trim() !== "") return line.trim();
        continue;
      }
      this.#world.stdin.resume();
      if (this.#tooLong) throw new MxtokenError("usage", "the input has a line of over 64 KiB");
      if (this.#ended) return undefined;
      await this.#changes.next(signal);
    }
  }

  /**
   * Whether the input has already ended, as with `</dev/null` under cron and in CI. Waits for what
   * a file or device says at once, and never for a pipe whose other end may still write.
   */
  async isAtEnd(): Promise<boolean> {
    if (this.#isTerminal) return false;
    this.open();
    const quiet = () =>
      !this.#ended && !this.#tooLong && this.#lines.length === 0 && this.#current === "";
    // A file or a device like /dev/null answers at once, though through a thread of its own; the
    // end of a closed pipe is seen within a few turns of the event loop.
    const turns = this.#world.stdin instanceof ReadStream ? Number.POSITIVE_INFINITY : 20;
    for (let turn = 0; turn < turns && quiet(); turn += 1) {
      await new Promise((resolve) => setImmediate(resolve));
      this.#world.interrupted.throwIfAborted();
    }
    return this.#ended && this.#lines.every((line) => line.trim() === "");
  }

  /** The lines that have come already and that {@link next} has not given out. */
  get waiting(): readonly string[] {
    return this.#lines;
  }

  dropWaiting(): void {
    this.#lines.length = 0;
  }

  /** Makes room on the terminal for something else; the next key shows it again. */
  hideProgress(): void {
    if (this.#isTerminal && this.#current !== "" && this.#world.stderr.isTTY) {
      this.#world.stderr.write("\r\x1b[K");
    }
  }

  /** Gives the terminal back and lets the process end. */
  close(): void {
    if (!this.#started) return;
    this.hideProgress();
    this.#current = "";
    const { stdin } = this.#world;
    stdin.off("data", this.#onData);
    stdin.off("end", this.#onEnd);
    stdin.off("error", this.#onEnd);
    if (this.#isTerminal) stdin.setRawMode?.(false);
    stdin.pause();
    if ("unref" in stdin && typeof stdin.unref === "function") stdin.unref();
  }

  /** Begins to listen: before a person is asked, so that nothing typed early is cut or echoed. */
  open(): void {
    if (this.#started) return;
    this.#started = true;
    const { stdin } = this.#world;
    if (this.#isTerminal) stdin.setRawMode?.(true);
    // A terminal's first key may be one byte, and is waited for.
    if (this.#isTerminal) stdin.setEncoding("utf8");
    stdin.on("data", this.#onData);
    stdin.on("end", this.#onEnd);
    stdin.on("error", this.#onEnd);
    if (stdin.readableEnded) this.#onEnd();
    else stdin.resume();
  }

  readonly #onData = (piece: Buffer | string): void => {
    const text = this.#pieces.decode(piece);
    if (this.#isTerminal) this.#type(text);
    else this.#append(text);
    this.#changes.tell();
  };

  readonly #onEnd = (): void => {
    if (!this.#ended) this.#append(this.#pieces.end());
    if (this.#current !== "") this.#endLine();
    this.#ended = true;
    this.#changes.tell();
  };

  #append(chunk: string): void {
    const [first = "", ...rest] = chunk.split(/\r\n|\r|\n/);
    this.#grow(first);
    for (const part of rest) {
      this.#endLine();
      this.#grow(part);
    }
  }

  #grow(text: string): void {
    if (this.#current.length + text.length > lineLimit) {
      this.#tooLong = true;
      this.#world.stdin.pause();
      return;
    }
    this.#current += text;
  }

  #endLine(): void {
    this.#lines.push(this.#current);
    this.#current = "";
    // What nobody has asked for yet stays with the writer.
    if (this.#lines.length >= waitingLines) this.#world.stdin.pause();
  }

  #type(chunk: string): void {
    // Arrow keys and the marks of bracketed paste are no part of the line.
    const keys = chunk.replace(escapeSequence, "");
    for (const character of keys) {
      if (character === key.interrupt) this.#world.interrupt("SIGINT");
      else if (character === key.endOfInput) this.#onEnd();
      else if (character === key.eraseLine) this.#current = "";
      else if (character === "\b" || character === "\x7f")
        this.#current = this.#current.slice(0, -1);
      else if (character === "\r" || character === "\n") this.#endLine();
      else if (character >= " ") this.#grow(character);
    }
    this.#showProgress();
  }

  #showProgress(): void {
    const count = this.#current.length;
    const shown = count === 0 ? "" : `  ${count} characters, press Enter`;
    if (this.#world.stderr.isTTY) this.#world.stderr.write(`\r\x1b[K${shown}`);
  }
}
