import type { Protocol } from "../catalog/provider-row.ts";
import type { Mailbox } from "../config/mailbox.ts";
import type { Secret } from "../secret.ts";
import type { World } from "../world/world.ts";
import type { Finding } from "./finding.ts";
import { proveByImap } from "./imap.ts";

type Probe = (world: World, mailbox: Mailbox, accessToken: Secret) => Promise<Finding>;

const probes: Readonly<Partial<Record<Protocol, Probe>>> = { imap: proveByImap };

/**
 * Proves an access token by a real login with every protocol that the mailbox is to be proven by,
 * all at once; each has a finding of its own.
 *
 * @returns in the order of `mailbox.verify`; nothing where that is empty
 * @throws Interrupted; every other failure is a finding
 */
export async function proveByEvery(
  world: World,
  mailbox: Mailbox,
  accessToken: Secret,
): Promise<readonly Finding[]> {
  const wanted = mailbox.verify.flatMap((protocol) => probes[protocol] ?? []);
  return Promise.all(wanted.map((probe) => probe(world, mailbox, accessToken)));
}
