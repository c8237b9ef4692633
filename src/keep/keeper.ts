import { MxtokenError } from "../errors.ts";
import type { Event } from "../flow/events.ts";
import { type Turn, takeTurn } from "../flow/turn.ts";
import { identityOf } from "../store/read.ts";
import type { World } from "../world/world.ts";
import type { KeptAccount, Moment } from "./account.ts";
import type { AccountEvent, AccountPicture, KeepEvent } from "./events.ts";
import { longestNap, napUntil, type Policy } from "./schedule.ts";

/** How the work is to be done. */
export interface KeeperOptions {
  readonly policy: Policy;
  /** how many turns may be under way at one provider */
  readonly concurrency: number;
  /** whether it goes on when no account is left for which nobody has to do something */
  readonly outlivesRefusals?: boolean;
  /** ends it: nothing new is begun, and what is under way comes to its end */
  readonly stop: AbortSignal;
  /** ms, for whoever has to hear of it more often than once a minute */
  longestNap?(): number;
}

/** Who is told what happens. */
export interface Audience {
  event(event: KeepEvent, account: KeptAccount | undefined): void;
  /** a step of a turn */
  detail(account: KeptAccount, event: Event): void;
  /** between two naps */
  tick?(): Promise<void>;
}

/** Providers that do not answer must not take every place. */
const providersAtOnce = 4;

/** A single account's Retry-After does not keep the others of its provider waiting for longer. */
const longestHold = 5 * 60_000;

/**
 * Keeps accounts fresh: takes the turns that are due, as many at once as are allowed, and naps until
 * the next one. No turn ever ends it, whatever happens in it.
 */
export class Keeper {
  readonly #world: World;
  readonly #options: KeeperOptions;
  readonly #audience: Audience;
  #accounts: readonly KeptAccount[] = [];
  /** due, and not yet begun; by provider */
  readonly #ready = new Map<string, KeptAccount[]>();
  /** under way, by provider */
  readonly #underWay = new Map<string, number>();
  readonly #running = new Set<Promise<void>>();
  /** until when nothing is begun at a provider that has asked for it, ms since 1970 */
  readonly #heldUntil = new Map<string, number>();
  /** ends the nap */
  #alarm = new AbortController();
  /** when the next account has to be looked at */
  #lookAt = 0;

  constructor(world: World, options: KeeperOptions, audience: Audience) {
    this.#world = world;
    this.#options = options;
    this.#audience = audience;
    options.stop.addEventListener("abort", () => this.#alarm.abort());
  }

  /** How many turns are under way. */
  get inFlight(): number {
    return this.#running.size;
  }

  get accounts(): readonly KeptAccount[] {
    return this.#accounts;
  }

  pictures(): AccountPicture[] {
    const now = this.#world.now();
    return this.#accounts.map((account) => account.picture(now));
  }

  /** Keeps these accounts from now on; one that is kept already keeps its state. */
  keep(accounts: readonly KeptAccount[]): void {
    this.#accounts = accounts;
    for (const account of [...this.#ready.values()].flat()) account.isBusy = false;
    this.#ready.clear();
    this.wake();
  }

  /** Lets everything be looked at now instead of after the nap. */
  wake(): void {
    this.#lookAt = 0;
    this.#alarm.abort();
  }

  /** Gives accounts that were refused another try. */
  tryAgain(isTried: (account: KeptAccount) => boolean): void {
    const moment = this.moment();
    for (const account of this.#accounts) {
      if (account.isRefused && isTried(account)) this.#tell(account, account.tryAgain(moment));
    }
    this.wake();
  }

  /**
   * @returns when it was stopped and every turn has come to its end; or when there is no account left
   * for which nobody has to do something
   */
  async run(): Promise<"stopped" | "nothing alive"> {
    const { stop } = this.#options;
    while (!stop.aborted) {
      // Whatever wakes from here on must not be slept over.
      this.#alarm = new AbortController();
      if (this.#world.now() >= this.#lookAt) await this.#look();
      this.#begin();
      await this.#audience.tick?.();
      if (this.#isNothingAlive()) return "nothing alive";
      await this.#nap();
    }
    await Promise.allSettled(this.#running);
    await this.#audience.tick?.();
    return "stopped";
  }

  moment(): Moment {
    const { policy } = this.#options;
    return { now: this.#world.now(), policy, random: () => this.#world.random() };
  }

  #isNothingAlive(): boolean {
    const isWithout = this.#accounts.length === 0 || this.#options.outlivesRefusals === true;
    if (this.#running.size > 0 || isWithout) return false;
    return this.#accounts.every(({ isRefused }) => isRefused);
  }

  /** Finds what is due, and when the next one is. */
  async #look(): Promise<void> {
    const moment = this.moment();
    await this.#lookAtFiles(this.#accounts.filter(({ isRefused }) => isRefused));
    let next = moment.now + longestNap;
    for (const account of this.#accounts) {
      if (account.isBusy) continue;
      const expired = account.expired(moment);
      if (expired !== undefined) this.#tell(account, expired);
      if (account.nextAt <= moment.now) this.#queue(account);
      else next = Math.min(next, account.nextAt);
    }
    this.#lookAt = next;
  }

  #queue(account: KeptAccount): void {
    account.isBusy = true;
    const ready = this.#ready.get(account.provider);
    if (ready === undefined) this.#ready.set(account.provider, [account]);
    else ready.push(account);
  }

  /** Only a new content of its file makes a refused account worth another try. */
  async #lookAtFiles(refused: readonly KeptAccount[]): Promise<void> {
    for (const account of refused) {
      const { tokenFile } = account;
      if (tokenFile === undefined) continue;
      if (!account.isWorthATry(await identityOf(tokenFile))) continue;
      this.#tell(account, account.tryAgain(this.moment()));
    }
  }

  /** Begins as many turns as there is room for. */
  #begin(): void {
    const { concurrency, stop } = this.#options;
    const now = this.#world.now();
    for (const [provider, ready] of this.#ready) {
      if ((this.#heldUntil.get(provider) ?? 0) > now) continue;
      let underWay = this.#underWay.get(provider) ?? 0;
      while (ready.length > 0 && underWay < concurrency && !stop.aborted) {
        if (this.#running.size >= concurrency * providersAtOnce) return;
        const account = ready.shift();
        if (account === undefined) break;
        underWay += 1;
        this.#underWay.set(provider, underWay);
        this.#run(account, provider);
      }
      if (ready.length === 0) this.#ready.delete(provider);
    }
  }

  #run(account: KeptAccount, provider: string): void {
    const turn = this.#take(account).finally(() => {
      account.isBusy = false;
      this.#running.delete(turn);
      this.#underWay.set(provider, (this.#underWay.get(provider) ?? 1) - 1);
      this.#lookAt = Math.min(this.#lookAt, account.nextAt);
      this.#begin();
      this.#alarm.abort();
    });
    this.#running.add(turn);
  }

  async #take(account: KeptAccount): Promise<void> {
    const request = account.turn(this.moment());
    const tell = (event: Event) => this.#audience.detail(account, event);
    const turn = await this.#withOwnSignal((world) => takeTurn(world, request, tell));
    this.#holdProvider(turn, account);
    const event = account.settle(turn, this.moment());
    if (event !== undefined) this.#tell(account, event);
  }

  /**
   * Gives a turn a signal of its own. What is combined with one that lives for months
   * (`AbortSignal.any`) is never given back by Node, neither by version 20 nor by 24.
   */
  async #withOwnSignal<T>(work: (world: World) => Promise<T>): Promise<T> {
    const { interrupted } = this.#world;
    const own = new AbortController();
    const pass = () => own.abort(interrupted.reason);
    interrupted.addEventListener("abort", pass);
    if (interrupted.aborted) pass();
    try {
      const world = Object.create(this.#world, { interrupted: { value: own.signal } }) as World;
      return await work(world);
    } finally {
      interrupted.removeEventListener("abort", pass);
    }
  }

  /** What one account was asked to wait for, the others need not find out one by one. */
  #holdProvider({ error, findings }: Turn, { provider }: KeptAccount): void {
    if (!(error instanceof MxtokenError) || error.retryAfter === undefined) return;
    // A mail server means this mailbox.
    if (findings !== undefined) return;
    const ms = Math.min(error.retryAfter * 1000, longestHold);
    this.#heldUntil.set(provider, this.#world.now() + ms);
  }

  #tell(account: KeptAccount, event: AccountEvent): void {
    this.#audience.event({ ...event, label: account.toKeep.label }, account);
  }

  async #nap(): Promise<void> {
    const { stop } = this.#options;
    const before = this.#world.now();
    const ms = napUntil(this.#nextStep(before), before, this.#options.longestNap?.());
    if (stop.aborted) return;
    try {
      await this.#world.sleep(ms, this.#alarm.signal);
    } catch {
      // Woken.
    }
    this.#judgeClock(before, before + ms);
  }

  #nextStep(now: number): number {
    const held = [...this.#ready.keys()].flatMap((provider) => {
      const until = this.#heldUntil.get(provider) ?? 0;
      return until > now ? [until] : [];
    });
    return Math.min(this.#lookAt, ...held);
  }

  /** A clock that was set, or a machine that slept. */
  #judgeClock(before: number, expected: number): void {
    const now = this.#world.now();
    const isBack = now < before - 1000;
    const isAhead = now > expected + longestNap;
    if (!isBack && !isAhead) return;
    this.#audience.event({ is: "clockSet", ms: isBack ? now - before : now - expected }, undefined);
    if (isBack) {
      this.#heldUntil.clear();
      for (const account of this.#accounts) account.clockWasSetBack(expected - now);
    }
    this.#lookAt = 0;
  }
}
