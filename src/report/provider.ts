import type { PasswordOnlyRow, ProviderRow } from "../catalog/provider-row.ts";
import type { FoundProvider } from "../discover/discover.ts";
import { gatewayOf } from "../discover/mx.ts";
import type { ProviderEvidence } from "../events.ts";
import type { Endpoint } from "../mail-server.ts";
import { showEndpoint } from "../settings/servers.ts";
import { loopbackRedirect } from "../sign-in/redirect.ts";

/** What is known of a provider, in lines for standard output. */
export function describeProvider(found: FoundProvider<ProviderRow>): string {
  const { row } = found;
  const { scopes } = row;
  return table([
    ...whoseAndWhere(found),
    ["authorization", endpoint(row, row.authorizationEndpoint)],
    ["token", endpoint(row, row.tokenEndpoint)],
    ["device", endpoint(row, row.deviceAuthorizationEndpoint)],
    ["revocation", endpoint(row, row.revocationEndpoint)],
    ["issuer", row.issuer],
    ["tenant", row.defaultTenant && `${row.defaultTenant} (another one: --tenant)`],
    ["scope IMAP", withExtras(row, scopes.imap)],
    ["scope SMTP", withExtras(row, scopes.smtp)],
    ["scope POP", withExtras(row, scopes.pop)],
    ["scope app", row.clientCredentials?.scope ?? row.serviceAccount?.imapScope],
    ["mechanisms", row.mechanisms.join(", ")],
    ["flows", row.flows.join(", ")],
    ...Object.values(row.withoutFlow ?? {}).map((why) => ["", why] as const),
    ...applicationsOf(row).map((each) => ["application", describeApplication(each)] as const),
    ["your own", row.registration && `register it at ${row.registration}, then --client-id`],
    ...remarksOf(row).map((remark) => ["remark", remark] as const),
    ...(row.unconfirmed ?? []).map((text) => ["unconfirmed", text] as const),
  ]);
}

/** The same as data. */
export function providerDocument({ row, evidence }: FoundProvider<ProviderRow>): object {
  const { imap, smtp, pop, scopes } = row;
  return {
    provider: row.name,
    aliases: row.aliases,
    title: row.title,
    evidence,
    imap,
    smtp,
    pop,
    authorizationEndpoint: endpoint(row, row.authorizationEndpoint),
    tokenEndpoint: endpoint(row, row.tokenEndpoint),
    deviceAuthorizationEndpoint: endpoint(row, row.deviceAuthorizationEndpoint),
    revocationEndpoint: endpoint(row, row.revocationEndpoint),
    issuer: row.issuer,
    tenant: row.defaultTenant,
    scopes: {
      imap: withExtras(row, scopes.imap),
      smtp: withExtras(row, scopes.smtp),
      pop: withExtras(row, scopes.pop),
    },
    mechanisms: row.mechanisms,
    flows: row.flows,
    withoutFlow: row.withoutFlow ?? {},
    clientCredentials: row.clientCredentials,
    serviceAccount: row.serviceAccount,
    applications: applicationsOf(row),
    registration: row.registration,
    remarks: remarksOf(row),
    unconfirmed: row.unconfirmed ?? [],
    sources: row.sources,
  };
}

/** What is known of a provider whose IMAP server takes no token, in lines for standard output. */
export function describePasswordOnly(found: FoundProvider<PasswordOnlyRow>): string {
  const { row } = found;
  return table([
    ...whoseAndWhere(found),
    ["OAuth 2.0", "none for IMAP"],
    ["instead", row.instead],
    ...(row.remarks ?? []).map((remark) => ["remark", remark] as const),
  ]);
}

/** The same as data, to stand beside the error. */
export function passwordOnlyDocument({ row, evidence }: FoundProvider<PasswordOnlyRow>): object {
  const { name: provider, aliases, title, instead, remarks = [], sources } = row;
  const servers = { imap: row.imap, smtp: row.smtp, pop: row.pop };
  return { provider, aliases, title, evidence, ...servers, instead, remarks, sources };
}

type Pair = readonly [title: string, value: string | undefined];

function whoseAndWhere({ row, evidence }: FoundProvider): Pair[] {
  return [
    ["provider", `${row.name} (${row.title})`],
    ["other names", row.aliases.join(", ")],
    ["evidence", showEvidence(evidence)],
    ["IMAP", showServer(row.imap)],
    ["SMTP", showServer(row.smtp)],
    ["POP", showServer(row.pop)],
  ];
}

/** Titles and values, one pair a line; what has no value is left out. */
function table(pairs: readonly Pair[]): string {
  return pairs
    .filter(([, value]) => value !== undefined)
    .map(([title, value]) => `${title.padEnd(13)}  ${value}`)
    .join("\n");
}

/** What tells a provider, in a few words. */
export function showEvidence(evidence: ProviderEvidence): string {
  switch (evidence.by) {
    case "mx":
      return `MX ${evidence.host}${evidence.isProbable ? ", which is probably theirs" : ""}${preferred(evidence.before)}`;
    case "domain":
      return `domain ${evidence.domain}`;
    case "name":
      return "its name";
    case "tokenFile":
      return "the token file, which was made for it";
    case "values":
      return "the values given";
  }
}

/** A gateway says most, because mail that passes through it is no reason to doubt. */
function preferred(hosts: readonly string[]): string {
  const host = hosts.find((each) => gatewayOf(each) !== undefined) ?? hosts[0];
  if (host === undefined) return "";
  const gateway = gatewayOf(host);
  const what =
    gateway === undefined ? "of no provider that is known" : `a mail gateway of ${gateway.title}`;
  const more = hosts.length > 1 ? `, and ${hosts.length - 1} more` : "";
  return ` (preferred to it: ${host}, ${what}${more})`;
}

function remarksOf(row: ProviderRow): readonly string[] {
  const { beforeSignIn = [], remarks = [], withoutToken = [] } = row;
  const refusals = withoutToken.map((each) => `${each.toUpperCase()} takes no OAuth 2.0 token`);
  return [...beforeSignIn, ...remarks, ...refusals];
}

/** `host:port`, and how TLS begins where it does not at once. */
function showServer(server: Endpoint | undefined): string | undefined {
  if (server === undefined) return undefined;
  return `${showEndpoint(server)}${server.tls === "starttls" ? " (STARTTLS)" : ""}`;
}

function endpoint(row: ProviderRow, url: string | undefined): string | undefined {
  return url?.replace("{tenant}", row.defaultTenant ?? "{tenant}");
}

function withExtras(row: ProviderRow, scope: string | undefined): string | undefined {
  return scope === undefined ? undefined : [scope, ...row.extraScopes].join(" ");
}

function describeApplication(application: ReturnType<typeof applicationsOf>[number]): string {
  const { name, clientId, redirectUri, isPasted, needsOwnSecret } = application;
  const paste = isPasted ? ", by paste" : "";
  const secret = needsOwnSecret ? ", with a secret that you must bring" : "";
  return `${name}: ${clientId}, back to ${redirectUri}${paste}${secret}`;
}

function applicationsOf(row: ProviderRow) {
  return Object.entries(row.applications).map(([name, application]) => ({
    name,
    clientId: application.clientId,
    redirectUri: application.redirectUri,
    isPasted:
      application.isRedirectUriExact === true ||
      loopbackRedirect(application.redirectUri, { port: undefined, scheme: undefined }) ===
        undefined,
    needsOwnSecret: application.needsOwnSecret ?? false,
  }));
}
