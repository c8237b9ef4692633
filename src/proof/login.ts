import { explained } from "../causes/diagnose.ts";
import { MxtokenError } from "../errors.ts";
import type { Endpoint, Finding, Mechanism, Protocol } from "../mail-server.ts";
import { type Mailbox, serverOf } from "../mailbox.ts";
import type { Secret } from "../secret.ts";
import { within } from "../world/waiting.ts";
import type { Clock, Net, Stop } from "../world/world.ts";
import { placeOf } from "./connection.ts";
import { judge, tooLate } from "./judge.ts";
import { read } from "./reading.ts";
import { mechanismsByStrength, sayWithout } from "./sasl.ts";
import { type Heard, Transcript } from "./transcript.ts";
import type { Verdict } from "./verdict.ts";

/** Milliseconds until the end, and for the goodbye. */
const wholeTimeout = 30_000;
export const goodbyeTimeout = 2_000;

/** A login that proves a token. */
export interface Login {
  readonly world: Clock & Net;
  readonly mailbox: Mailbox;
  readonly server: Endpoint;
  readonly accessToken: Secret;
  readonly transcript: Transcript;
  /** ends the connection */
  readonly stop: AbortSignal;
}

/**
 * Runs a proof that must end in time, and at once when the process is asked to end.
 *
 * @param heard is judged when it did not come to its end
 * @param prove must end when the signal aborts, whatever the server does
 * @throws Interrupted; a defect, as it is
 */
export async function withinTime<Accepted>(
  world: Clock & Stop,
  heard: Heard,
  prove: (stop: AbortSignal) => Promise<Accepted>,
): Promise<(Accepted | Verdict) & Pick<Finding, "alerts">> {
  try {
    const result = await within(world, wholeTimeout, prove, () =>
      tooLate(heard, wholeTimeout / 1000),
    );
    return { ...result, ...alertsIn(heard) };
  } catch (error) {
    world.interrupted.throwIfAborted();
    return { ...judge(heard, error), ...alertsIn(heard) };
  }
}

function alertsIn(heard: Heard): Pick<Finding, "alerts"> {
  const { alerts } = read(heard);
  return alerts.length === 0 ? {} : { alerts };
}

/**
 * The strongest of the mechanisms that a server offers and that the mailbox allows.
 *
 * @param server how it is spoken of
 * @throws MxtokenError `mailboxRefused`
 */
export function chooseMechanism(
  offered: readonly string[],
  { mechanisms }: Mailbox,
  server: Omit<Heard, "lines">,
): Mechanism {
  const mechanism = mechanismsByStrength.find(
    (name) => offered.includes(name) && mechanisms.includes(name),
  );
  if (mechanism !== undefined) return mechanism;
  const { where, protocol, say } = server;
  throw new MxtokenError(
    "mailboxRefused",
    `${where} takes no OAuth 2.0 token by ${mechanisms.join(" or ")}; it offers ${say(offered.join(" ")) || "no mechanism at all"}`,
    explained("no-token-taken-here", { host: where, protocol }),
  );
}

/** What is to be remembered of a login. */
export function transcriptOf(
  protocol: Protocol,
  of: Pick<Login, "world" | "mailbox" | "accessToken"> & { readonly login: string },
): Transcript {
  const { world, mailbox, accessToken, login } = of;
  const server = serverOf(mailbox, protocol);
  const where = placeOf(server, mailbox.proxy);
  const say = sayWithout(login, server, accessToken);
  const tokenLength = accessToken.length;
  return new Transcript({ protocol, where, login, tokenLength, say }, (line) => world.trace(line));
}
