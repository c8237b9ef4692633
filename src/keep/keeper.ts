import { foresee } from "../account/peek.ts";
import { MxtokenError } from "../errors.ts";
import type { Event, Told } from "../events.ts";
import { tokenFiles } from "../store/token-file-store.ts";
import { type Turn, takeTurn } from "../tasks/turn.ts";
import { ShortSignals } from "../world/short-signals.ts";
import type { World } from "../world/world.ts";
import {
  type AccountState,
  due,
  isWorthATry,
  newState,
  pictureOf,
  proven,
  type Settled,
  tryAgain,
} from "./account-state.ts";
import type { Due, Engine, Foreseen, Taken, Worker } from "./engine.ts";
import type { AccountKey, AccountPicture, AccountToKeep, KeepEvent } from "./events.ts";
import type { Moment, Policy } from "./schedule.ts";
import { settle } from "./settle.ts";

/** A single account's Retry-After does not keep the others of its server waiting for longer; ms. */
const longestPause = 5 * 60_000;

/** Who is told what happens. */
export interface Audience {
  /** @returns the same in words */
  event(event: KeepEvent, picture: AccountPicture | undefined): string;
  /** a step of a turn */
  detail(told: Told): void;
  /** whatever else is to be done now and then */
  tick?(): Promise<void>;
  /** ms until `tick` wants to be called again */
  longestNap?(): number;
}

/** What accounts are kept with. */
export interface Keeping {
  readonly engine: Engine;
  readonly policy: Policy;
}

/** Keeps accounts fresh: takes the turns that an engine hands out, and tells what comes of them. */
export class Keeper implements Worker {
  readonly #world: World;
  readonly #signals: ShortSignals<World>;
  readonly #engine: Engine;
  readonly #policy: Policy;
  readonly #audience: Audience;
  #accounts = new Map<AccountKey, AccountToKeep>();
  /** at least one account did not need somebody */
  #isAnyAlive = false;
  #inFlight = 0;

  constructor(world: World, { engine, policy }: Keeping, audience: Audience) {
    this.#world = world;
    this.#signals = new ShortSignals(world);
    this.#engine = engine;
    this.#policy = policy;
    this.#audience = audience;
  }

  /** How many accounts are kept. */
  get size(): number {
    return this.#accounts.size;
  }

  /** How many turns are under way. */
  get inFlight(): number {
    return this.#inFlight;
  }

  /**
   * Whether somebody has to do something for every account, and never had not. Later, whatever is refused
   * may be taken again, and whoever is to see to it may not be there yet.
   */
  get isNothingAlive(): boolean {
    if (this.#isAnyAlive || this.#inFlight > 0 || this.size === 0) return false;
    for (const key of this.#accounts.keys()) {
      if (this.#engine.state(key)?.refused === undefined) return false;
    }
    return true;
  }

  pictures(): AccountPicture[] {
    const now = this.#world.now();
    return [...this.#accounts.values()].map((account) =>
      pictureOf(this.#engine.state(account.key) ?? newState(account.key), account, now),
    );
  }

  /**
   * Keeps these accounts from now on; one that is kept already keeps its state.
   *
   * @param provenAt when a login has proven the tokens of those that are new, ms since 1970
   * @returns how many are new, and how many are gone
   */
  async keep(
    listed: readonly AccountToKeep[],
    provenAt?: number,
  ): Promise<{ added: number; removed: number }> {
    const former = this.#accounts;
    this.#accounts = new Map(listed.map((account) => [account.key, account]));
    const added = [...this.#accounts.keys()].filter((key) => !former.has(key));
    const removed = [...former.keys()].filter((key) => !this.#accounts.has(key));
    for (const key of removed) await this.#engine.drop(key);
    for (const key of added) {
      const state = newState(key);
      const isProven = provenAt !== undefined;
      await this.#engine.put(isProven ? proven(state, provenAt, this.#moment()) : state);
    }
    return { added: added.length, removed: removed.length };
  }

  /** Gives every account that was refused another try. */
  async tryAgain(): Promise<void> {
    for (const key of this.#accounts.keys()) {
      const state = this.#engine.state(key);
      if (state?.refused === undefined) continue;
      await this.#engine.put(this.tell(tryAgain(state, this.#world.now())));
    }
  }

  /** Resolves when it was stopped, and every turn has come to its end. */
  async work(stop: AbortSignal): Promise<void> {
    await this.#engine.work(this, stop);
  }

  async take(turn: Due): Promise<Taken> {
    const account = this.#accounts.get(turn.state.key);
    // The state as it is by then: a clock that was set back changes both.
    const begun = this.#moment(turn.now());
    const order = due(turn.state, begun);
    if (account === undefined || order === undefined) return { state: turn.state };
    const { onReady, onLastAnswer } = turn;
    const tell = (event: Event) => {
      if (event.is !== "providerFound") onReady();
      this.#audience.detail({ ...event, of: account.label });
    };
    // A login may take long; it has time until everybody has a token.
    const proves = order.proves && !(turn.isCrowded && order.refreshes);
    const request = { ...order, settings: account.settings, proves, onLastAnswer };
    this.#inFlight += 1;
    const taken = await this.#signals
      .with((world) => takeTurn(world, request, tell))
      .finally(() => {
        this.#inFlight -= 1;
      });
    const ended = this.#moment(turn.now());
    const settled = settle(turn.state, taken, account, ended);
    if (settled.state.refused === undefined) this.#isAnyAlive = true;
    return { state: this.#tellOf(account, settled), pause: pauseOf(taken) };
  }

  async foresee(key: AccountKey): Promise<Foreseen> {
    const account = this.#accounts.get(key);
    if (account === undefined) return { server: undefined, expiresAt: undefined };
    return foresee(this.#world, account.settings);
  }

  async isWorthATry(state: AccountState): Promise<boolean> {
    const account = this.#accounts.get(state.key);
    if (account === undefined || state.tokenFile === undefined) return false;
    const settings = { ...account.settings, tokenFile: state.tokenFile };
    const entry = tokenFiles(this.#world, settings, () => undefined).entry();
    // A file that cannot be read now has not changed as far as anybody knows.
    return entry.identity().then(
      (tokens) => isWorthATry(state, tokens),
      () => false,
    );
  }

  tell(settled: Settled): AccountState {
    if (settled.event === undefined) return settled.state;
    const account = this.#accounts.get(settled.state.key);
    return account === undefined ? settled.state : this.#tellOf(account, settled);
  }

  clockSet(ms: number): void {
    this.#audience.event({ is: "clockSet", ms }, undefined);
  }

  async tick(): Promise<void> {
    await this.#audience.tick?.();
  }

  longestNap(): number | undefined {
    return this.#audience.longestNap?.();
  }

  #tellOf(account: AccountToKeep, { state, event }: Settled): AccountState {
    if (event === undefined) return state;
    const at = this.#world.now();
    const picture = pictureOf(state, account, at);
    const message = this.#audience.event({ ...event, label: account.label }, picture);
    const commands = "trouble" in event ? event.trouble.commands : [];
    return { ...state, last: { at, is: event.is, message, commands } };
  }

  #moment(now = this.#world.now()): Moment {
    return { now, policy: this.#policy, random: () => this.#world.random() };
  }
}

/** What one account was asked to wait for, the others need not find out one by one; ms. */
function pauseOf({ error, findings }: Turn): number | undefined {
  // A mail server means this mailbox.
  if (findings !== undefined || !(error instanceof MxtokenError)) return undefined;
  return error.retryAfter && Math.min(error.retryAfter * 1000, longestPause);
}
