import { resolveMailboxToProve } from "../account/mailbox.ts";
import type { Stored } from "../account/peek.ts";
import { getFreshOne, noAccessToken } from "../account/stored.ts";
import { MxtokenError } from "../errors.ts";
import type { Tell } from "../events.ts";
import { prove } from "../life/life.ts";
import type { Finding } from "../mail-server.ts";
import type { Mailbox } from "../mailbox.ts";
import { knownEndOf } from "../proof/identity.ts";
import { ofUnknownEnd, opensMailbox, requireAccepted } from "../proof/proof.ts";
import type { Secret } from "../secret.ts";
import type { Settings } from "../settings/settings.ts";
import { isoSeconds } from "../token.ts";
import type { Clock, World } from "../world/world.ts";
import { tokenFromInput } from "./person.ts";

interface CheckRequest {
  readonly settings: Settings;
  /** prove a token from standard input instead of the stored one */
  readonly accessTokenFromInput: boolean;
}

/** What `mxtoken check` found. */
export interface CheckOutcome {
  readonly mailbox: Mailbox;
  /** absolute; undefined for a token from standard input */
  readonly tokenFile: string | undefined;
  /** milliseconds since 1970 */
  readonly expiresAt: number | undefined;
  readonly findings: readonly Finding[];
}

/**
 * Proves the stored token by a real login, or one from standard input; changes nothing.
 *
 * @throws MxtokenError; Interrupted
 */
export async function check(
  world: World,
  request: CheckRequest,
  tell: Tell,
): Promise<CheckOutcome> {
  const { settings, accessTokenFromInput: fromInput } = request;
  if (settings.verify.length === 0) {
    throw new MxtokenError("usage", "--verify none leaves nothing to check");
  }
  const resolved = await resolveMailboxToProve(world, settings, fromInput, tell);
  const { mailbox, foundRow, stored } = resolved;
  const used = fromInput ? undefined : stored;
  const accessToken =
    used === undefined
      ? await tokenFromInput(world, tell, { what: "access token", foundRow })
      : await storedToken(used);
  const expiresAt = knownEndOf({ accessToken, notes: used?.record?.notes ?? {} });
  const where = used === undefined ? "on standard input" : `in ${used.entry.place}`;
  requireUnexpired(world, expiresAt, where);
  const tried = await prove({ world, account: { mailbox }, tell }, { accessToken });
  const proof = expiresAt === undefined ? ofUnknownEnd(tried) : tried;
  const { findings, otherAccount } = proof;
  const consequence = "nothing was changed";
  requireAccepted(mailbox, proof, { refused: consequence, unreachable: consequence });
  if (otherAccount !== undefined && opensMailbox(proof)) {
    tell({ is: "otherAccount", account: otherAccount, mailbox: mailbox.address.text });
  }
  return {
    mailbox,
    tokenFile: used?.entry.place,
    expiresAt,
    findings,
  };
}

async function storedToken({ entry, record }: Stored): Promise<Secret> {
  if (record?.accessToken === undefined) throw await noAccessToken(entry);
  return record.accessToken;
}

/** A failed login would count against the mailbox. */
function requireUnexpired(world: Clock, expiresAt: number | undefined, where: string): void {
  if (expiresAt === undefined || expiresAt > world.now()) return;
  const message = `the token ${where} expired at ${isoSeconds(expiresAt)}`;
  throw new MxtokenError("mailboxRefused", message, { hint: getFreshOne });
}
