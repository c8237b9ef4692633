import { isAppOnly } from "../catalog/provider-row.ts";
import { diagnosed, explained } from "../causes/diagnose.ts";
import { Interrupted, MxtokenError } from "../errors.ts";
import type { Endpoint, Finding, Protocol } from "../mail-server.ts";
import { type Mailbox, serverOf } from "../mailbox.ts";
import type { OAuthClient } from "../oauth/client.ts";
import type { Secret } from "../secret.ts";
import { isoSeconds, type Token } from "../token.ts";
import type { Clock, Net, Stop } from "../world/world.ts";
import { accountsIn, askTokenInfo, otherAccount, readClaims } from "./identity.ts";
import { proveByImap } from "./imap.ts";
import { proveByPop } from "./pop.ts";
import { proveBySmtp } from "./smtp.ts";

type Probe = (world: Clock & Net & Stop, mailbox: Mailbox, accessToken: Secret) => Promise<Finding>;

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
  world: Clock & Net & Stop,
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

/** What the logins showed of a token, and whose it is. */
export interface Proof {
  readonly findings: readonly Finding[];
  /** the account behind the token, where that is evidently not the one that was asked for */
  readonly otherAccount: string | undefined;
}

/**
 * What follows from all findings. A server that said no counts more than one that said nothing, but
 * for SMTP: that nobody may send says nothing about a mailbox that is not reachable. `none`: no proof
 * was wanted.
 */
export function resultOf({ findings }: Proof): "accepted" | "refused" | "unreachable" | "none" {
  if (findings.length === 0) return "none";
  const boxes = findings.filter(({ probe }) => probe !== "smtp");
  if (
    boxes.some(({ result }) => result === "unreachable") &&
    boxes.every(({ result }) => result !== "refused")
  ) {
    return "unreachable";
  }
  const has = (result: Finding["result"]) => findings.some((finding) => finding.result === result);
  if (has("refused")) return "refused";
  return has("unreachable") ? "unreachable" : "accepted";
}

/** Whether the token opens the mailbox, whatever else it does not do. */
export function opensMailbox({ findings }: Proof): boolean {
  return findings.some(({ probe, result }) => probe !== "smtp" && result === "accepted");
}

/**
 * Whether the token is worth storing. One that opens the mailbox is, even if the mail server lets
 * nobody send with it: whoever reads the file must not lose the mailbox for that.
 */
export function isWorthStoring(proof: Proof): boolean {
  return resultOf(proof) !== "refused" || opensMailbox(proof);
}

/**
 * Goes on only with a token that was accepted, or that nobody wanted to be proven.
 *
 * @param consequence what became of the token file, for the error
 * @throws MxtokenError `mailboxRefused`, `wrongAccount` or `unreachable`
 */
export function requireAccepted(
  mailbox: Mailbox,
  proof: Proof,
  consequence: { refused: string; unreachable: string },
): void {
  const result = resultOf(proof);
  if (result === "accepted" || result === "none") return;
  const failed = proof.findings.filter((finding) => finding.result !== "accepted");
  const reasons = failed.map(({ reason }) => reason).join("; ");
  if (result === "refused" && proof.otherAccount !== undefined && !opensMailbox(proof)) {
    const after = `${reasons}; ${consequence.refused}`;
    throw wrongAccount(mailbox, proof.otherAccount, after).with({ findings: proof.findings });
  }
  const code = result === "refused" ? "mailboxRefused" : "unreachable";
  const isBoxRefused = failed.some(
    ({ probe, result: one }) => probe !== "smtp" && one === "refused",
  );
  const waits = failed.flatMap(({ retryAfter }) => (retryAfter === undefined ? [] : [retryAfter]));
  const { login } = mailbox;
  const said = failed.flatMap(({ facts }) => facts?.said ?? []).join("; ") || undefined;
  const known = failed.find(({ hint }) => hint !== undefined) ?? failed[0];
  const isPerhapsExpired = known?.causeId === "token-perhaps-expired";
  const isDelegateRefused = isBoxRefused && login !== mailbox.address.text && !isPerhapsExpired;
  const { causeId, facts, hint } = isDelegateRefused
    ? explained("no-right-to-mailbox", { ...known?.facts, login, mailbox: mailbox.address.text })
    : { ...known };
  throw new MxtokenError(code, `${reasons}; ${consequence[result]}`, {
    findings: proof.findings,
    retryAfter: waits.length === 0 ? undefined : Math.max(...waits),
    ...{ causeId, facts: { ...facts, said }, hint },
  });
}

/**
 * The same proof of a token of which nobody knows when it ends: before anything else is looked for, it may
 * simply have expired.
 */
export function ofUnknownEnd(proof: Proof): Proof {
  const findings = proof.findings.map((finding) => {
    const isTaken = finding.result !== "refused" || finding.facts?.isLoggedIn === true;
    if (isTaken) return finding;
    const { causeId, facts, hint } = diagnosed({ ...finding.facts, isEndUnknown: true });
    if (causeId !== "token-perhaps-expired") return finding;
    const words = [hint, finding.hint].filter((each) => each !== undefined);
    return { ...finding, causeId, facts, hint: words.join("; if that is refused as well: ") };
  });
  return { ...proof, findings };
}

/** Does what follows a proof: whatever goes wrong there tells what the logins have shown. */
export async function afterProof<T>({ findings }: Proof, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof Interrupted) throw new Interrupted(error.signal, findings);
    const isWithout = error instanceof MxtokenError && error.findings === undefined;
    throw isWithout ? error.with({ findings }) : error;
  }
}

/** @param after what else is to be said */
export function wrongAccount(mailbox: Mailbox, account: string, after: string): MxtokenError {
  const wanted = [...new Set([mailbox.address.text, mailbox.login])].join(" or ");
  const facts = { mailbox: mailbox.address.text, login: mailbox.login, owner: account };
  const message = `the token is ${account}'s, not ${wanted}'s: ${after}`;
  return new MxtokenError("wrongAccount", message, explained("another-account-signed-in", facts));
}

/**
 * Whose a person's token is: by its own claims, by the ID token beside it, or by the provider's
 * word. None of these is trusted with more than a comparison.
 *
 * @param asks whether the provider may be asked
 * @returns another account than the mailbox's or its person's; undefined where nobody knows
 * @throws Interrupted
 */
export async function findOtherAccount(
  of: { world: Clock & Net & Stop; mailbox: Mailbox; client: OAuthClient | undefined },
  token: Pick<Token, "accessToken" | "idToken">,
  asks: boolean,
): Promise<string | undefined> {
  const { world, mailbox, client } = of;
  if (client !== undefined && isAppOnly(client.flow)) return undefined;
  const claims = [token.idToken, token.accessToken].map(readClaims);
  const told = claims.flatMap(accountsIn);
  const endpoint = client?.tokenInfoEndpoint;
  const accounts =
    told.length > 0 || endpoint === undefined || !asks
      ? told
      : await askTokenInfo(world, endpoint, token.accessToken, mailbox.ca);
  return otherAccount([mailbox.address.text, mailbox.login], accounts);
}

/** The comment about a proof; one that did not come about is called unverified. */
export function verifiedNote({ findings }: Proof, now: number): string {
  const servers = (wanted: Finding["result"]) =>
    findings
      .filter(({ result }) => result === wanted)
      .map(({ probe, host, port }) => `${probe.toUpperCase()} at ${host}:${port}`)
      .join(", ");
  const time = isoSeconds(now);
  const others = [
    [servers("refused"), "refused it"],
    [servers("unreachable"), "was not reachable"],
  ].flatMap(([where, what]) => (where === "" ? [] : [`${where} ${what}`]));
  const accepted = servers("accepted");
  if (accepted !== "") return [`${time} by ${accepted}`, ...others].join("; ");
  const why = findings.length === 0 ? "no proof was wanted" : others.join("; ");
  return `no, unverified: ${why} at ${time}`;
}

/** The comment about a token that is not proven yet. */
export function unprovenNote(now: number): string {
  return `no, unverified: not tried yet at ${isoSeconds(now)}`;
}
