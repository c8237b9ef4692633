// What is copied from a mail, a chat, a terminal or a log is seldom the bare address: it is wrapped, quoted,
// escaped, or stands within another address. Nobody can tell which of these was done, so each is undone
// where it can be, and whoever reads the text takes the first reading that makes sense.

/** How often what was done is undone: an address that was encoded, quoted and wrapped needs three. */
const depth = 4;
/** No text has more readings; of one that is made to have them, the first ones do. */
const readingLimit = 100;

/**
 * Every way to read a text: as it stands first, then with less and less of what was done to it. None has
 * invisible characters.
 */
export function readingsOf(text: string): readonly string[] {
  const found = new Set([withoutInvisible(text)]);
  let latest: readonly string[] = [...found];
  for (let round = 0; round < depth && latest.length > 0; round += 1) {
    const next = latest.flatMap((reading) => decoders.map((decode) => decode(reading)));
    const others = [...new Set(next)].filter((reading) => !found.has(reading));
    latest = others.slice(0, readingLimit - found.size);
    for (const reading of latest) found.add(reading);
  }
  return [...found];
}

/** Byte-order marks, zero-width characters and marks of direction; blanks of all kinds are blanks. */
function withoutInvisible(text: string): string {
  return text
    .replace(/\p{Cf}|\p{Default_Ignorable_Code_Point}/gu, "")
    .replace(/[^\S\r\n]+/g, " ")
    .replace(/\r\n?/g, "\n");
}

/** The lines of a mail or of a terminal as one, without marks of quoting, margins and continuation. */
function joined(text: string): string {
  return text
    .split("\n")
    .map((line) => line.replace(/^[\s>|│┃]*/, "").replace(/[\s\\|│┃]*$/, ""))
    .join("");
}

/** What was wrapped, and whose line ends have become blanks. */
function squeezed(text: string): string {
  return text.replace(/\s+/g, "");
}

/** RFC 2045 section 6.7 */
function fromQuotedPrintable(text: string): string {
  if (!/=\s*\n|=3D/i.test(text)) return text;
  return text
    .replace(/=[^\S\n]*\n/g, "")
    .replace(/=([0-9A-F]{2})/gi, (_whole, hex: string) => String.fromCharCode(Number(`0x${hex}`)));
}

const entities: Readonly<Record<string, string>> = {
  amp: "&",
  quot: '"',
  lt: "<",
  gt: ">",
  equals: "=",
};

/** HTML's character references. */
function withoutEntities(text: string): string {
  return text.replace(
    /&(?:#(\d{1,4})|#x([\da-f]{1,4})|([a-z]+));/gi,
    (whole, decimal, hex, name) => {
      if (name !== undefined) return entities[name.toLowerCase()] ?? whole;
      return String.fromCharCode(Number(decimal ?? `0x${hex}`));
    },
  );
}

/** Escapes of JSON, and of a shell that takes `?`, `&` and `=` for its own. */
function withoutBackslashes(text: string): string {
  return text
    .replace(/\\u([\da-f]{4})/gi, (_whole, hex: string) => String.fromCharCode(Number(`0x${hex}`)))
    .replace(/\\x([\da-f]{2})/gi, (_whole, hex: string) => String.fromCharCode(Number(`0x${hex}`)))
    .replace(/\\([^\w\s])/g, "$1");
}

/** An address within another one, or one that was encoded as a whole. */
function percentDecoded(text: string): string {
  if (!/%(?:3d|26|3f|23|25)/i.test(text)) return text;
  return text.replace(/(?:%[\da-f]{2})+/gi, (encoded) => {
    try {
      return decodeURIComponent(encoded);
    } catch {
      return encoded;
    }
  });
}

/** Within the links of Proofpoint's URL Defense, version 2, `-` stands for `%` and `_` for `/`. */
function fromUrlDefense(text: string): string {
  if (!/urldefense\.proofpoint\.com\/v2\//i.test(text)) return text;
  return text
    .replaceAll("_", "/")
    .replace(/-([\dA-F]{2})/gi, (_whole, hex: string) => String.fromCharCode(Number(`0x${hex}`)));
}

/** What developer tools show as a table, and what programs print: names and values. */
function fromPairs(text: string): string {
  const pairs = [
    ...text.matchAll(
      /(?<![\w?&#%-])["']?(code|state|iss|error|error_description)["']?\s*(?:=>|[:\s])\s*["']?([^\s"',;{}&=]+)["']?/gi,
    ),
  ].map(([, name = "", value = ""]) => {
    const given = value.includes("%") ? safelyDecoded(value) : value;
    return [name.toLowerCase(), given] as [string, string];
  });
  return pairs.length < 2 ? text : `?${new URLSearchParams(pairs)}`;
}

function safelyDecoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

const decoders = [
  joined,
  fromQuotedPrintable,
  withoutEntities,
  withoutBackslashes,
  percentDecoded,
  fromUrlDefense,
  fromPairs,
  squeezed,
];
