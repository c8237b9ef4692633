import type { Flow } from "../catalog/provider-row.ts";
import { MxtokenError } from "../errors.ts";
import type { ClientCredentials, CredentialsSource, OAuthClient } from "../oauth/client.ts";
import type { Purpose } from "../settings/provider.ts";
import type { Settings } from "../settings/settings.ts";
import type { Remembered } from "../token.ts";
import type { Clock, Host, Stop } from "../world/world.ts";
import {
  type Application,
  type ClientRequest,
  requireOwnApplication,
  resolveApplication,
  secretSourceOf,
} from "./application.ts";
import { keptSecret } from "./client-secret.ts";
import { readClientCertificate, readServiceAccount } from "./key-files.ts";

/** The application to act as, and how it proves that it is that one. */
interface Credentials {
  readonly application: Application;
  readonly authentication: OAuthClient["authentication"];
  readonly fetch: CredentialsSource;
}

const none: ClientCredentials = {
  secret: undefined,
  certificate: undefined,
  serviceAccount: undefined,
};

/**
 * Chooses the application, and where its credentials come from. Only a service account's key is read
 * already: its client id stands in it.
 *
 * @throws MxtokenError `configuration`; `unreadable` for a key that is none
 */
export async function resolveCredentials(
  world: Clock & Host & Stop,
  { settings, row, remembered, purpose }: ClientRequest,
  flow: Flow,
): Promise<Credentials> {
  if (flow === "service-account") return serviceAccountOf(world, settings, remembered, purpose);
  const application = resolveApplication(settings, row, remembered);
  const isCertificate = settings.clientCertificate !== undefined;
  if (!isCertificate && settings.clientKey !== undefined) {
    throw new MxtokenError("configuration", "--client-key needs --client-certificate");
  }
  if (isCertificate && application.row !== undefined) {
    throw new MxtokenError(
      "configuration",
      `a client certificate is given, but ${application.name} is not an application of yours`,
      { hint: "pass --client-id too, or take the certificate out" },
    );
  }
  const source = isCertificate ? undefined : secretSourceOf(settings, application);
  if (flow === "client-credentials" && purpose !== "revoke") {
    requireOwnApplication(application, isCertificate || source !== undefined);
  }
  if (isCertificate) {
    const fetch = async () => ({
      ...none,
      certificate: await readClientCertificate(world, settings),
    });
    return { application, authentication: "certificate", fetch };
  }
  const authentication = source === undefined ? "none" : "secret";
  const fetch: CredentialsSource = async (refused) => ({
    ...none,
    secret:
      source?.by === "publisher"
        ? source.secret
        : await keptSecret(world, settings.clientSecret, refused),
  });
  return { application, authentication, fetch };
}

async function serviceAccountOf(
  world: Host & Stop,
  { serviceAccountKey }: Settings,
  remembered: Remembered,
  purpose: Purpose,
): Promise<Credentials> {
  const serviceAccount =
    purpose === "revoke" ? undefined : await readServiceAccount(world, serviceAccountKey);
  const clientId = serviceAccount?.clientId ?? remembered.client ?? "";
  return {
    application: { name: "service-account", clientId, row: undefined },
    authentication: "serviceAccount",
    fetch: async () => ({ ...none, serviceAccount }),
  };
}
