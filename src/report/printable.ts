/**
 * Takes the power out of a line for a terminal: a path may hold whatever a file system takes, also what
 * moves the cursor, begins a new line or turns the direction of the text.
 */
export function printable(line: string): string {
  return line.replace(/[\p{Cc}\p{Zl}\p{Zp}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu, "�");
}
