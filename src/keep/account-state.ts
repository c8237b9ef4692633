import type { TokenIdentity } from "../store/token-file.ts";
import type { TurnRequest } from "../tasks/turn.ts";
import type { TokenLife } from "../token.ts";
import type {
  AccountEvent,
  AccountKey,
  AccountPicture,
  AccountToKeep,
  LastEvent,
  State,
} from "./events.ts";
import { isFromTheFuture, type Moment, proveAgainAt, refreshAt } from "./schedule.ts";

/** What somebody has to see to. */
export interface Refusal {
  /** the same for what need not be told again */
  readonly kind: string;
  /** how often in a row */
  readonly times: number;
  /** what the refused turn began with */
  readonly tokens?: TokenIdentity | undefined;
  readonly isByMailServer: boolean;
}

/**
 * How an account stands. It is JSON, so that whoever works accounts off can write it down, and go on with
 * it elsewhere. Times are ms since 1970, and undefined for never.
 */
export interface AccountState {
  readonly key: AccountKey;
  /** when a new token is due, and when a login; without both, it waits for another token file */
  readonly refreshAt?: number | undefined;
  readonly proveAt?: number | undefined;
  /** in a row, of the token endpoint and of the mail server */
  readonly failures: number;
  readonly failedProofs: number;
  /** of the stored token */
  readonly life?: TokenLife | undefined;
  /** a person probably has to do something; until then it is tried rarely */
  readonly refused?: Refusal | undefined;
  /** what was told of it last */
  readonly last?: LastEvent | undefined;
  readonly tokenFile?: string | undefined;
  readonly provider?: string | undefined;
  /** whom it asks for tokens, which may be limited or paused for all that ask the same */
  readonly server?: string | undefined;
  /** of the last turn */
  readonly settledAt?: number | undefined;
  readonly provenAt?: number | undefined;
  /** `life` is what the last turn has seen */
  readonly isLookedAt: boolean;
  /** it was all right once, so that what it was given is right */
  readonly hasWorked: boolean;
  /** a token of ours was stored there */
  readonly isPlaceKnown: boolean;
  readonly isToldExpired: boolean;
  /** it was refused since it was all right the last time */
  readonly wasRefused: boolean;
  /** of the failure that was told last, and is not over */
  readonly failureKind?: string | undefined;
}

/** What becomes of an account, and what there is to tell. */
export interface Settled {
  readonly state: AccountState;
  readonly event?: AccountEvent | undefined;
}

/** What a turn is to do. */
interface TurnOrder extends Pick<TurnRequest, "isDue" | "proves" | "isPlaceKnown"> {
  /** it is to get a token, and not only to prove one */
  readonly refreshes: boolean;
}

/** Whatever comes of a turn, the next one is not begun sooner; ms. */
const leastInterval = 1000;

/** A turn that has not begun, or not ended, for so long holds its account up; ms. */
const longestTurn = 60_000;

/** An account that nobody has looked at yet: all of it is due. */
export function newState(key: AccountKey): AccountState {
  return {
    key,
    refreshAt: 0,
    proveAt: 0,
    failures: 0,
    failedProofs: 0,
    life: undefined,
    refused: undefined,
    last: undefined,
    tokenFile: undefined,
    provider: undefined,
    server: undefined,
    settledAt: undefined,
    provenAt: undefined,
    failureKind: undefined,
    isLookedAt: false,
    hasWorked: false,
    isPlaceKnown: false,
    isToldExpired: false,
    wasRefused: false,
  };
}

/**
 * The same, in the shape of all others. V8 describes an object that was made by spreading one by one, which takes
 * more than its members do.
 */
export function inOneShape(state: AccountState): AccountState {
  return Object.assign(newState(state.key), state);
}

/** The same after a login has proven its token. */
export function proven(state: AccountState, at: number, { policy, random }: Moment): AccountState {
  return { ...state, provenAt: at, failedProofs: 0, proveAt: proveAgainAt(at, policy, random()) };
}

/** When the next turn is due, ms since 1970; undefined: not before its token file changes. */
export function nextAt(state: AccountState): number | undefined {
  const { refreshAt: refresh, proveAt: prove = refresh, settledAt } = state;
  if (prove === undefined) return undefined;
  const next = Math.min(refresh ?? prove, prove);
  return settledAt === undefined ? next : Math.max(next, settledAt + leastInterval);
}

export function isOver(time: number | undefined, now: number): boolean {
  return time !== undefined && time <= now;
}

/** What a turn would have to do now; undefined where none is due. */
export function due(state: AccountState, { now, policy }: Moment): TurnOrder | undefined {
  if (!isOver(nextAt(state), now)) return undefined;
  const refreshes = isOver(state.refreshAt, now);
  const isDue = (life: TokenLife | undefined) => {
    if (life === undefined || isFromTheFuture(life.issuedAt, now)) return true;
    // Another process may have put another token there since.
    if (state.isLookedAt && life.expiresAt === state.life?.expiresAt) return refreshes;
    return refreshAt(life, policy, 0) <= now;
  };
  const { isPlaceKnown } = state;
  return { refreshes, proves: isOver(state.proveAt, now), isPlaceKnown, isDue };
}

/**
 * Whether somebody has done something about a refused account since. Where the mail server does not
 * want the token, another refresh token is nobody's new sign-in: another process's attempt leaves one.
 */
export function isWorthATry({ refused }: AccountState, tokens: TokenIdentity | undefined): boolean {
  const part = refused?.isByMailServer === true ? "accessToken" : "tokens";
  return tokens?.[part] !== refused?.tokens?.[part];
}

/** Lets a refused account be tried again now: somebody may have done something about it. */
export function tryAgain(former: AccountState, now: number): Settled {
  const state = {
    ...former,
    refused: undefined,
    isLookedAt: false,
    settledAt: undefined,
    failures: 0,
    refreshAt: now,
    proveAt: Math.min(former.proveAt ?? now, now),
  };
  return { state, event: { is: "triedAgain" } };
}

/**
 * Tells once of every token that ends without a successor.
 *
 * @param busySince since when its turn is under way, or waits for a place
 */
export function expired(state: AccountState, now: number, busySince?: number): Settled {
  const { life: { expiresAt } = {}, failures, isToldExpired, refused } = state;
  if (expiresAt === undefined || expiresAt > now || isToldExpired || refused) return { state };
  const isHeldUp = busySince !== undefined && now - busySince > longestTurn;
  if (failures === 0 && !isHeldUp) return { state };
  return { state: { ...state, isToldExpired: true }, event: { is: "expired", expiresAt } };
}

/** After the clock was set back by so many ms: what is planned comes after as much time as before. */
export function clockWasSetBack(state: AccountState, ms: number): AccountState {
  const back = (time: number | undefined) => (time === undefined ? undefined : time - ms);
  return {
    ...state,
    settledAt: back(state.settledAt),
    refreshAt: back(state.refreshAt),
    proveAt: back(state.proveAt),
    provenAt: back(state.provenAt),
  };
}

/** What a person looks for first. */
export function stateOf({ refused, isLookedAt, life, failures }: AccountState, now: number): State {
  if (refused !== undefined) return "refused";
  if (!isLookedAt) return "waiting";
  if (life === undefined || isOver(life.expiresAt, now)) return "expired";
  return failures > 0 ? "retrying" : "fresh";
}

/** An account for whoever wants to look. */
export function pictureOf(
  state: AccountState,
  { label, settings }: Pick<AccountToKeep, "label" | "settings">,
  now: number,
): AccountPicture {
  const { tokenFile, provider = settings.provider, life, provenAt, last } = state;
  const address = settings.address.text;
  const times = { expiresAt: life?.expiresAt, nextAt: nextAt(state), provenAt };
  return { label, address, provider, tokenFile, state: stateOf(state, now), ...times, last };
}
