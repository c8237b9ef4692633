/** One MX or CNAME record of an answer (RFC 1035 section 3.2.1). */
export type DnsRecord =
  | {
      readonly is: "mx";
      readonly owner: string;
      readonly preference: number;
      readonly host: string;
    }
  | { readonly is: "cname"; readonly owner: string; readonly target: string }
  | { readonly is: "other" };

/** One question (RFC 1035 section 4.1.2). */
interface DnsQuestion {
  readonly name: string;
  readonly type: number;
  readonly class: number;
}

/** What is asked, and what is answered to it. */
export interface DnsSections {
  readonly questions: readonly DnsQuestion[];
  /** undefined where they are damaged: a truncated message may end in the middle of one */
  readonly answers: readonly DnsRecord[] | undefined;
}

/** RFC 1035 section 4.1.1 */
export const headerLength = 12;
/** RFC 1035 section 3.2.2 */
export const mxType = 15;
const cnameType = 5;
/** RFC 1035 section 3.2.4 */
export const internet = 1;

/** No domain has so many MX hosts and aliases. */
const mostRecords = 1000;
/** A name has 127 labels at most, and a pointer stands for at least one of them. */
const mostPointers = 127;
const longestName = 255;
const longestLabel = 63;

// dns2 could read a message as well, but not what a hostile one says: it joins labels with dots,
// whatever is in them, so that a label like "x.google" becomes two; it follows chains of pointers as
// long as the message, for seconds; and it passes over a record that it cannot read.

/**
 * Reads the questions and the answers of a message (RFC 1035 section 4.1). The sections behind them
 * are of no interest.
 *
 * @returns undefined where not even the questions can be read, or where there are more records than
 * are honest
 */
export function readSections(
  message: Buffer,
  { qdcount, ancount }: { qdcount: number; ancount: number },
): DnsSections | undefined {
  if (qdcount + ancount > mostRecords) return undefined;
  const reader = new Reader(message);
  const questions = whole(qdcount, () => reader.question());
  if (questions === undefined) return undefined;
  return { questions, answers: whole(ancount, () => reader.record()) };
}

function whole<Part>(count: number, read: () => Part): Part[] | undefined {
  try {
    return Array.from({ length: count }, read);
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

/** Throws a RangeError where the message is damaged, as Buffer does where it ends. */
class Reader {
  readonly #message: Buffer;
  #offset = headerLength;

  constructor(message: Buffer) {
    this.#message = message;
  }

  question(): DnsQuestion {
    return { name: this.#name(), type: this.#number16(), class: this.#number16() };
  }

  record(): DnsRecord {
    const owner = this.#name();
    const type = this.#number16();
    const isInternet = this.#number16() === internet;
    const timeToLive = 4;
    this.#offset += timeToLive;
    const length = this.#number16();
    const end = this.#offset + length;
    const record = isInternet ? this.#data(type, owner) : undefined;
    // What the record says has its length, and nothing is left over.
    if (end > this.#message.length || (record !== undefined && this.#offset !== end)) {
      throw new RangeError("a record that does not have its length");
    }
    this.#offset = end;
    return record ?? { is: "other" };
  }

  #data(type: number, owner: string): DnsRecord | undefined {
    if (type === cnameType) return { is: "cname", owner, target: this.#name() };
    if (type !== mxType) return undefined;
    const preference = this.#number16();
    return { is: "mx", owner, preference, host: this.#name() };
  }

  #number16(): number {
    const value = this.#message.readUInt16BE(this.#offset);
    this.#offset += 2;
    return value;
  }

  /** A name in lower case, perhaps compressed (RFC 1035 section 4.1.4). */
  #name(): string {
    const labels: string[] = [];
    let at = this.#offset;
    let end: number | undefined;
    let pointers = 0;
    let octets = 1;
    for (let length = this.#message.readUInt8(at); length !== 0; ) {
      if (length >= 0xc0) {
        pointers += 1;
        end ??= at + 2;
        at = this.#message.readUInt16BE(at) & 0x3fff;
      } else if (length > longestLabel) {
        throw new RangeError("not a label");
      } else {
        labels.push(showLabel(this.#message.subarray(at + 1, at + 1 + length)));
        octets += 1 + length;
        at += 1 + length;
      }
      if (pointers > mostPointers || octets > longestName) throw new RangeError("an endless name");
      length = this.#message.readUInt8(at);
    }
    this.#offset = end ?? at + 1;
    return labels.join(".");
  }
}

/**
 * A label may hold any byte. What is no letter, digit, hyphen or underscore is shown by its number
 * (RFC 1035 section 5.1), so that a dot inside is told from one between labels, and a terminal shows
 * what is there.
 */
function showLabel(label: Buffer): string {
  return label
    .toString("latin1")
    .replace(/[^a-z0-9_-]/gi, (byte) => `\\${String(byte.charCodeAt(0)).padStart(3, "0")}`)
    .toLowerCase();
}
