import type { Flow, ProviderRow } from "../catalog/provider-row.ts";
import { MxtokenError } from "../errors.ts";
import type { Remembered } from "../token.ts";
import { accountTable } from "./account-options.ts";
import type { Settings } from "./settings.ts";

/** Flows that give an application a token of its own: nobody signs in, and nothing is refreshed. */
export function isAppOnly(flow: Flow): boolean {
  return flow === "client-credentials" || flow === "service-account";
}

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
