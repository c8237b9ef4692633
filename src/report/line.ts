import { MxtokenError } from "../errors.ts";
import { ofAccount } from "../events.ts";
import { systemReason } from "../system-error.ts";
import type { World } from "../world/world.ts";

/**
 * One line for standard error. What is said has our mark in front of it and is folded; what is to be
 * copied (an address, a code, a command) and what is drawn stays whole.
 */
export type Line =
  | {
      readonly say: string;
      /** what kind of sentence it is, where that is said */
      readonly as?: "warning" | "note" | "hint" | undefined;
      /** which account it is about, where there are many */
      readonly of?: string | undefined;
    }
  | { readonly copy: string }
  /** a command line, ready to be copied */
  | { readonly command: string }
  /** a row of a picture, in colours of its own */
  | { readonly draw: string };

export const mark = "mxtoken: ";
/** Below this, folding makes a column of single words. */
const narrowest = 40;

/**
 * A line as it is written.
 *
 * @param columns of the terminal; undefined or 0 where there is none
 */
export function written(line: Line, columns: number | undefined): string {
  if ("draw" in line) return line.draw;
  if ("copy" in line) return printable(line.copy);
  if ("command" in line) return printable(`  ${line.command}`);
  const kind = line.as === undefined ? "" : `${line.as}: `;
  return fold(printable(ofAccount(line.of, kind + line.say)), columns);
}

/** What a person can do about something, and what to type for it. */
export function remedy(
  hint: string | undefined,
  commands: readonly string[] | undefined = [],
): readonly Line[] {
  const hints: Line[] = hint === undefined ? [] : [{ say: hint, as: "hint" }];
  return [...hints, ...commands.map((command) => ({ command }))];
}

/**
 * Takes the power out of a line for a terminal: a path may hold whatever a file system takes, also what
 * moves the cursor, begins a new line or turns the direction of the text.
 */
export function printable(line: string): string {
  return line.replace(/[\p{Cc}\p{Zl}\p{Zp}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu, "�");
}

/** Marks what is said, and breaks it between words where a terminal would break it in the middle of one. */
function fold(text: string, columns: number | undefined): string {
  if (columns === undefined || columns < narrowest) return mark + text;
  const indent = " ".repeat(mark.length);
  const [first = "", ...words] = text
    .split(" ")
    .flatMap((word) => (mark.length + word.length > columns ? halves(word) : [word]));
  let folded = mark + first;
  let column = folded.length;
  for (const word of words) {
    const fits = column + 1 + word.length <= columns;
    folded += fits ? ` ${word}` : `\n${indent}${word}`;
    column = (fits ? column + 1 : indent.length) + word.length;
  }
  return folded;
}

/** A fingerprint is as long as a line, and is compared, not copied. */
function halves(word: string): string[] {
  const [, first, second] =
    /^((?:[0-9A-F]{2}:){16})((?:[0-9A-F]{2}:){15}[0-9A-F]{2})$/.exec(word) ?? [];
  return first === undefined || second === undefined ? [word] : [first, second];
}

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
