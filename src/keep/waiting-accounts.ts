import { pause } from "../world/waiting.ts";
import { type AccountState, isOver } from "./account-state.ts";
import type { Worker } from "./engine.ts";

/** An account, as a process has it that works it off. */
export interface Account {
  state: AccountState;
  /** since when a turn is under way, or about to be; ms since 1970 */
  busySince?: number | undefined;
  /** before its first turn: when its token ends, as far as that can be told; ms since 1970 */
  endsAt?: number | undefined;
}

/** In which order two that are due have their turns: tokens before logins, and what ends first. */
export function comesBefore(one: Account, other: Account, now: number): number {
  const rank = ({ state }: Account) => (isOver(state.refreshAt, now) ? 0 : 1);
  const end = ({ state: { life }, endsAt = 0 }: Account) => life?.expiresAt ?? endsAt;
  return rank(one) - rank(other) || end(one) - end(other);
}

/** Whether its token is over; one that has had no turn yet is looked at ahead. */
export async function isEnded(account: Account, worker: Worker, now: number): Promise<boolean> {
  if (account.state.server === undefined) {
    const { server, expiresAt } = await worker.foresee(account.state.key);
    if (server !== undefined) account.state = { ...account.state, server };
    account.endsAt = expiresAt;
  }
  const end = account.state.life?.expiresAt ?? account.endsAt;
  return end !== undefined && end <= now;
}

/** How many accounts in a row are looked at before whatever else waits goes before. */
const pauseEvery = 50;

/**
 * Goes through very many accounts.
 *
 * @param meanwhile is done now and then; whether to go on
 */
export async function inSteps(
  accounts: readonly Account[],
  step: (account: Account) => Promise<void>,
  meanwhile: () => boolean = () => true,
): Promise<void> {
  for (const [index, account] of accounts.entries()) {
    if (index % pauseEvery === pauseEvery - 1) await pause();
    await step(account);
    if (index % pauseEvery === 0 && !meanwhile()) return;
  }
}
