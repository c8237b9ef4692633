import type { ProviderRow } from "../catalog/provider-row.ts";
import { passwordOnlyProviderByName, providerByName, providers } from "../catalog/providers.ts";
import { MxtokenError } from "../errors.ts";
import type { Remembered, Settings } from "./settings.ts";

/** The name of a provider that was given by its values instead of by name. */
export const customProvider = "custom";

/** A provider that nobody has to look for, and who named it. */
export type ExplicitProvider =
  | { readonly by: "name" | "tokenFile"; readonly row: ProviderRow }
  | { readonly by: "values"; readonly row: undefined };

/**
 * The provider that `--provider` names, else the one that the token file was made with, else the
 * one whose every value is given.
 *
 * @param tokenFile where a former run would have left its provider, for the error
 * @returns undefined when nothing names one: the address must tell
 * @throws MxtokenError `usage` for an unknown name, `noProvider` for one that is of no use,
 * `configuration` when a value of an unnamed provider is missing
 */
export function explicitProvider(
  settings: Settings,
  remembered: Remembered,
  tokenFile: string,
): ExplicitProvider | undefined {
  if (settings.provider !== undefined) return { by: "name", row: byOption(settings.provider) };
  const former =
    remembered.provider === undefined ? undefined : providerByName(remembered.provider);
  if (former !== undefined) return { by: "tokenFile", row: former };
  const missing = valuesOfProvider.filter(([, key]) => settings[key] === undefined);
  if (missing.length === 0) return { by: "values", row: undefined };
  const isEndpointGiven = settings.authorizeUri !== undefined || settings.tokenUri !== undefined;
  const isAddressAsked = remembered.provider === undefined;
  if (isEndpointGiven && !(isAddressAsked && isEveryServerGiven(settings))) {
    throw new MxtokenError(
      "configuration",
      `without --provider, these are needed too: ${optionsOf(missing)}`,
    );
  }
  if (isAddressAsked) return undefined;
  throw new MxtokenError(
    "noProvider",
    `${tokenFile} was made for ${remembered.provider}, which is not in the catalogue`,
    { hint: providerByHand, reason: "notInCatalogue" },
  );
}

/** Whether every server that hands out a token or is sent one is given, and DNS chooses none. */
function isEveryServerGiven(settings: Settings): boolean {
  const servers = [settings.authorizeUri, settings.tokenUri, settings.imapServer];
  return servers.every((server) => server !== undefined);
}

function byOption(name: string): ProviderRow {
  const row = providerByName(name);
  if (row !== undefined) return row;
  const passwordOnly = passwordOnlyProviderByName(name);
  if (passwordOnly !== undefined) throw withoutOAuth(passwordOnly, `provider ${passwordOnly.name}`);
  throw new MxtokenError("usage", `--provider: ${JSON.stringify(name)} is not known`, {
    hint: `known are ${knownNames}; for another one give its values: ${optionsOf(valuesOfProvider)}`,
  });
}

/** What a person is told whose provider's IMAP server takes no token. */
export function withoutOAuth(
  row: { readonly title: string; readonly instead: string },
  evidence: string,
): MxtokenError {
  return new MxtokenError(
    "noProvider",
    `${row.title} has no OAuth 2.0 for IMAP, so no token opens a mailbox there (${evidence})`,
    { hint: row.instead, reason: "withoutOAuth" },
  );
}

/** What must be given where no row gives it. */
const valuesOfProvider = [
  ["authorize-uri", "authorizeUri"],
  ["token-uri", "tokenUri"],
  ["scope", "scope"],
  ["client-id", "clientId"],
  ["imap-server", "imapServer"],
] as const satisfies readonly (readonly [string, keyof Settings])[];

function optionsOf(values: readonly (readonly [string, string])[]): string {
  return values.map(([option]) => `--${option}`).join(" ");
}

const knownNames = providers.map((row) => row.name).join(", ");

/** What a person can do where no provider is found, as a hint. */
export const providerByHand = `pass --provider NAME (${knownNames}), or all its values: ${optionsOf(valuesOfProvider)}`;
