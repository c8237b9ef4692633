import { Interrupted, MxtokenError } from "../errors.ts";
import type { Turn } from "../tasks/turn.ts";
import { type AccountState, nextAt, proven, type Settled } from "./account-state.ts";
import { type AccountToKeep, type Trouble, troubleOf } from "./events.ts";
import { askAgainAt, type Moment, proveAgainAt, refreshAt, retryAt } from "./schedule.ts";

/**
 * What failures of a kind mean. Those that pass: nobody was there, or the answer was a captive portal's, or
 * the disk is full; a defect of ours may be one too, and must not end the others.
 */
const meaning: Readonly<Record<string, "refusal" | "refusal by the mail server" | "passes">> = {
  signInNeeded: "refusal",
  applicationRefused: "refusal",
  mailboxRefused: "refusal by the mail server",
  wrongAccount: "refusal by the mail server",
  unreachable: "passes",
  notUnderstood: "passes",
  unwritable: "passes",
  defect: "passes",
};

/** What a turn was taken for. */
type Account = Pick<AccountToKeep, "signInCommand"> & {
  readonly settings: Pick<AccountToKeep["settings"], "verify">;
};

/** What went wrong in a turn. */
interface Failure {
  readonly trouble: Trouble;
  /** seconds that a server asks to wait */
  readonly retryAfter: number | undefined;
}

/** Decides what follows from a turn, and asks nobody anything. */
export function settle(
  former: AccountState,
  turn: Turn,
  account: Account,
  moment: Moment,
): Settled {
  const state = looked(former, turn, moment);
  const { error, findings, isRenewed } = turn;
  if (error === undefined) {
    const isOthers = former.isLookedAt && isOtherLife(former, turn) && !isRenewed;
    return succeeded(state, { ...turn, isOthers }, account, moment);
  }
  if (error instanceof Interrupted) return { state };
  const trouble = troubleOf(error, account.signInCommand);
  const { mayPass, retryAfter } = error instanceof MxtokenError ? error : noAdvice;
  const failure = { trouble, retryAfter };
  const results = findings ?? [];
  const isOfLogin =
    (isByMailServer(trouble) || trouble.code === "unreachable") &&
    results.some(({ result }) => result !== "accepted");
  if (isOfLogin && results.some((each) => each.probe !== "smtp" && each.result === "accepted")) {
    const open = proven(worked(state), moment.now, moment);
    return { state: open, event: { is: "partlyRefused", trouble, life: open.life } };
  }
  if (!mayPass && !isPassing(trouble, state)) return refuse(state, turn, failure, moment);
  if (state.refused !== undefined && (!isRenewed || state.refused.isByMailServer)) {
    // Nobody has answered this time: that is no news of an account that needs somebody.
    const failures = state.failures + 1;
    const at = retryAt(moment.now, failures, retryAfter, moment.random());
    return { state: { ...lookAgainAt(state, at), failures } };
  }
  return isOfLogin && results.some(({ result }) => result === "unreachable")
    ? leaveUnproven(state, isRenewed, failure, moment)
    : retry(state, failure, moment);
}

const noAdvice = { mayPass: false, retryAfter: undefined };

function isOtherLife({ life }: AccountState, turn: Turn): boolean {
  return turn.life?.expiresAt !== life?.expiresAt;
}

/** What is known after any turn. */
function looked(former: AccountState, turn: Turn, { now, policy, random }: Moment): AccountState {
  const { life } = turn;
  const state = {
    ...former,
    settledAt: now,
    tokenFile: turn.tokenFile,
    provider: turn.provider ?? former.provider,
    server: turn.server ?? former.server,
    isLookedAt: true,
  };
  const isKnown = former.isLookedAt && !turn.isRenewed && !isOtherLife(former, turn);
  if (!turn.isLookedAt || (life !== undefined && isKnown)) return state;
  const learnt = { ...state, life, isToldExpired: false };
  return life === undefined ? learnt : { ...learnt, refreshAt: refreshAt(life, policy, random()) };
}

function succeeded(
  former: AccountState,
  { findings, isRenewed, isOthers }: Turn & { readonly isOthers: boolean },
  { settings }: Account,
  moment: Moment,
): Settled {
  const { now, policy, random } = moment;
  const isAgain = former.failures > 0 || former.wasRefused;
  let state = worked(former);
  if (isRenewed) state = { ...state, isPlaceKnown: true };
  if (findings !== undefined && findings.length > 0) state = proven(state, now, moment);
  else if (settings.verify.length === 0) {
    state = { ...state, proveAt: proveAgainAt(now, policy, random()) };
  }
  const { life } = state;
  if (isRenewed) return { state, event: { is: "refreshed", life, findings, isAgain } };
  if (findings !== undefined) return { state, event: { is: "proven", life, findings, isAgain } };
  if (isOthers) return { state, event: { is: "refreshedElsewhere", life, isAgain } };
  return isAgain ? { state, event: { is: "worksAgain", life } } : { state };
}

/** A secret's source may be gone for a while; what was never right does not get right by itself. */
function isPassing({ code }: Trouble, { hasWorked }: AccountState): boolean {
  return meaning[code] === "passes" || (hasWorked && meaning[code] === undefined);
}

function isByMailServer({ code }: Trouble): boolean {
  return meaning[code] === "refusal by the mail server";
}

function worked(state: AccountState): AccountState {
  return {
    ...state,
    hasWorked: true,
    refused: undefined,
    wasRefused: false,
    failures: 0,
    failedProofs: 0,
    failureKind: undefined,
  };
}

/** Told once, and not at every attempt that comes to the same. */
function refuse(
  former: AccountState,
  { identity, isAskable }: Turn,
  { trouble, retryAfter }: Failure,
  { now, random }: Moment,
): Settled {
  const { kind } = trouble;
  const times = (former.refused?.times ?? 0) + 1;
  // Where there is nothing to ask with, only the file is looked at.
  const at = isAskable ? askAgainAt(now, times, retryAfter, random()) : undefined;
  const state = {
    ...lookAgainAt(former, at),
    refused: { kind, times, tokens: identity, isByMailServer: isByMailServer(trouble) },
    wasRefused: true,
    failures: 0,
  };
  if (former.refused?.kind === kind) return { state };
  return { state, event: { is: "refused", trouble, life: state.life, nextAt: nextAt(state) } };
}

/** Then it is looked at as if for the first time. */
function lookAgainAt(state: AccountState, at: number | undefined): AccountState {
  return { ...state, isLookedAt: false, refreshAt: at, proveAt: at };
}

/** A new token may be stored, and the mail server has not said anything about it. */
function leaveUnproven(
  former: AccountState,
  isRenewed: boolean,
  { trouble, retryAfter }: Failure,
  { now, random }: Moment,
): Settled {
  const failedProofs = former.failedProofs + 1;
  const proveAt = retryAt(now, failedProofs, retryAfter, random());
  const state = {
    ...former,
    refused: undefined,
    failures: 0,
    failedProofs,
    isPlaceKnown: former.isPlaceKnown || isRenewed,
    proveAt,
    failureKind: trouble.kind,
  };
  if (state.failureKind === former.failureKind && !isRenewed) return { state };
  return { state, event: { is: "unproven", trouble, life: state.life, nextAt: proveAt } };
}

/** The same failure is told once, and not at every attempt. */
function retry(
  former: AccountState,
  { trouble, retryAfter }: Failure,
  { now, random }: Moment,
): Settled {
  const failures = former.failures + 1;
  const again = retryAt(now, failures, retryAfter, random());
  const state = {
    ...former,
    failures,
    // It is tried out before anything more is asked for that could not be stored.
    isPlaceKnown: former.isPlaceKnown && trouble.code !== "unwritable",
    refreshAt: again,
    // A login can wait for the token.
    proveAt: Math.max(former.proveAt ?? again, again),
    failureKind: trouble.kind,
  };
  if (state.failureKind === former.failureKind) return { state };
  const is = trouble.code === "unreachable" ? "unreachable" : "failed";
  return { state, event: { is, trouble, life: state.life, nextAt: again } };
}
