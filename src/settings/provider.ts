import { type Flow, isAppOnly, type ProviderRow } from "../catalog/provider-row.ts";
import { passwordOnlyProviderByName, providerByName, providers } from "../catalog/providers.ts";
import { MxtokenError } from "../errors.ts";
import type { Remembered } from "../token.ts";
import { accountTable } from "./account-options.ts";
import { type PlainName, type Settings, settingOf } from "./settings.ts";

/** The name of a provider that was given by its values instead of by name. */
export const customProvider = "custom";

/** A provider that nobody has to look for, and who named it. */
type ExplicitProvider =
  | { readonly by: "name" | "tokenFile"; readonly row: ProviderRow }
  | { readonly by: "values"; readonly row: undefined };

/** What a run needs of the authorization server: a new token, one without a person, or its end. */
export type Purpose = "newToken" | "refresh" | "revoke";

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
  purpose: Purpose = "newToken",
): ExplicitProvider | undefined {
  if (settings.provider !== undefined) return { by: "name", row: byOption(settings.provider) };
  const former =
    remembered.provider === undefined ? undefined : providerByName(remembered.provider);
  if (former !== undefined) return { by: "tokenFile", row: former };
  const needed = valuesFor(settings, remembered, purpose);
  const missing = needed.filter((name) => settingOf(settings, name) === undefined);
  if (missing.length === 0) return { by: "values", row: undefined };
  const isAddressAsked = remembered.provider === undefined;
  const mayAsk =
    isAddressAsked && !isServerToTell(settings) && isEveryServerGiven(settings, needed);
  if (isEndpointGiven(settings) && !mayAsk) {
    throw new MxtokenError(
      "configuration",
      `without --provider, these are needed too: ${optionsOf(missing)}`,
    );
  }
  if (isAddressAsked) return undefined;
  throw new MxtokenError(
    "noProvider",
    `${tokenFile} was made for ${remembered.provider}, which is not in the catalogue`,
    {
      facts: { path: tokenFile },
      hint:
        remembered.provider === customProvider
          ? `give its values again: ${optionsOf(missing)}${missing.some((name) => name.endsWith("-uri")) ? "; --issuer stands for its endpoints" : ""}`
          : providerByHand,
      reason: "notInCatalogue",
    },
  );
}

function isEndpointGiven(settings: Settings): boolean {
  const { authorizeUri, deviceUri, tokenUri, revokeUri, issuer } = settings;
  return [authorizeUri, deviceUri, tokenUri, revokeUri, issuer].some((uri) => uri !== undefined);
}

/** Whether an issuer's metadata tell the endpoints: then no row's values are mixed with them. */
function isServerToTell({ issuer, authorizeUri, deviceUri, tokenUri }: Settings): boolean {
  return (
    issuer !== undefined && [authorizeUri, deviceUri, tokenUri].every((uri) => uri === undefined)
  );
}

/** Whether every server that hands out a token or is sent one is given, and DNS chooses none. */
function isEveryServerGiven(settings: Settings, needed: Values): boolean {
  const servers = needed.filter((name) => /-(?:uri|server)$/.test(name));
  return [...servers, "imap-server" as const].every(
    (name) => settingOf(settings, name) !== undefined,
  );
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

type Values = readonly PlainName[];

/** What must be given where no row gives it. */
const valuesOfProvider: Values = [
  "authorize-uri",
  "token-uri",
  "scope",
  "client-id",
  "imap-server",
];

/** The same for what a run is about; an issuer's metadata tell the endpoints. */
function valuesFor(settings: Settings, remembered: Remembered, purpose: Purpose): Values {
  const flow =
    purpose === "revoke" ? (flowOf(remembered) ?? "code") : flowWanted(settings, remembered);
  const isClientKnown = flow === "service-account" || remembered.client !== undefined;
  const client = isClientKnown ? [] : (["client-id"] as const);
  if (purpose === "revoke") {
    // Whether an endpoint is needed, the file says: an application's own token is not revoked.
    if (remembered.provider === customProvider) return client;
    return [...unlessMetadata(settings, ["revoke-uri"]), ...client];
  }
  if (purpose === "refresh" && !isAppOnly(flow)) {
    // The server that issued a token is the one that renews it.
    const isIssuerKnown = remembered.tokenEndpoint !== undefined;
    return [...unlessMetadata(settings, isIssuerKnown ? [] : ["token-uri"]), ...client];
  }
  const first = firstEndpoint[flow];
  const endpoints = unlessMetadata(
    settings,
    first === undefined ? ["token-uri"] : [first, "token-uri"],
  );
  // With none to prove it, a token can be had without a server to use it at.
  const servers = settings.verify.includes("imap") ? (["imap-server"] as const) : [];
  return [...endpoints, "scope", ...client, ...servers];
}

/** The endpoint that a flow begins at, where that is not the token endpoint. */
const firstEndpoint: Readonly<Record<Flow, PlainName | undefined>> = {
  code: "authorize-uri",
  device: "device-uri",
  "client-credentials": undefined,
  "service-account": undefined,
};

function unlessMetadata({ issuer }: Settings, endpoints: Values): Values {
  return issuer === undefined ? endpoints : [];
}

function optionsOf(values: Values): string {
  return values.map((name) => `--${name}`).join(" ");
}

const knownNames = providers.map((row) => row.name).join(", ");

/** What a person can do where no provider is found, as a hint. */
export const providerByHand = `pass --provider NAME (${knownNames}), or all its values: ${optionsOf(valuesOfProvider)}`;

/**
 * How the first token is to be got: as it is named, else as the token file was made, else as the
 * key of a service account says.
 */
export function flowWanted(
  settings: Settings,
  remembered: Remembered,
  row?: ProviderRow | undefined,
): Flow {
  // A file that tells its client and no flow is of a person's sign-in by a code.
  const former = flowOf(remembered) ?? (remembered.client === undefined ? undefined : "code");
  const isOffered = row === undefined || (row.flows as readonly Flow[]).includes("service-account");
  const byKey = settings.serviceAccountKey !== undefined && isOffered;
  return settings.flow ?? former ?? (byKey ? "service-account" : "code");
}

/** How the stored token was got, where the file says so. */
export function flowOf(remembered: Remembered): Flow | undefined {
  return accountTable.flow.words.find((flow) => flow === remembered.flow);
}

/** The option by which a person says that the provider has the flow all the same. */
const endpointOption = {
  code: "authorizeUri",
  device: "deviceUri",
  "client-credentials": "tokenUri",
  "service-account": "tokenUri",
} as const satisfies Record<Flow, keyof Settings>;

/**
 * As {@link flowWanted}, if the provider offers it.
 *
 * @throws MxtokenError `configuration`
 */
export function resolveFlow(
  settings: Settings,
  remembered: Remembered,
  row: ProviderRow | undefined,
): Flow {
  const flow = flowWanted(settings, remembered, row);
  if (row === undefined || settings[endpointOption[flow]] !== undefined) return flow;
  const offered: readonly Flow[] = row.flows;
  if (offered.includes(flow)) return flow;
  const why = row.withoutFlow?.[flow];
  throw new MxtokenError(
    "configuration",
    `${row.title} has no --flow ${flow}${why === undefined ? "" : `: ${why}`}`,
    {
      hint:
        flow === "device"
          ? "sign in with a browser on any machine and paste the address that it ends on: --remotebrowser instead"
          : `it has ${offered.join(", ")}`,
    },
  );
}
