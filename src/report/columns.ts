/** Characters that take two columns: East Asian Width W and F of Unicode, by their blocks. */
const wide =
  /^[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}\p{Emoji_Presentation}]/u;

/** Characters that stand over the one before them. */
const over = /^[\p{Mn}\p{Me}]/u;

/** How many columns of a terminal a text takes. */
export function columnsOf(text: string): number {
  let columns = 0;
  for (const character of text) columns += columnsOfOne(character);
  return columns;
}

function columnsOfOne(character: string): number {
  if (over.test(character)) return 0;
  return wide.test(character) ? 2 : 1;
}

/** Cuts a text so that it takes that many columns at most, and shows that it was cut. */
export function cutTo(text: string, columns: number): string {
  if (columnsOf(text) <= columns) return text;
  let cut = "";
  let taken = 0;
  for (const character of text) {
    taken += columnsOfOne(character);
    if (taken > columns - 1) break;
    cut += character;
  }
  return columns < 1 ? "" : `${cut}…`;
}

/** Fills a text up with blanks to that many columns. */
export function filledTo(text: string, columns: number): string {
  return text + " ".repeat(Math.max(0, columns - columnsOf(text)));
}
