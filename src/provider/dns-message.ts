import { randomInt } from "node:crypto";
import type * as Dns from "dns2";
import { harmless } from "../secret.ts";

/** What a resolver says to a question for MX records. */
export type MxReply =
  /** by preference, the best first; a null MX (RFC 7505) is the one host "" */
  | { readonly is: "hosts"; readonly hosts: readonly string[] }
  | { readonly is: "noSuchDomain" }
  /** the whole answer is to be had by TCP */
  | { readonly is: "truncated" }
  /** the resolver could not find out, or does not want to */
  | { readonly is: "failed"; readonly reason: string };

/** A question for the MX records of a domain, and the reading of its answers. */
export interface MxQuestion {
  readonly message: Buffer;
  /** undefined for whatever is no answer to this very question */
  read(message: Buffer): MxReply | undefined;
}

/** RFC 1035 section 4.1.1 */
const headerLength = 12;
/** a name of one byte, type, class, time to live, and the length of no data */
const shortestRecord = 11;
const noSuchDomain = 3;
const failures: Readonly<Record<number, string>> = {
  1: "FORMERR",
  2: "SERVFAIL",
  4: "NOTIMP",
  5: "REFUSED",
};

type PacketClass = typeof Dns.Packet;

/**
 * Writes and reads the messages of one look-up (RFC 1035). dns2 does the wire format; whether a
 * message answers this question, and what it says, is judged here, because dns2 takes whatever
 * comes with the right id.
 *
 * @param domain in ASCII (IDNA)
 */
export async function mxQuestion(domain: string): Promise<MxQuestion> {
  const { Packet } = await import("dns2");
  const id = randomInt(0x10000);
  const query = new Packet();
  Object.assign(query.header, { id, rd: 1 });
  query.questions.push(new Packet.Question(domain, Packet.TYPE.MX, Packet.CLASS.IN));
  return {
    message: query.toBuffer(),
    read: (message) => readReply(Packet, { id, domain }, message),
  };
}

function readReply(
  Packet: PacketClass,
  { id, domain }: { id: number; domain: string },
  message: Buffer,
): MxReply | undefined {
  if (message.length < headerLength) return undefined;
  const header = Packet.Header.parse(message);
  const isMine = header.id === id && header.qr === 1 && header.opcode === 0;
  if (!isMine) return undefined;
  // Who cannot read a question may answer without repeating it.
  if (header.qdcount === 0 && header.rcode !== 0 && header.rcode !== noSuchDomain) {
    return { is: "failed", reason: reasonOf(header.rcode) };
  }
  if (!isPlausible(header, message.length)) return undefined;
  const { questions, answers } = Packet.parse(message);
  const { MX } = Packet.TYPE;
  const isSame = questions.some(
    (question) =>
      sameName(question.name, domain) && question.type === MX && question.class === Packet.CLASS.IN,
  );
  if (!isSame) return undefined;
  if (header.tc === 1) return { is: "truncated" };
  if (header.rcode === noSuchDomain) return { is: "noSuchDomain" };
  if (header.rcode !== 0) {
    return { is: "failed", reason: reasonOf(header.rcode) };
  }
  // dns2 passes over a record that it cannot read, which might be the one that counts.
  if (answers.length !== header.ancount) return undefined;
  if (answers.length === 0 && header.ra === 0 && header.aa === 0) {
    return { is: "failed", reason: "it resolves nothing for others" };
  }
  const owner = canonicalName(domain, answers, Packet.TYPE.CNAME);
  const records = answers.filter(({ type, name }) => type === MX && sameName(name, owner));
  records.sort((one, other) => (one.priority ?? 0) - (other.priority ?? 0));
  // A label may hold any byte, and names are shown on terminals.
  const hosts = records.map(({ exchange }) => harmless(exchange ?? "").toLowerCase());
  return { is: "hosts", hosts };
}

/** Follows the aliases that an answer may begin with (RFC 1034 section 3.6.2). */
function canonicalName(
  name: string,
  answers: readonly { name: string; type: number; domain?: string }[],
  cname: number,
): string {
  let current = name;
  // A chain is not longer than the answer; a circle would have no end.
  for (const _step of answers) {
    const alias = answers.find(
      ({ type, name: owner }) => type === cname && sameName(owner, current),
    );
    if (alias?.domain === undefined) return current;
    current = alias.domain;
  }
  return current;
}

function reasonOf(rcode: number): string {
  return failures[rcode] ?? `rcode ${rcode}`;
}

/** dns2 spends seconds on a message that announces more records than it can hold. */
function isPlausible(
  header: { qdcount: number; ancount: number; nscount: number; arcount: number },
  length: number,
): boolean {
  const { qdcount, ancount, nscount, arcount } = header;
  return qdcount === 1 && ancount + nscount + arcount <= length / shortestRecord;
}

function sameName(one: string, other: string): boolean {
  return one.toLowerCase() === other.toLowerCase();
}
