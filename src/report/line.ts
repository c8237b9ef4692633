import { ofAccount } from "../events.ts";

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
