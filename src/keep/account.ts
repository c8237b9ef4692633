import type { Settings } from "../config/settings.ts";
import { Interrupted, MxtokenError } from "../errors.ts";
import type { TokenLife, Turn, TurnRequest } from "../flow/turn.ts";
import type { FileIdentity } from "../store/read.ts";
import type { AccountEvent, AccountPicture, LastEvent, State, Trouble } from "./events.ts";
import { isFromTheFuture, type Policy, proveAgainAt, refreshAt, retryAt } from "./schedule.ts";

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

/**
 * Failures that pass: nobody was there, or the answer was a captive portal's, or the disk is full. A
 * defect of ours may be one too, and must not end the others.
 */
const passing: ReadonlySet<string> = new Set([
  "unreachable",
  "notUnderstood",
  "unwritable",
  "defect",
]);

/** A login has shown it. */
const refusalsOfMailServer: ReadonlySet<string> = new Set(["mailboxRefused", "wrongAccount"]);

/** One account while it is kept fresh. It decides what is due, and asks nobody anything. */
export class KeptAccount {
  readonly toKeep: AccountToKeep;
  /** a turn is under way, or about to be */
  isBusy = false;
  last: LastEvent | undefined;
  tokenFile: string | undefined;
  #provider: string | undefined;
  #life: TokenLife | undefined;
  #isLookedAt = false;
  #provenAt: number | undefined;
  #refreshAt = 0;
  #proveAt = 0;
  /** in a row, of the token endpoint and of the mail server */
  #failures = 0;
  #failedProofs = 0;
  #lastReason = "";
  #isRefused = false;
  #isToldExpired = false;
  /** its file when it was refused, and whether it was the mail server that did */
  #refusedFile: FileIdentity | undefined;
  #isRefusedByMailServer = false;

  constructor(toKeep: AccountToKeep, moment: Moment) {
    this.toKeep = toKeep;
    if (toKeep.provenAt !== undefined) this.#proven(toKeep.provenAt, moment);
  }

  /** What may be limited or paused together: all accounts at one provider. */
  get provider(): string {
    const { provider, address } = this.toKeep.settings;
    return this.#provider ?? provider ?? address.domain;
  }

  /** Whether a person has to do something before anything more is tried. */
  get isRefused(): boolean {
    return this.#isRefused;
  }

  /**
   * Whether somebody has done something about it since it was refused. Where the mail server does not
   * want the token, another refresh token is nobody's new sign-in: another process's attempt leaves one.
   */
  isWorthATry(file: FileIdentity | undefined): boolean {
    const part = this.#isRefusedByMailServer ? "firstLine" : "content";
    return file?.[part] !== this.#refusedFile?.[part];
  }

  /** When the next turn is due, ms since 1970. */
  get nextAt(): number {
    if (this.#isRefused) return Number.POSITIVE_INFINITY;
    return Math.min(this.#refreshAt, this.#proveAt);
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

  #isPlaceKnown = false;

  /** Decides what follows from a turn. @returns what there is to tell */
  settle(turn: Turn, moment: Moment): AccountEvent | undefined {
    const { error, findings } = turn;
    this.tokenFile = turn.tokenFile;
    this.#provider = turn.provider ?? this.#provider;
    const isOthers = this.#isLookedAt && this.#isOtherLife(turn.life) && !turn.isRenewed;
    this.#learnLife(turn, moment);
    this.#isLookedAt = true;
    if (error === undefined) return this.#succeeded(turn, isOthers, moment);
    if (error instanceof Interrupted) return undefined;
    const trouble = this.#troubleOf(error);
    if (findings?.some(({ probe, result }) => probe !== "smtp" && result === "accepted")) {
      this.#proven(moment.now, moment);
      this.#worked();
      return { is: "partlyRefused", trouble, life: this.#life };
    }
    if (!passing.has(trouble.code)) return this.#refused(turn, trouble);
    const retryAfter = error instanceof MxtokenError ? error.retryAfter : undefined;
    const isProofPending = findings?.some(({ result }) => result === "unreachable") === true;
    return isProofPending
      ? this.#unproven(trouble, retryAfter, turn.isRenewed, moment)
      : this.#unreachable(trouble, retryAfter, moment);
  }

  /** Lets a refused account be tried again. */
  tryAgain({ now }: Moment): AccountEvent {
    this.#isRefused = false;
    this.#isLookedAt = false;
    this.#failures = 0;
    this.#refreshAt = now;
    this.#proveAt = Math.min(this.#proveAt, now);
    return { is: "triedAgain" };
  }

  /** Once for every token that ends without a successor. */
  expired({ now }: Moment): AccountEvent | undefined {
    if (!this.#isOver(now) || this.#isToldExpired || this.#isRefused || this.isBusy)
      return undefined;
    const expiresAt = this.#life?.expiresAt;
    if (expiresAt === undefined || this.#failures === 0) return undefined;
    this.#isToldExpired = true;
    return { is: "expired", expiresAt };
  }

  /** After the clock was set back by so many ms: what is planned comes after as much time as before. */
  clockWasSetBack(ms: number): void {
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
      nextAt: this.#isRefused ? undefined : this.nextAt,
      provenAt: this.#provenAt,
      last: this.last,
    };
  }

  state(now: number): State {
    if (this.#isRefused) return "refused";
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
    const isAgain = this.#failures > 0;
    this.#worked();
    if (isRenewed) this.#isPlaceKnown = true;
    if (findings !== undefined && findings.length > 0) this.#proven(moment.now, moment);
    // Nothing proves it.
    else if (this.#proveAt <= moment.now) this.#proven(moment.now, moment, false);
    const life = this.#life;
    if (isRenewed) return { is: "refreshed", life, findings, isAgain };
    if (findings !== undefined) return { is: "proven", life, findings };
    return isOthers ? { is: "refreshedElsewhere", life } : undefined;
  }

  #worked(): void {
    this.#failures = 0;
    this.#failedProofs = 0;
    this.#lastReason = "";
  }

  #proven(at: number, { policy, random }: Moment, isProven = true): void {
    if (isProven) this.#provenAt = at;
    this.#failedProofs = 0;
    this.#proveAt = proveAgainAt(at, policy, random());
  }

  #refused(turn: Turn, trouble: Trouble): AccountEvent {
    this.#isRefused = true;
    this.#refusedFile = turn.fileIdentity;
    this.#isRefusedByMailServer = refusalsOfMailServer.has(trouble.code);
    return { is: "refused", trouble, life: this.#life };
  }

  #unproven(
    trouble: Trouble,
    retryAfter: number | undefined,
    isRenewed: boolean,
    { now, random }: Moment,
  ): AccountEvent | undefined {
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
    this.#refreshAt = retryAt(now, this.#failures, retryAfter, random());
    // A login can wait for the token.
    this.#proveAt = Math.max(this.#proveAt, this.#refreshAt);
    const is = trouble.code === "unreachable" ? "unreachable" : "failed";
    return this.#isNews(trouble)
      ? { is, trouble, life: this.#life, nextAt: this.#refreshAt }
      : undefined;
  }

  /** The same failure is told once, and not at every attempt. */
  #isNews({ reason }: Trouble): boolean {
    const isNews = reason !== this.#lastReason;
    this.#lastReason = reason;
    return isNews;
  }

  #troubleOf(error: unknown): Trouble {
    if (!(error instanceof MxtokenError)) {
      const name = error instanceof Error ? error.name : typeof error;
      // The message of an unexpected error may quote anything, also a secret.
      const hint = "please report it, with what --verbose prints";
      return {
        code: "defect",
        reason: `this is a defect of mxtoken (${name})`,
        hint,
        commands: [],
      };
    }
    const { code, message: reason, hint, commands } = error;
    if (code !== "signInNeeded" || commands.length > 0) return { code, reason, hint, commands };
    const command = this.toKeep.signInCommand();
    return {
      code,
      reason,
      hint: "somebody must sign in, by this command in a terminal:",
      commands: [command],
    };
  }
}
