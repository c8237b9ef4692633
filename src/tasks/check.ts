import { getFreshOne, noAccessToken, resolveMailboxToProve } from "../account/mailbox.ts";
import type { Stored } from "../account/peek.ts";
import { checkTokenFits } from "../account/stored.ts";
import type { ProviderRow } from "../catalog/provider-row.ts";
import { MxtokenError } from "../errors.ts";
import type { Tell } from "../events.ts";
import type { Finding } from "../mail-server.ts";
import type { Mailbox } from "../mailbox.ts";
import {
  findOtherAccount,
  opensMailbox,
  proveByEvery,
  requireAccepted,
  serversToAsk,
} from "../proof/proof.ts";
import type { Secret } from "../secret.ts";
import type { Settings } from "../settings/settings.ts";
import { isoSeconds } from "../token.ts";
import type { Clock, Stop, Terminal, World } from "../world/world.ts";
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
  const fromInput = request.accessTokenFromInput;
  if (request.settings.verify.length === 0) {
    throw new MxtokenError("usage", "--verify none leaves nothing to check");
  }
  const { mailbox, foundRow, stored } = await resolveMailboxToProve(
    world,
    request.settings,
    fromInput,
    tell,
  );
  const accessToken = fromInput
    ? await fittingTokenFromInput(world, tell, foundRow)
    : storedToken(world, stored);
  const otherAccount = await findOtherAccount(
    { world, mailbox, client: undefined },
    { accessToken },
    false,
  );
  tell({ is: "proving", servers: serversToAsk(mailbox) });
  const findings = await proveByEvery(world, mailbox, accessToken);
  tell({ is: "proven", findings });
  const proof = { findings, otherAccount };
  const consequence = "nothing was changed";
  requireAccepted(mailbox, proof, { refused: consequence, unreachable: consequence });
  if (otherAccount !== undefined && opensMailbox(proof)) {
    tell({ is: "otherAccount", account: otherAccount, mailbox: mailbox.address.text });
  }
  const used = fromInput ? undefined : stored;
  return {
    mailbox,
    tokenFile: used?.entry.place,
    expiresAt: used?.record?.notes.expiresAt,
    findings,
  };
}

async function fittingTokenFromInput(
  world: Clock & Terminal & Stop,
  tell: Tell,
  foundRow: ProviderRow | undefined,
): Promise<Secret> {
  const token = await tokenFromInput(world, tell, "access token");
  if (foundRow !== undefined) {
    checkTokenFits("what came on standard input seems to", token, foundRow);
  }
  return token;
}

function storedToken(world: Clock, stored: Stored | undefined): Secret {
  const place = stored?.entry.place ?? "";
  const record = stored?.record;
  if (record?.accessToken === undefined) throw noAccessToken(place);
  const { expiresAt } = record.notes;
  if (expiresAt !== undefined && expiresAt <= world.now()) {
    // A failed login would count against the mailbox.
    throw new MxtokenError(
      "mailboxRefused",
      `the token in ${place} expired at ${isoSeconds(expiresAt)}`,
      { hint: getFreshOne },
    );
  }
  return record.accessToken;
}
