const mark = "mxtoken: ";
/** Below this, folding makes a column of single words. */
const narrowest = 40;

/**
 * Breaks what is said between words where a terminal would break it in the middle of one. Addresses
 * and commands, which stand on lines without our mark, stay whole: they are there to be copied.
 *
 * @param columns of the terminal; undefined or 0 where there is none
 */
export function fold(line: string, columns: number | undefined): string {
  if (columns === undefined || columns < narrowest || !line.startsWith(mark)) return line;
  const indent = " ".repeat(mark.length);
  const [first = "", ...words] = line
    .slice(mark.length)
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
