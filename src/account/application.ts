import type { ApplicationRow, ProviderRow } from "../catalog/provider-row.ts";
import { MxtokenError } from "../errors.ts";
import type { ServerMetadata } from "../oauth/metadata.ts";
import { Secret } from "../secret.ts";
import type { Purpose } from "../settings/provider.ts";
import type { Settings } from "../settings/settings.ts";
import type { Remembered } from "../token.ts";

/** What a client is made of. */
export interface ClientRequest {
  readonly settings: Settings;
  readonly row: ProviderRow | undefined;
  /** what the stored tokens say they were made with */
  readonly remembered: Remembered;
  /** what the server says of itself, where it was asked */
  readonly metadata: ServerMetadata | undefined;
  /** what it is for: a refresh needs less than a new token */
  readonly purpose: Purpose;
}

/** The OAuth application to act as. */
export interface Application {
  /** name of its row, or `own` where the person gave a client id */
  readonly name: string;
  readonly clientId: string;
  /** its row, where the client id in use is the row's */
  readonly row: ApplicationRow | undefined;
}

const ownApplication = "own";
const defaultApplication = "thunderbird";

/**
 * The application that is named, else the one that the token file was made with, else the default.
 *
 * @throws MxtokenError `configuration`
 */
export function resolveApplication(
  settings: Settings,
  row: ProviderRow | undefined,
  remembered: Remembered,
): Application {
  const { name, application } = findApplication(settings, row, remembered);
  // A file's client id stands for the application that was not named.
  const former = settings.app === undefined ? remembered.client : undefined;
  const clientId = settings.clientId ?? former ?? application?.clientId;
  if (clientId === undefined) {
    throw new MxtokenError("configuration", "a client id is needed: pass --client-id", {
      hint:
        row === undefined
          ? undefined
          : `no application is known at ${row.name}; register one of your own ${row.registration === undefined ? "there" : `at ${row.registration}`}`,
    });
  }
  const isRowsOwn = application !== undefined && clientId === application.clientId;
  return isRowsOwn
    ? { name, clientId, row: application }
    : { name: ownApplication, clientId, row: undefined };
}

/**
 * As {@link resolveApplication}, for an application that acts for itself: that is always one of the
 * person's own, and it has credentials.
 *
 * @throws MxtokenError `configuration`
 */
export function requireOwnApplication({ name, row }: Application, hasCredentials: boolean): void {
  const hint =
    "register one, give it the right to the mailboxes, and pass --client-id and its secret (MXTOKEN_CLIENT_SECRET) or --client-certificate";
  if (row !== undefined) {
    throw new MxtokenError(
      "configuration",
      `--flow client-credentials needs an application of your own; ${name} has no right to a mailbox without its person`,
      { hint },
    );
  }
  if (hasCredentials) return;
  throw new MxtokenError(
    "configuration",
    "--flow client-credentials needs the application's secret or certificate",
    { hint: "pass MXTOKEN_CLIENT_SECRET, --client-secret-file or --client-certificate" },
  );
}

/** Where the client secret comes from; undefined: there is none. */
type SecretSource =
  | { readonly by: "person" }
  /** the application's publisher shows it to everybody */
  | { readonly by: "publisher"; readonly secret: Secret };

/**
 * Whose client secret it is. Nobody is asked for it yet.
 *
 * @throws MxtokenError `configuration`
 */
export function secretSourceOf(
  { clientSecret, tokenUri }: Settings,
  { name, row: application }: Application,
): SecretSource | undefined {
  const isGiven = Object.values(clientSecret).some((source) => source !== undefined);
  if (application === undefined) return isGiven ? { by: "person" } : undefined;
  if (!isGiven && application.needsOwnSecret) {
    throw new MxtokenError(
      "configuration",
      `the application ${name} has a client secret, which is its author's and not ours to ship`,
      {
        hint: "give it by MXTOKEN_CLIENT_SECRET, --client-secret-file or --client-secret-command, or use --app thunderbird",
      },
    );
  }
  if (isGiven && !application.needsOwnSecret && tokenUri === undefined) {
    throw new MxtokenError(
      "configuration",
      `a client secret is given, but ${name} is not an application of yours`,
      { hint: "pass --client-id too, or take the secret out of the options and the environment" },
    );
  }
  if (isGiven) return { by: "person" };
  const published = application.publishedClientSecret;
  return published === undefined ? undefined : { by: "publisher", secret: new Secret(published) };
}

function findApplication(
  settings: Settings,
  row: ProviderRow | undefined,
  remembered: Remembered,
): { name: string; application: ApplicationRow | undefined } {
  const known: Readonly<Record<string, ApplicationRow>> = row?.applications ?? {};
  const named = settings.app?.toLowerCase();
  if (named !== undefined) {
    if (Object.hasOwn(known, named)) return { name: named, application: known[named] };
    const where =
      row === undefined ? "for a provider that is given by its values" : `at ${row.name}`;
    throw new MxtokenError(
      "configuration",
      `no application ${JSON.stringify(named)} is known ${where}`,
      {
        hint: `known are ${Object.keys(known).join(", ") || "none"}; for one of your own pass --client-id and its secret`,
      },
    );
  }
  const former = remembered.app ?? defaultApplication;
  const name = Object.hasOwn(known, former) ? former : defaultApplication;
  return { name, application: known[name] };
}
