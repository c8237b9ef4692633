import { MxtokenError, systemReason } from "../errors.ts";
import type { World } from "../world/world.ts";
import { type Line, printable, written } from "./line.ts";

/** While so many bytes wait for somebody to take them, nothing is drawn, and more is left out. */
const drawnUpTo = 16 * 1024;
const keptUpTo = 1024 * 1024;

/** Standard error: lines that stay, and on a terminal some below them that are drawn again and again. */
export class Screen {
  readonly #stream: World["stderr"];
  #foot: readonly string[] = [];
  #leftOut = 0;

  constructor(stream: World["stderr"]) {
    this.#stream = stream;
  }

  /** How wide it is; undefined where it is no terminal. */
  get columns(): number | undefined {
    return this.#stream.isTTY ? this.#stream.columns : undefined;
  }

  say(lines: readonly Line[]): void {
    if (lines.length === 0) return;
    if (this.#stream.writableLength > keptUpTo) {
      this.#leftOut += lines.length;
      return;
    }
    const { columns } = this;
    const text = [...this.#gap(), ...lines].map((line) => written(line, columns)).join("\n");
    this.#stream.write(`${this.#withoutFoot}${text}\n${this.#footText}`);
  }

  /** Puts these lines below everything that is said, in the place of those before. */
  foot(lines: readonly string[]): void {
    if (this.#stream.writableLength > drawnUpTo) return;
    const erase = this.#withoutFoot;
    this.#foot = lines.map(printable);
    this.#stream.write(`${erase}${this.#footText}`);
  }

  /** What is said in the place of lines that nobody took. */
  #gap(): Line[] {
    if (this.#leftOut === 0) return [];
    const say = `${this.#leftOut} lines are left out: nobody took them`;
    this.#leftOut = 0;
    return [{ say }];
  }

  /** What takes the foot away: the cursor goes up to its first line, and clears from there on. */
  get #withoutFoot(): string {
    return this.#foot.length === 0 ? "" : `\u001b[${this.#foot.length}A\r\u001b[J`;
  }

  get #footText(): string {
    return this.#foot.map((line) => `${line}\n`).join("");
  }
}

/** Bytes that may wait on standard output. */
const dataLimit = 16 * 1024 * 1024;

/** Standard output: what was asked for, and nothing else. */
export class Output {
  readonly #stream: World["stdout"];

  constructor(stream: World["stdout"]) {
    this.#stream = stream;
  }

  /** A line of data; where nobody takes them, a month of them would fill the memory. */
  line(line: string): void {
    if (this.#stream.writableLength < dataLimit) this.#stream.write(`${line}\n`);
  }

  /**
   * Resolves when it is written.
   *
   * @throws MxtokenError `unwritable`
   */
  write(text: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#stream.write(text, (cause) => {
        if (!cause) resolve();
        else {
          const why = `cannot write to standard output: ${systemReason(cause)}`;
          reject(new MxtokenError("unwritable", why, { cause }));
        }
      });
    });
  }
}
