import type { Flow, ProviderRow } from "../catalog/provider-row.ts";
import { MxtokenError } from "../errors.ts";
import type { ClientCredentials } from "../oauth/client.ts";
import type { Purpose } from "../settings/provider.ts";
import type { Settings } from "../settings/settings.ts";
import type { Remembered } from "../token.ts";
import type { World } from "../world/world.ts";
import {
  type Application,
  requireOwnApplication,
  resolveApplication,
  resolveSecret,
} from "./application.ts";
import { readClientCertificate } from "./client-certificate.ts";
import { readServiceAccount } from "./service-account.ts";

/** The application to act as, and how it proves that it is that one. */
export interface Credentials extends ClientCredentials {
  readonly application: Application;
}

/** @throws MxtokenError `configuration`; `unreadable` for a key that is none */
export async function resolveCredentials(
  world: World,
  settings: Settings,
  row: ProviderRow | undefined,
  remembered: Remembered,
  flow: Flow,
  purpose: Purpose,
): Promise<Credentials> {
  if (flow === "service-account") return serviceAccountOf(world, settings, remembered, purpose);
  const application = resolveApplication(settings, row, remembered);
  const certificate = await readClientCertificate(world, settings);
  if (certificate !== undefined && application.row !== undefined) {
    throw new MxtokenError(
      "configuration",
      `a client certificate is given, but ${application.name} is not an application of yours`,
      { hint: "pass --client-id too, or take the certificate out" },
    );
  }
  const secret =
    certificate === undefined ? await resolveSecret(world, settings, application) : undefined;
  if (flow === "client-credentials" && purpose !== "revoke") {
    requireOwnApplication(application, secret !== undefined || certificate !== undefined);
  }
  return { application, certificate, secret, serviceAccount: undefined };
}

async function serviceAccountOf(
  world: World,
  { serviceAccountKey }: Settings,
  remembered: Remembered,
  purpose: Purpose,
): Promise<Credentials> {
  const name = "service-account";
  if (purpose === "revoke") {
    const application = { name, clientId: remembered.client ?? "", row: undefined };
    return { ...withoutCredentials, application };
  }
  const serviceAccount = await readServiceAccount(world, serviceAccountKey);
  const application = { name, clientId: serviceAccount.clientId, row: undefined };
  return { ...withoutCredentials, serviceAccount, application };
}

const withoutCredentials = { secret: undefined, certificate: undefined, serviceAccount: undefined };
