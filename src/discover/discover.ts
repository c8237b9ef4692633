import type { AnyProviderRow, PasswordOnlyRow, ProviderRow } from "../catalog/provider-row.ts";
import { passwordOnlyProviderByName, providerByName, providers } from "../catalog/providers.ts";
import { passwordOnlyProviders } from "../catalog/without-tokens.ts";
import { MxtokenError, type NoProviderReason } from "../errors.ts";
import type { Evidence, ProviderEvidence, Tell } from "../events.ts";
import { parseAddress, parseDomain } from "../mailbox.ts";
import { providerByHand, withoutOAuth } from "../settings/provider.ts";
import { type Resolver, showEndpoint, systemResolvers } from "../settings/servers.ts";
import type { Clock, Net, Stop } from "../world/world.ts";
import { lookUpMx, type MxAnswer } from "./look-up-mx.ts";
import { judgeMx, type Match, type MxHost } from "./mx.ts";

/** A provider, and why it is the one. */
interface Discovered<Row = AnyProviderRow, Why = Evidence> {
  readonly row: Row;
  readonly evidence: Why;
}

/**
 * Finds the provider of a mail domain: by the domain itself where it is known, else by its MX
 * records. It may be one whose IMAP server takes no OAuth 2.0 token; one that is only probable is
 * never another.
 *
 * @param domain in ASCII (IDNA)
 * @param resolver asked instead of the system's
 * @param onLookUp called before anybody is asked, because that may take a while
 * @throws MxtokenError `noProvider`; `unreachable` when DNS gives no answer; Interrupted
 */
export async function discover(
  world: Clock & Net & Stop,
  domain: string,
  resolver: Resolver | undefined,
  onLookUp: () => void,
): Promise<Discovered> {
  const rows = [...providers, ...passwordOnlyProviders];
  const known = rows.find(({ domains }) => domains.includes(domain));
  if (known !== undefined) return { row: known, evidence: { by: "domain", domain } };
  onLookUp();
  const resolvers = resolver === undefined ? await systemResolvers(world) : [resolver];
  return judgeMxAnswer(domain, await lookUpMx(world, domain, resolvers));
}

/**
 * A provider whose IMAP server takes a token.
 *
 * @throws MxtokenError `noProvider` where it takes none
 */
export function requireOAuth<Why extends ProviderEvidence>({
  row,
  evidence,
}: Discovered<AnyProviderRow, Why>): Discovered<ProviderRow, Why> {
  if (!("instead" in row)) return { row, evidence };
  throw withoutOAuth(row, inWords(row, evidence));
}

function inWords({ name }: PasswordOnlyRow, evidence: ProviderEvidence): string {
  if (evidence.by === "domain") return `domain ${evidence.domain}`;
  if (evidence.by !== "mx") return `provider ${name}`;
  return `MX ${evidence.host}${evidence.isProbable ? ", which is probably theirs" : ""}`;
}

/** @throws MxtokenError `noProvider` */
function judgeMxAnswer(domain: string, { resolver, ...answer }: MxAnswer): Discovered {
  const isRight = `is the address right? If so, ${providerByHand}`;
  if (answer.is === "noSuchDomain") {
    throw notFound(
      "noSuchDomain",
      `the domain ${domain} does not exist (NXDOMAIN, says ${showEndpoint(resolver)})`,
      isRight,
    );
  }
  if (answer.hosts.length === 0) {
    throw notFound(
      "noMx",
      `${domain} has no MX records that would tell its provider`,
      providerByHand,
    );
  }
  const hosts = answer.hosts.filter(({ name }) => name !== "");
  if (hosts.length === 0) {
    throw notFound("nullMx", `${domain} takes no mail: its MX is null (RFC 7505)`, isRight);
  }
  return judgeHosts(domain, hosts);
}

/** @throws MxtokenError `noProvider` */
function judgeHosts(domain: string, hosts: readonly MxHost[]): Discovered {
  const names = hosts.map(({ name }) => name);
  const verdict = judgeMx(names);
  switch (verdict.is) {
    case "provider":
      return foundBy(verdict, hosts);
    case "ambiguous":
      throw ambiguous(domain, verdict.matches);
    case "gateway":
      throw notFound(
        "gateway",
        `the MX of ${domain}, ${verdict.host}, is a mail gateway of ${verdict.gateway.title}, which does not tell where the mailboxes are`,
        `for the provider behind it, ${providerByHand}`,
      );
    case "unknown":
      throw notFound(
        "unknownMx",
        `the MX of ${domain} is of no provider that is known: ${few(names)}`,
        providerByHand,
      );
  }
}

/** Enough to recognise them by; a domain may have hundreds. */
const shownHosts = 5;

function few(names: readonly string[]): string {
  const more = names.length - shownHosts;
  const shown = names.slice(0, shownHosts).join(", ");
  return more > 0 ? `${shown} and ${more} more` : shown;
}

function foundBy({ row, host, isConfirmed }: Match, hosts: readonly MxHost[]): Discovered {
  const own = hosts.find(({ name }) => name === host)?.preference ?? 0;
  const before = hosts.filter(({ preference }) => preference < own).map(({ name }) => name);
  const evidence = { by: "mx", host, before } as const;
  if (isConfirmed) return { row, evidence };
  if ("instead" in row) return { row, evidence: { ...evidence, isProbable: true } };
  throw notFound(
    "probableProvider",
    `the MX ${host} is probably of ${row.name} (${row.title}), but no source says so for sure, and no token is asked for on a guess`,
    `if that is right, pass --provider ${row.name}`,
  );
}

/** Hosts of several providers, or one that several share. */
function ambiguous(domain: string, matches: readonly Match[]): MxtokenError {
  const names = matches.map(({ row }) => row.name);
  const useful = matches.filter(({ row }) => !("instead" in row)).map(({ row }) => row.name);
  const hint =
    useful.length === 0
      ? matches
          .map(({ row }) => ("instead" in row ? `${row.title}: ${row.instead}` : ""))
          .join("; ")
      : `pass --provider ${useful.join(" or --provider ")}, ${useful.length > 1 ? "whichever has this mailbox" : "if that has this mailbox"}`;
  const [host, ...otherHosts] = new Set(matches.map((match) => match.host));
  const pairs = matches.map((match) => `${match.row.name} (MX ${match.host})`);
  return notFound(
    "severalProviders",
    otherHosts.length === 0
      ? `the MX of ${domain}, ${host}, ${matches.every(({ isConfirmed }) => isConfirmed) ? "is shared by more than one provider:" : "may be of"} ${names.join(" and ")}`
      : `the MX of ${domain} tells more than one provider: ${pairs.join(" and ")}`,
    hint,
  );
}

function notFound(reason: NoProviderReason, message: string, hint: string): MxtokenError {
  return new MxtokenError("noProvider", message, { hint, reason });
}

/** What `mxtoken provider` found; perhaps one whose IMAP server takes no OAuth 2.0 token. */
export type FoundProvider<Row = AnyProviderRow> = Discovered<Row, ProviderEvidence>;

/**
 * The provider of an address or of a mail domain; or the one of that name, which is a word without
 * a dot.
 *
 * @throws MxtokenError `usage`, `noProvider`, `unreachable`; Interrupted
 */
export async function identifyProvider(
  world: Clock & Net & Stop,
  text: string,
  resolver: Resolver | undefined,
  tell: Tell,
): Promise<FoundProvider> {
  const isName = !/[@.]/.test(text);
  const row = isName ? (providerByName(text) ?? passwordOnlyProviderByName(text)) : undefined;
  if (row !== undefined) return { row, evidence: { by: "name" } };
  const domain = text.includes("@") ? parseAddress(text).domain : parseDomain(text);
  return discover(world, domain, resolver, () => tell({ is: "lookingUpMx", domain }));
}
