import type { Flow, ProviderRow } from "../catalog/provider-row.ts";
import { MxtokenError } from "../errors.ts";
import type { Protocol } from "../mail-server.ts";
import type { Settings } from "../settings/settings.ts";
import type { Application } from "./application.ts";

/** What decides the scope. */
interface Asked {
  readonly settings: Settings;
  readonly row: ProviderRow | undefined;
  readonly application: Application;
  readonly flow: Flow;
}

/**
 * The scope to ask for: named, or what the provider wants for the protocols that the token shall
 * open.
 *
 * @returns undefined where no source tells it
 */
export function resolveScope({ settings, row, application, flow }: Asked): string | undefined {
  if (settings.scope !== undefined) return settings.scope;
  if (flow === "client-credentials") return row?.clientCredentials?.scope;
  if (flow === "service-account") {
    return isForImapAlone(settings) ? row?.serviceAccount?.imapScope : row?.serviceAccount?.scope;
  }
  const ofOwn = application.row === undefined ? row?.ownApplication?.scope : undefined;
  if (ofOwn !== undefined) return ofOwn;
  if (row === undefined || unknownProtocol(settings, row) !== undefined) return undefined;
  const scopes = settings.access.flatMap((protocol) => row.scopes[protocol]?.split(" ") ?? []);
  return [...new Set([...scopes, ...row.extraScopes])].join(" ");
}

/** What a service account asks for where the first scope is not delegated to it. */
export function alternativeScope({ settings, row, flow }: Asked): string | undefined {
  if (flow !== "service-account" || settings.scope !== undefined) return undefined;
  return isForImapAlone(settings) ? row?.serviceAccount?.scope : row?.serviceAccount?.imapScope;
}

/** @throws MxtokenError `configuration` where no source tells the scope */
export function requireScope(scope: string | undefined, { settings, row, flow }: Asked): void {
  if (scope !== undefined) return;
  const protocol = row === undefined ? undefined : unknownProtocol(settings, row);
  if (protocol !== undefined && row?.withoutToken?.includes(protocol)) {
    throw new MxtokenError(
      "configuration",
      `${row.title} takes no OAuth 2.0 token for ${protocol.toUpperCase()}`,
    );
  }
  const isDelegated = flow === "code" || flow === "device";
  const what =
    isDelegated && protocol !== undefined && row?.scopes.imap !== undefined
      ? `the scope for ${protocol.toUpperCase()} at ${row.name} is not known for sure: pass --scope`
      : "a scope is needed: pass --scope";
  throw new MxtokenError("configuration", what, { hint: hintFor(row, isDelegated) });
}

function hintFor(row: ProviderRow | undefined, isDelegated: boolean): string | undefined {
  if (row?.unconfirmed === undefined || !isDelegated) return undefined;
  const beside = row.extraScopes.length === 0 ? "" : `; and ${row.extraScopes.join(" ")} beside it`;
  return `not known for sure: ${row.unconfirmed[0]}${beside}`;
}

function unknownProtocol({ access }: Settings, row: ProviderRow): Protocol | undefined {
  return access.find((protocol) => row.scopes[protocol] === undefined);
}

function isForImapAlone({ access }: Settings): boolean {
  return access.every((protocol) => protocol === "imap");
}
