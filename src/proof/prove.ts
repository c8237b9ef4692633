import type { Finding } from "../finding.ts";
import type { Endpoint, Protocol } from "../mail-server.ts";
import { type Mailbox, serverOf } from "../mailbox.ts";
import type { Secret } from "../secret.ts";
import type { World } from "../world/world.ts";
import { proveByImap } from "./imap.ts";
import { proveByPop } from "./pop.ts";
import { proveBySmtp } from "./smtp.ts";

type Probe = (world: World, mailbox: Mailbox, accessToken: Secret) => Promise<Finding>;

const probes: Readonly<Record<Protocol, Probe>> = {
  imap: proveByImap,
  smtp: proveBySmtp,
  pop: proveByPop,
};

/**
 * Proves an access token by a real login with every protocol that the mailbox is to be proven by,
 * all at once; each has a finding of its own.
 *
 * @returns in the order of `mailbox.verify`; nothing where that is empty
 * @throws Interrupted or a defect of ours, after every connection is closed; every other failure is
 * a finding
 */
export async function proveByEvery(
  world: World,
  mailbox: Mailbox,
  accessToken: Secret,
): Promise<readonly Finding[]> {
  const proofs = mailbox.verify.map((protocol) => probes[protocol](world, mailbox, accessToken));
  // The first failure must not leave the others running.
  await Promise.allSettled(proofs);
  return Promise.all(proofs);
}

/** The servers that are logged in to when a token is proven. */
export function serversToAsk(mailbox: Mailbox): readonly Endpoint[] {
  return mailbox.verify.map((protocol) => serverOf(mailbox, protocol));
}
