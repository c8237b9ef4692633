import stringWidth from "string-width";

/** How many columns of a terminal a text takes. */
export function columnsOf(text: string): number {
  return stringWidth(text);
}

/** Cuts a text so that it takes that many columns at most, and shows that it was cut. */
export function cutTo(text: string, columns: number): string {
  if (columnsOf(text) <= columns) return text;
  const characters = [...text];
  while (characters.length > 0 && columnsOf(characters.join("")) > columns - 1) characters.pop();
  return columns < 1 ? "" : `${characters.join("")}…`;
}

/** Fills a text up with blanks to that many columns. */
export function filledTo(text: string, columns: number): string {
  return text + " ".repeat(Math.max(0, columns - columnsOf(text)));
}
