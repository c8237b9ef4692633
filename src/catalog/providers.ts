import { mailru, seznam, yandex } from "./eastern-europe.ts";
import { google } from "./google.ts";
import { office365, office365China, office365Dod, office365GccHigh, outlook } from "./microsoft.ts";
import type { PasswordOnlyRow, ProviderRow } from "./provider-row.ts";
import { comcast, fastmail, thundermail } from "./smaller-providers.ts";
import { passwordOnlyProviders } from "./without-tokens.ts";
import { aol, att, yahoo } from "./yahoo.ts";

/** Every provider that is known by name. A row holds facts, each from its sources, and no code. */
export const providers: readonly ProviderRow[] = [
  google,
  office365,
  outlook,
  office365GccHigh,
  office365Dod,
  office365China,
  yahoo,
  aol,
  att,
  comcast,
  yandex,
  mailru,
  fastmail,
  seznam,
  thundermail,
];

/** The row that a name or an alias means, in any case of letters. */
export function providerByName(name: string): ProviderRow | undefined {
  return byName(providers, name);
}

/** As {@link providerByName}, for a provider whose IMAP server takes no OAuth 2.0 token. */
export function passwordOnlyProviderByName(name: string): PasswordOnlyRow | undefined {
  return byName(passwordOnlyProviders, name);
}

function byName<Row extends { name: string; aliases: readonly string[] }>(
  rows: readonly Row[],
  name: string,
): Row | undefined {
  const wanted = name.toLowerCase();
  return rows.find((row) => row.name === wanted || row.aliases.includes(wanted));
}
