// People make files with whatever program they have: PowerShell's `>` writes UTF-16, Excel and Notepad begin
// UTF-8 with a byte-order mark, and a key may be in a form that is no text at all.

/** Bytes that are not read as text. */
export interface NoText {
  readonly is: "noText";
  /** whether it is said what they are instead */
  readonly isKnown: boolean;
  /** half a sentence without its subject */
  readonly why: string;
  /** how to make a text of it, where that is known */
  readonly hint: string | undefined;
}

/**
 * Decodes a text: UTF-8, and UTF-16 where its byte-order mark says so or every one of its characters does;
 * without its byte-order mark. What is neither, or not for sure, is named.
 */
export function decodeText(bytes: Buffer): { readonly is: "read"; readonly text: string } | NoText {
  const [first = 0] = bytes;
  // Most tokens do, and nothing else that is known.
  const isSmallLetter = first >= 0x61 && first <= 0x7a;
  const beginning = isSmallLetter ? "" : bytes.toString("hex", 0, 16);
  const binary = isSmallLetter ? undefined : binaries.find(({ begins }) => begins.test(beginning));
  if (binary !== undefined) {
    const { what, hint } = binary;
    return { is: "noText", isKnown: true, why: `is ${what}, and no text`, hint };
  }
  const encoding = encodingOf(bytes);
  if (encoding === "UTF-8") return read(bytes.toString("utf8"));
  if (encoding === "UTF-16LE") return read(bytes.toString("utf16le"));
  if (encoding === "UTF-16BE") return read(Buffer.from(bytes).swap16().toString("utf16le"));
  if (encoding === undefined) {
    return { is: "noText", isKnown: false, why: "holds bytes that no text has", hint: undefined };
  }
  return { is: "noText", isKnown: true, why: `is ${encoding}, and UTF-8 is wanted`, hint: toUtf8 };
}

/**
 * The text in some bytes, for whoever looks for himself what it is: what has no text is read as UTF-8, with
 * characters that no text has. It is empty only where there are no bytes.
 *
 * @param known what {@link decodeText} has made of them, where that was asked
 */
export function textOf(bytes: Buffer | undefined, known?: ReturnType<typeof decodeText>): string {
  if (bytes === undefined) return "";
  const decoded = known ?? decodeText(bytes);
  const text = decoded.is === "read" ? decoded.text : bytes.toString("utf8");
  return text === "" && bytes.length > 0 ? mark : text;
}

/** Decodes a text that comes piece by piece, as {@link decodeText} does; its beginning tells the encoding. */
export class TextPieces {
  #decoder: InstanceType<typeof TextDecoder> | undefined;
  #begin: Buffer = Buffer.alloc(0);

  /** @param piece a text is one that was decoded by others */
  decode(piece: Buffer | string): string {
    if (typeof piece === "string") return piece;
    if (this.#decoder === undefined) {
      this.#begin = Buffer.concat([this.#begin, piece]);
      if (this.#begin.length < 2) return "";
      return this.#decodeBegin();
    }
    return this.#decoder.decode(piece, { stream: true });
  }

  /** What is left when nothing more comes. */
  end(): string {
    const begin = this.#decoder === undefined ? this.#decodeBegin() : "";
    return begin + (this.#decoder?.decode() ?? "");
  }

  #decodeBegin(): string {
    const [first, second] = this.#begin;
    const isLittle = (first === 0xff && second === 0xfe) || (first !== 0 && second === 0);
    const isBig = (first === 0xfe && second === 0xff) || (first === 0 && second !== undefined);
    const name = isLittle ? "utf-16le" : isBig ? "utf-16be" : "utf-8";
    this.#decoder = new TextDecoder(name);
    return this.#decoder.decode(this.#begin, { stream: true });
  }
}

const mark = "\uFEFF";
const toUtf8 =
  "write it in UTF-8: PowerShell does so by `Set-Content -Encoding utf8`, and iconv by `-t UTF-8`";

function read(text: string) {
  let start = 0;
  // Files that were put together have several.
  while (text.startsWith(mark, start)) start += mark.length;
  return { is: "read", text: text.slice(start) } as const;
}

/** @returns what is read, or what is named; undefined for what is no text that is known */
function encodingOf(
  bytes: Buffer,
): "UTF-8" | "UTF-16LE" | "UTF-16BE" | `${string} UTF-${string}` | undefined {
  const isEven = bytes.length % 2 === 0;
  const [first = 0] = bytes;
  const begin = first === 0 || first >= 0xfe ? bytes.toString("hex", 0, 4) : "";
  if (begin === "fffe0000" || begin === "0000feff") return "in UTF-32";
  if (begin.startsWith("fffe")) return isEven ? "UTF-16LE" : "cut off in UTF-16";
  if (begin.startsWith("feff")) return isEven ? "UTF-16BE" : "cut off in UTF-16";
  const zero = bytes.indexOf(0);
  if (zero === -1) return "UTF-8";
  const { even, odd } = countZeros(bytes);
  const half = Math.floor(bytes.length / 2);
  if (isEven && even === 0 && odd === half) return "UTF-16LE";
  if (isEven && odd === 0 && even === half) return "UTF-16BE";
  if (isWide(bytes)) return "in UTF-32";
  if (zero > 1 && isUtf16From(bytes, zero)) return "partly in UTF-16";
  const isUtf16 = Math.max(even, odd) > half / 4 && Math.min(even, odd) <= half / 100;
  return isUtf16 ? "in UTF-16 without a byte-order mark" : undefined;
}

function countZeros(bytes: Buffer): { readonly even: number; readonly odd: number } {
  const counts = [0, 0];
  for (let at = bytes.indexOf(0); at !== -1; at = bytes.indexOf(0, at + 1)) {
    counts[at % 2] = (counts[at % 2] ?? 0) + 1;
  }
  return { even: counts[0] ?? 0, odd: counts[1] ?? 0 };
}

/** Whether it is UTF-32: every four bytes are a character. */
function isWide(bytes: Buffer): boolean {
  if (bytes.length % 4 !== 0) return false;
  const isLittle = bytes.readUInt32LE(0) < 0x110000;
  for (let at = 0; at < bytes.length; at += 4) {
    const character = isLittle ? bytes.readUInt32LE(at) : bytes.readUInt32BE(at);
    if (character === 0 || character >= 0x110000) return false;
  }
  return true;
}

/** Whether plain text goes on in UTF-16, as PowerShell's `>>` leaves it. */
function isUtf16From(bytes: Buffer, zero: number): boolean {
  return [zero - 1, zero].some((start) => {
    const rest = bytes.subarray(start);
    const { even, odd } = countZeros(rest);
    const half = Math.floor(rest.length / 2);
    return half > 0 && Math.min(even, odd) === 0 && Math.max(even, odd) >= half;
  });
}

const toPem = (words: string) => `in PEM form it is read: openssl ${words} -in FILE -out FILE.pem`;

/** What binary files begin with, in hexadecimal; the more special stand first. */
const binaries: readonly {
  readonly begins: RegExp;
  readonly what: string;
  readonly hint?: string;
}[] = [
  { begins: der("020103"), what: "a PKCS#12 file", hint: toPem("pkcs12 -nodes") },
  { begins: der("02010[01]"), what: "a private key in DER form", hint: toPem("pkey -inform DER") },
  {
    begins: der("0609"),
    what: "PKCS#7 in DER form",
    hint: toPem("pkcs7 -inform DER -print_certs"),
  },
  { begins: der("30"), what: "a certificate in DER form", hint: toPem("x509 -inform DER") },
  { begins: der(""), what: "in DER form" },
  { begins: /^feedfeed/, what: "a key store of Java" },
  { begins: /^1f8b/, what: "compressed by gzip" },
  { begins: /^425a68..314159265359/, what: "compressed by bzip2" },
  { begins: /^fd377a585a00/, what: "compressed by xz" },
  { begins: /^28b52ffd/, what: "compressed by zstd" },
  { begins: /^377abcaf271c/, what: "a 7-Zip archive" },
  { begins: /^504b0304/, what: "a ZIP archive or a document of Office" },
  { begins: /^255044462d/, what: "a PDF document" },
  { begins: /^53514c69746520666f726d6174203300/, what: "an SQLite database" },
  { begins: /^7f454c46|^4d5a..00/, what: "a program" },
];

/** A SEQUENCE that is longer than any text could make it seem (ITU-T X.690), and what it begins with. */
function der(content: string): RegExp {
  return new RegExp(`^30(?:80|81..|82.{4}|83.{6})${content}`);
}
