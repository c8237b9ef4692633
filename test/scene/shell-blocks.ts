/** One fenced block of a document. */
export interface Block {
  /** `sh`, `console` and the like */
  readonly language: string;
  readonly text: string;
  /** the nearest heading above it */
  readonly heading: string;
  readonly line: number;
}

/**
 * The fenced blocks of a Markdown document.
 *
 * @throws Error at a fence of another form, whose block would be passed over
 */
export function blocksOf(markdown: string): Block[] {
  const blocks: Block[] = [];
  let heading = "";
  let open: { language: string; line: number; lines: string[] } | undefined;
  markdown.split("\n").forEach((text, index) => {
    const fence = /^```(\w*)$/.exec(text);
    if (fence === null && /^\s*(```|~~~)/.test(text)) throw new Error(`line ${index + 1}: ${text}`);
    if (fence !== null && open === undefined) {
      open = { language: fence[1] ?? "", line: index + 1, lines: [] };
    } else if (fence !== null && open !== undefined) {
      const { language, line, lines } = open;
      blocks.push({ language, line, heading, text: lines.join("\n") });
      open = undefined;
    } else if (open !== undefined) {
      open.lines.push(text);
    } else if (text.startsWith("#")) {
      heading = text.replace(/^#+ /, "");
    }
  });
  return blocks;
}
