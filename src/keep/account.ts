import { storedServer } from "../account/peek.ts";
import { Interrupted, MxtokenError } from "../errors.ts";
import type { Settings } from "../settings/settings.ts";
import type { TokenIdentity } from "../store/token-file.ts";
import type { Turn, TurnRequest } from "../tasks/turn.ts";
import type { TokenLife } from "../token.ts";
import type { World } from "../world/world.ts";
import type { AccountEvent, AccountPicture, LastEvent, State, Trouble } from "./events.ts";
import {
  askAgainAt,
  isFromTheFuture,
  type Policy,
  proveAgainAt,
  refreshAt,
  retryAt,
} from "./schedule.ts";
import { ofLogin, passing, refusals, refusalsOfMailServer, troubleOf } from "./trouble.ts";

/** An account that is to be kept fresh. */
export interface AccountToKeep {
  readonly settings: Settings;
  /** the address; with its provider where another account here has the same */
  readonly label: string;
  /** the command by which a person signs in */
  signInCommand(): string;
  /** when a login has proven its token already, ms since 1970 */
  readonly provenAt?: number;
}

/** What the schedule is decided by, beside the account itself. */
export interface Moment {
  readonly now: number;
  readonly policy: Policy;
  random(): number;
}

/** Whatever comes of a turn, the next one is not begun sooner; ms. */
const leastInterval = 1000;

/** When nothing is due. */
const never = Number.POSITIVE_INFINITY;

/** A turn that has not begun, or not ended, for so long holds its account up; ms. */
const longestTurn = 60_000;

/** What somebody has to see to. */
interface Refusal {
  /** the same for what need not be told again */
  readonly kind: string;
  /** how often in a row */
  readonly times: number;
  /** what the refused turn began with */
  readonly tokens: TokenIdentity | undefined;
  readonly isByMailServer: boolean;
}

/** One account while it is kept fresh. It decides what is due, and asks nobody anything. */
export class KeptAccount {
  readonly toKeep: AccountToKeep;
  /** since when a turn is under way, or about to be; ms since 1970 */
  busySince: number | undefined;
  last: LastEvent | undefined;
  tokenFile: string | undefined;
  #provider: string | undefined;
  #server: string | undefined;
  #life: TokenLife | undefined;
  #isLookedAt = false;
  #provenAt: number | undefined;
  #refreshAt = 0;
  #proveAt = 0;
  /** in a row, of the token endpoint and of the mail server */
  #failures = 0;
  #failedProofs = 0;
  #lastKind = "";
  #settledAt = Number.NEGATIVE_INFINITY;
  /** it was all right once since the program began, so that what it was given is right */
  #hasWorked = false;
  /** a token of ours was stored there */
  #isPlaceKnown = false;
  #isToldExpired = false;
  #refusal: Refusal | undefined;
  /** it was refused since it was all right the last time */
  #wasRefused = false;

  constructor(toKeep: AccountToKeep, moment: Moment) {
    this.toKeep = toKeep;
    if (toKeep.provenAt !== undefined) this.#proven(toKeep.provenAt, moment);
  }

  /**
   * Whom it asks for tokens, which may be limited or paused for all that ask the same; empty for all of
   * whom nobody knows yet.
   */
  get server(): string {
    return this.#server ?? "";
  }

  /** Reads in the token file whom it asks, where that is not known yet. */
  async findServer(world: World): Promise<void> {
    this.#server ??= await storedServer(world, this.toKeep.settings);
  }

  /** Whether a person probably has to do something; until then it is tried rarely. */
  get isRefused(): boolean {
    return this.#refusal !== undefined;
  }

  /**
   * Whether somebody has done something about it since it was refused. Where the mail server does not
   * want the token, another refresh token is nobody's new sign-in: another process's attempt leaves one.
   */
  isWorthATry(tokens: TokenIdentity | undefined): boolean {
    const part = this.#refusal?.isByMailServer === true ? "accessToken" : "tokens";
    return tokens?.[part] !== this.#refusal?.tokens?.[part];
  }

  /** When the next turn is due, ms since 1970. */
  get nextAt(): number {
    return Math.max(Math.min(this.#refreshAt, this.#proveAt), this.#settledAt + leastInterval);
  }

  /** When its token ends, which says who comes first; ms since 1970. */
  get expiresAt(): number {
    return this.#life?.expiresAt ?? 0;
  }

  /** Whether the next turn is to get a token, and not only to prove one. */
  isRefreshDue({ now }: Moment): boolean {
    return this.#refreshAt <= now;
  }

  /** What the turn that is due now is to do. */
  turn({ now, policy }: Moment): TurnRequest {
    const isRefreshDue = this.#refreshAt <= now;
    return {
      settings: this.toKeep.settings,
      isDue: (life) => {
        if (life === undefined || isFromTheFuture(life.issuedAt, now)) return true;
        // Another process may have put another token there since.
        if (this.#isLookedAt && life.expiresAt === this.#life?.expiresAt) return isRefreshDue;
        return refreshAt(life, policy, 0) <= now;
      },
      proves: this.#proveAt <= now,
      isPlaceKnown: this.#isPlaceKnown,
    };
  }

  /** Decides what follows from a turn. @returns what there is to tell */
  settle(turn: Turn, moment: Moment): AccountEvent | undefined {
    const { error, findings } = turn;
    this.#settledAt = moment.now;
    this.tokenFile = turn.tokenFile ?? this.tokenFile;
    this.#provider = turn.provider ?? this.#provider;
    this.#server = turn.server ?? this.#server;
    const isOthers = this.#isLookedAt && this.#isOtherLife(turn.life) && !turn.isRenewed;
    if (turn.isLookedAt) this.#learnLife(turn, moment);
    this.#isLookedAt = true;
    if (error === undefined) return this.#succeeded(turn, isOthers, moment);
    if (error instanceof Interrupted) return undefined;
    const trouble = troubleOf(error, this.toKeep.signInCommand);
    const isOfLogin =
      ofLogin.has(trouble.code) && findings?.some(({ result }) => result !== "accepted") === true;
    const isOpen = findings?.some(({ probe, result }) => probe !== "smtp" && result === "accepted");
    if (isOfLogin && isOpen) {
      this.#worked();
      this.#proven(moment.now, moment);
      return { is: "partlyRefused", trouble, life: this.#life };
    }
    const mayPass = error instanceof MxtokenError && error.mayPass;
    const retryAfter = error instanceof MxtokenError ? error.retryAfter : undefined;
    if (!mayPass && !this.#isPassing(trouble)) {
      return this.#refused(turn, trouble, retryAfter, moment);
    }
    if (this.#refusal !== undefined && (!turn.isRenewed || this.#refusal.isByMailServer)) {
      this.#refusedBefore(retryAfter, moment);
      return undefined;
    }
    const isProofPending = findings?.some(({ result }) => result === "unreachable") === true;
    return isOfLogin && isProofPending
      ? this.#unproven(trouble, retryAfter, turn.isRenewed, moment)
      : this.#unreachable(trouble, retryAfter, moment);
  }

  /** Lets a refused account be tried again now: somebody may have done something about it. */
  tryAgain({ now }: Moment): AccountEvent {
    this.#refusal = undefined;
    this.#isLookedAt = false;
    this.#settledAt = Number.NEGATIVE_INFINITY;
    this.#failures = 0;
    this.#refreshAt = now;
    this.#proveAt = Math.min(this.#proveAt, now);
    return { is: "triedAgain" };
  }

  /** Once for every token that ends without a successor. */
  expired({ now }: Moment): AccountEvent | undefined {
    const expiresAt = this.#life?.expiresAt;
    if (expiresAt === undefined || expiresAt > now) return undefined;
    const isHeldUp = this.busySince !== undefined && now - this.busySince > longestTurn;
    const isWithout = this.#failures > 0 || isHeldUp;
    if (!isWithout || this.#isToldExpired || this.isRefused) return undefined;
    this.#isToldExpired = true;
    return { is: "expired", expiresAt };
  }

  /** After the clock was set back by so many ms: what is planned comes after as much time as before. */
  clockWasSetBack(ms: number): void {
    this.#settledAt -= ms;
    if (this.busySince !== undefined) this.busySince -= ms;
    this.#refreshAt -= ms;
    this.#proveAt -= ms;
    if (this.#provenAt !== undefined) this.#provenAt -= ms;
  }

  picture(now: number): AccountPicture {
    const { label, settings } = this.toKeep;
    return {
      label,
      address: settings.address.text,
      provider: this.#provider ?? settings.provider,
      tokenFile: this.tokenFile,
      state: this.state(now),
      expiresAt: this.#life?.expiresAt,
      nextAt: finite(this.nextAt),
      provenAt: this.#provenAt,
      last: this.last,
    };
  }

  state(now: number): State {
    if (this.isRefused) return "refused";
    if (!this.#isLookedAt) return "waiting";
    if (this.#life === undefined || this.#isOver(now)) return "expired";
    return this.#failures > 0 ? "retrying" : "fresh";
  }

  #isOver(now: number): boolean {
    const expiresAt = this.#life?.expiresAt;
    return expiresAt !== undefined && expiresAt <= now;
  }

  #isOtherLife(life: TokenLife | undefined): boolean {
    return life?.expiresAt !== this.#life?.expiresAt;
  }

  #learnLife({ life, isRenewed }: Turn, { policy, random }: Moment): void {
    if (life !== undefined && this.#isLookedAt && !isRenewed && !this.#isOtherLife(life)) return;
    this.#life = life;
    this.#isToldExpired = false;
    if (life !== undefined) this.#refreshAt = refreshAt(life, policy, random());
  }

  #succeeded(turn: Turn, isOthers: boolean, moment: Moment): AccountEvent | undefined {
    const { findings, isRenewed } = turn;
    const isAgain = this.#failures > 0 || this.#wasRefused;
    this.#worked();
    if (isRenewed) this.#isPlaceKnown = true;
    if (findings !== undefined && findings.length > 0) this.#proven(moment.now, moment);
    else if (this.toKeep.settings.verify.length === 0) this.#proven(moment.now, moment, false);
    const life = this.#life;
    if (isRenewed) return { is: "refreshed", life, findings, isAgain };
    if (findings !== undefined) return { is: "proven", life, findings, isAgain };
    if (isOthers) return { is: "refreshedElsewhere", life, isAgain };
    return isAgain ? { is: "worksAgain", life } : undefined;
  }

  /** A secret's source may be gone for a while; what was never right does not get right by itself. */
  #isPassing({ code }: Trouble): boolean {
    return passing.has(code) || (this.#hasWorked && !refusals.has(code));
  }

  #worked(): void {
    this.#hasWorked = true;
    this.#refusal = undefined;
    this.#wasRefused = false;
    this.#failures = 0;
    this.#failedProofs = 0;
    this.#lastKind = "";
  }

  #proven(at: number, { policy, random }: Moment, isProven = true): void {
    if (isProven) this.#provenAt = at;
    this.#failedProofs = 0;
    this.#proveAt = proveAgainAt(at, policy, random());
  }

  /** Told once, and not at every attempt that comes to the same. */
  #refused(
    { identity, isAskable }: Turn,
    trouble: Trouble,
    retryAfter: number | undefined,
    { now, random }: Moment,
  ): AccountEvent | undefined {
    const former = this.#refusal;
    const { kind } = trouble;
    const times = (former?.times ?? 0) + 1;
    const isByMailServer = refusalsOfMailServer.has(trouble.code);
    this.#refusal = { kind, times, tokens: identity, isByMailServer };
    this.#wasRefused = true;
    this.#failures = 0;
    // Where there is nothing to ask with, only the file is looked at.
    this.#lookAgainAt(isAskable ? askAgainAt(now, times, retryAfter, random()) : never);
    const nextAt = finite(this.nextAt);
    return former?.kind === kind ? undefined : { is: "refused", trouble, life: this.#life, nextAt };
  }

  /** Nobody has answered this time: that is no news of an account that needs somebody. */
  #refusedBefore(retryAfter: number | undefined, { now, random }: Moment): void {
    this.#failures += 1;
    this.#lookAgainAt(retryAt(now, this.#failures, retryAfter, random()));
  }

  /** Then it is looked at as if for the first time. */
  #lookAgainAt(at: number): void {
    this.#isLookedAt = false;
    this.#refreshAt = at;
    this.#proveAt = at;
  }

  #unproven(
    trouble: Trouble,
    retryAfter: number | undefined,
    isRenewed: boolean,
    { now, random }: Moment,
  ): AccountEvent | undefined {
    this.#refusal = undefined;
    this.#failures = 0;
    this.#failedProofs += 1;
    if (isRenewed) this.#isPlaceKnown = true;
    this.#proveAt = retryAt(now, this.#failedProofs, retryAfter, random());
    const isTold = this.#isNews(trouble) || isRenewed;
    return isTold
      ? { is: "unproven", trouble, life: this.#life, nextAt: this.#proveAt }
      : undefined;
  }

  #unreachable(
    trouble: Trouble,
    retryAfter: number | undefined,
    { now, random }: Moment,
  ): AccountEvent | undefined {
    this.#failures += 1;
    // It is tried out before anything more is asked for that could not be stored.
    if (trouble.code === "unwritable") this.#isPlaceKnown = false;
    this.#refreshAt = retryAt(now, this.#failures, retryAfter, random());
    // A login can wait for the token.
    this.#proveAt = Math.max(this.#proveAt, this.#refreshAt);
    const is = trouble.code === "unreachable" ? "unreachable" : "failed";
    return this.#isNews(trouble)
      ? { is, trouble, life: this.#life, nextAt: this.#refreshAt }
      : undefined;
  }

  /** The same failure is told once, and not at every attempt. */
  #isNews(trouble: Trouble): boolean {
    const isNews = trouble.kind !== this.#lastKind;
    this.#lastKind = trouble.kind;
    return isNews;
  }
}

function finite(time: number): number | undefined {
  return Number.isFinite(time) ? time : undefined;
}
