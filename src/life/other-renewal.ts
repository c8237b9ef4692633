import { MxtokenError } from "../errors.ts";
import type { Proof } from "../proof/proof.ts";
import { requireOwner } from "../store/entry.ts";
import type { Token, TokenRecord } from "../token.ts";
import { type Life, recordOf } from "./life.ts";

// Two processes may renew the same account: one of them commits its refresh token and is still proving
// its access token when the other one comes.

/** A new token, and what was stored when it was asked for. */
export interface Grant {
  readonly token: Token;
  readonly former: TokenRecord;
}

/** Longer than the 30 s that another process's proof may take. */
const otherProofPatience = 35_000;
const pollInterval = 200;

/** Whether two records have the same access token, or refresh token. */
export function sameLine(
  one: TokenRecord,
  other: TokenRecord,
  line: "accessToken" | "refreshToken",
): boolean {
  const value = one[line];
  return value === undefined ? other[line] === undefined : value.equals(other[line]);
}

/**
 * Another process has refreshed after this one: its result is waited for. Where it leaves line 1 as
 * it was, as `mxtoken show --nocache` does, this one's proven token takes that place, beside the
 * other's refresh token.
 */
export async function waitForOther(
  life: Life,
  { token, former }: Grant,
  proof: Proof,
): Promise<void> {
  if ((await renewedLineOne(life, former)) !== undefined) return;
  const { account, entry } = life;
  await entry.edit(account.owner, async (open) => {
    if (open.record === undefined) {
      throw new MxtokenError("unreachable", `${entry.place} was removed meanwhile`, {
        hint: "run the command again",
      });
    }
    if (!sameLine(open.record, former, "accessToken")) return;
    const { refreshToken } = open.record;
    await open.commit(recordOf(life, { ...token, refreshToken }, proof, former.notes));
  });
}

/**
 * Waits until another process, which has committed its refresh token, has proven its access token
 * and put it into line 1.
 *
 * @returns undefined when that does not happen for longer than a proof can take
 */
export async function renewedLineOne(
  life: Life,
  before: TokenRecord,
): Promise<TokenRecord | undefined> {
  const { world, account, entry, tell } = life;
  tell({ is: "waitingForOther", tokenFile: entry.place });
  const end = world.now() + otherProofPatience;
  for (;;) {
    const current = await entry.peek();
    if (current === undefined) return undefined;
    requireOwner(entry.place, current.notes, account.owner);
    if (!sameLine(before, current, "accessToken")) return current;
    if (world.now() >= end) return undefined;
    await world.sleep(pollInterval, world.interrupted);
  }
}
