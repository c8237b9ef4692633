import { gateways } from "../catalog/gateways.ts";
import type { GatewayRow, PasswordOnlyRow, ProviderRow } from "../catalog/provider-row.ts";
import { providers } from "../catalog/providers.ts";
import { passwordOnlyProviders } from "../catalog/without-oauth.ts";

type Row = ProviderRow | PasswordOnlyRow;

/** A provider and the MX host that tells it. */
export interface Match {
  readonly row: Row;
  readonly host: string;
  /** whether a source says for sure that the host is this provider's */
  readonly isConfirmed: boolean;
}

/** What the names of a domain's MX hosts tell. */
export type MxVerdict =
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
  const rows: readonly Row[] = [...providers, ...passwordOnlyProviders];
  const all = hosts.flatMap((host) =>
    rows.flatMap((row): Match[] => {
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
