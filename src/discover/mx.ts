import { randomInt } from "node:crypto";
import type * as Dns from "dns2";
import type { AnyProviderRow, GatewayRow } from "../catalog/provider-row.ts";
import { providers } from "../catalog/providers.ts";
import { gateways, passwordOnlyProviders } from "../catalog/without-tokens.ts";
import {
  type DnsRecord,
  type DnsSections,
  headerLength,
  internet,
  mxType,
  readSections,
} from "./dns-records.ts";

/** A provider and the MX host that tells it. */
export interface Match {
  readonly row: AnyProviderRow;
  readonly host: string;
  /** whether a source says for sure that the host is this provider's */
  readonly isConfirmed: boolean;
}

/** What the names of a domain's MX hosts tell. */
type MxVerdict =
  | ({ readonly is: "provider" } & Match)
  /** hosts of several providers, as in the middle of a move, or one that several share */
  | { readonly is: "ambiguous"; readonly matches: readonly Match[] }
  | { readonly is: "gateway"; readonly gateway: GatewayRow; readonly host: string }
  | { readonly is: "unknown" };

/**
 * Whose the MX hosts are. Every host counts: a backup at another provider would lead the mailbox
 * of a person to the wrong place.
 *
 * @param hosts by preference, the best first; lower case
 */
export function judgeMx(hosts: readonly string[]): MxVerdict {
  const all = hosts.flatMap((host) =>
    [...providers, ...passwordOnlyProviders].flatMap((row): Match[] => {
      if (matchesAny(host, row.notMx ?? [])) return [];
      const isConfirmed = matchesAny(host, row.mx);
      return isConfirmed || matchesAny(host, row.unconfirmedMx ?? [])
        ? [{ row, host, isConfirmed }]
        : [];
    }),
  );
  const matches = all.filter(
    ({ row }, index) => all.findIndex((other) => other.row === row) === index,
  );
  const [match, ...others] = matches;
  if (others.length > 0) return { is: "ambiguous", matches };
  if (match !== undefined) return { is: "provider", ...match };
  for (const host of hosts) {
    const gateway = gatewayOf(host);
    if (gateway !== undefined) return { is: "gateway", gateway, host };
  }
  return { is: "unknown" };
}

/** The mail gateway that a host is of. */
export function gatewayOf(host: string): GatewayRow | undefined {
  return gateways.find(({ mx }) => matchesAny(host, mx));
}

function matchesAny(host: string, patterns: readonly string[]): boolean {
  return patterns.some((pattern) => matchesHost(host, pattern));
}

/**
 * Whether a host's name fits a pattern, by whole labels: `*.google.com` is every name below
 * google.com and not google.com itself; a pattern without a star is that very name.
 */
export function matchesHost(host: string, pattern: string): boolean {
  const name = host.toLowerCase();
  if (!pattern.startsWith("*.")) return name === pattern;
  const suffix = pattern.slice(1);
  return name.length > suffix.length && name.endsWith(suffix) && !name.startsWith(".");
}

/** An MX record of a domain. */
export interface MxHost {
  readonly preference: number;
  /** lower case; "" is the null MX (RFC 7505) */
  readonly name: string;
}

/** What a resolver says to a question for MX records. */
export type MxReply =
  /** by preference, the best first */
  | { readonly is: "hosts"; readonly hosts: readonly MxHost[] }
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

const noSuchDomain = 3;
const failures: Readonly<Record<number, string>> = {
  1: "FORMERR",
  2: "SERVFAIL",
  4: "NOTIMP",
  5: "REFUSED",
};

/**
 * Writes and reads the messages of one look-up (RFC 1035). dns2 writes the question; whether a
 * message answers it, and what it says, is judged here, because dns2 takes whatever comes with the
 * right id.
 *
 * @param domain in ASCII (IDNA), lower case
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
  Packet: typeof Dns.Packet,
  { id, domain }: { id: number; domain: string },
  message: Buffer,
): MxReply | undefined {
  if (message.length < headerLength) return undefined;
  const header = Packet.Header.parse(message);
  const { rcode } = header;
  const isMine = header.id === id && header.qr === 1 && header.opcode === 0;
  if (!isMine) return undefined;
  const failed = { is: "failed", reason: failures[rcode] ?? `rcode ${rcode}` } as const;
  // Who cannot read a question may answer without repeating it.
  if (header.qdcount === 0 && rcode !== 0 && rcode !== noSuchDomain) return failed;
  const sections = readSections(message, header);
  if (sections === undefined || !isSameQuestion(sections, domain)) return undefined;
  if (header.tc === 1) return { is: "truncated" };
  if (rcode === noSuchDomain) return { is: "noSuchDomain" };
  if (rcode !== 0) return failed;
  const { answers } = sections;
  if (answers === undefined) return undefined;
  if (answers.length === 0 && header.ra === 0 && header.aa === 0) {
    return { is: "failed", reason: "it resolves nothing for others" };
  }
  return { is: "hosts", hosts: hostsOf(domain, answers) };
}

function isSameQuestion({ questions }: DnsSections, domain: string): boolean {
  const [question] = questions;
  return (
    questions.length === 1 &&
    question?.name === domain &&
    question.type === mxType &&
    question.class === internet
  );
}

function hostsOf(domain: string, answers: readonly DnsRecord[]): MxHost[] {
  const owner = canonicalName(domain, answers);
  const hosts = answers.flatMap((record) =>
    record.is === "mx" && record.owner === owner
      ? [{ preference: record.preference, name: record.host }]
      : [],
  );
  return hosts.sort((one, other) => one.preference - other.preference);
}

/** Follows the aliases that an answer may begin with (RFC 1034 section 3.6.2). */
function canonicalName(name: string, answers: readonly DnsRecord[]): string {
  const aliases = new Map(
    answers.flatMap((record) =>
      record.is === "cname" ? [[record.owner, record.target] as const] : [],
    ),
  );
  let current = name;
  // A chain is not longer than the answer; a circle would have no end.
  for (const _step of aliases) current = aliases.get(current) ?? current;
  return current;
}
