import { type FaultRule, hasStopped } from "../../test/scene/faults.ts";
import type { Account } from "./account.ts";
import { editFault } from "./edits.ts";
import { endpointFaults } from "./endpoint-faults.ts";
import { clientSecret, type Lane } from "./lane.ts";
import { type Moment, nameOf, type Plan } from "./plan.ts";
import { Process } from "./process.ts";
import { pause, Random } from "./random.ts";
import type { RequestFault } from "./request-fault.ts";

/** Longer than the program may wait for anything. */
const patience = 150_000;

/** What has become of a round, before anything is judged. */
export interface Played {
  readonly plan: Plan;
  readonly accounts: readonly [Account, ...Account[]];
  readonly processes: readonly Process[];
  /** what has happened to each account's request */
  readonly requestFaults: ReadonlyMap<Account, RequestFault>;
  /** the faults that took place, by what they are counted as */
  readonly faults: readonly string[];
  readonly problems: string[];
}

/** Plays a round until every process has ended. */
export class Round {
  readonly #lane: Lane;
  readonly #plan: Plan;
  readonly #accounts: [Account, ...Account[]];
  readonly #processes: Process[] = [];
  readonly #requestFaults = new Map<Account, RequestFault>();
  readonly #faults: string[] = [];
  readonly #problems: string[] = [];
  readonly #reached = new Map<Moment["step"], () => void>();

  constructor(lane: Lane, plan: Plan) {
    this.#lane = lane;
    this.#plan = plan;
    this.#accounts = lane.begin(plan.accounts);
    for (const account of this.#accounts) account.begin(plan.isOver);
  }

  async play(seed: string): Promise<Played> {
    this.#planRequests(seed);
    this.#listen();
    await this.#step("begun");
    this.#start();
    await Promise.all([this.#signal(), this.#endAll()]);
    await this.#resumed;
    await this.#lane.server.idle();
    this.#count();
    for (const process of this.#processes) process.run.child.removeAllListeners();
    return {
      plan: this.#plan,
      accounts: this.#accounts,
      processes: this.#processes,
      requestFaults: this.#requestFaults,
      faults: this.#faults,
      problems: this.#problems,
    };
  }

  #planRequests(seed: string): void {
    const { requests, round } = this.#plan;
    for (const [index, account] of this.#accounts.entries()) {
      const random = new Random(`${seed}/${round}/${index}`);
      if (requests === "endpoint") account.fault = random.pick(endpointFaults);
      if (requests === "edit") account.fault = editFault(random);
      if (requests === "planted") this.#plant(account);
      if (account.fault !== undefined) this.#requestFaults.set(account, account.fault);
    }
  }

  /** Somebody else's file, in a directory where the program is called. */
  #plant(account: Account): void {
    const { elsewhere } = this.#lane;
    const text = account.grants[0].text(true);
    account.put(
      text.replace(/^# Provider: .*/m, `# Provider: custom\n# Token endpoint: ${elsewhere.uri}`),
    );
    this.#requestFaults.set(account, {
      name: "planted: another token endpoint",
      restore: () => account.put(text),
      violation: () =>
        elsewhere.received.some((sent) => sent.includes(clientSecret))
          ? "the client secret was sent elsewhere"
          : undefined,
    });
  }

  #start(): void {
    const plan = this.#plan;
    const more = [
      ...(plan.isVerbose ? ["--verbose"] : []),
      ...(plan.proves ? [] : ["--verify", "none"]),
    ];
    const log: FaultRule = { call: "*", path: `${this.#lane.home}/*`, action: "log" };
    for (let index = 0; index < plan.processes; index += 1) {
      const isFirst = index === 0 && plan.program?.is === "call";
      const rules = isFirst && plan.program?.is === "call" ? [log, plan.program.rule] : [log];
      const start = (env: Record<string, string>) =>
        plan.requests === "planted"
          ? this.#lane.startByFile(plan.mode, this.#accounts, { more, env })
          : this.#lane.start(plan.mode, this.#accounts, { more, env });
      this.#processes.push(new Process(this.#lane.person, `${index}`, rules, start));
    }
    if (plan.program?.is === "clock" && plan.program.step === "begun") this.#moveClocks();
  }

  #listen(): void {
    const { server } = this.#lane;
    server.refusals = this.#plan.refusals;
    server.onRequest = () => this.#step("asked");
    server.onRotation = () => this.#step("replaced");
    server.onAnswer = (account) => {
      this.#checkLineOne(account);
      void this.#step("answered");
    };
  }

  /** A reader may come at any moment. */
  #checkLineOne(account: Account): void {
    const text = account.read();
    if (this.#requestFaults.get(account) === undefined && text?.startsWith("\n")) {
      this.#problems.push(`${account.address}: line 1 is empty`);
    }
  }

  async #step(step: Moment["step"]): Promise<void> {
    const { program } = this.#plan;
    this.#reached.get(step)?.();
    if (program?.is === "fullDisk" && program.step === step) this.#lane.disk.fill(program.free);
    if (program?.is === "clock" && program.step === step) this.#moveClocks();
    if (program?.is === "stop" && step === "replaced") await this.#stopAll();
  }

  #moveClocks(): void {
    const { program } = this.#plan;
    const isStop = program?.is === "stop";
    if (!isStop && program?.is !== "clock") return;
    const { seconds } = program;
    const monotonic = isStop && program.monotonic ? seconds : 0;
    for (const { clock } of this.#processes) clock.set({ realTime: seconds, monotonic });
  }

  /** when everything goes on again that was stopped */
  #resumed: Promise<void> | undefined;

  /** Everything stands still, the server answers, and then time has passed. */
  async #stopAll(): Promise<void> {
    if (this.#resumed !== undefined) return;
    let resume = () => {};
    const isAnswered = new Promise<void>((resolve) => {
      resume = resolve;
    });
    this.#resumed = isAnswered.then(() => this.#resume());
    for (const process of this.#processes) {
      if (process.kill("SIGSTOP")) await hasStopped(process.pid).catch(() => undefined);
    }
    resume();
  }

  async #resume(): Promise<void> {
    await pause(100);
    this.#moveClocks();
    for (const process of this.#processes) process.kill("SIGCONT");
  }

  async #signal(): Promise<void> {
    const { program } = this.#plan;
    const [first] = this.#processes;
    if (program?.is !== "signal" || first === undefined) return;
    const { step, ms } = program.at;
    const reached = new Promise<void>((resolve) => this.#reached.set(step, resolve));
    if (step !== "begun") await Promise.race([reached, first.run.ended]);
    await pause(ms);
    if (first.kill(program.signal)) this.#faults.push(nameOf(program));
  }

  async #endAll(): Promise<void> {
    const ended = Promise.all(this.#processes.map(({ run }) => run.ended));
    let isOver = false;
    void ended.then(() => {
      isOver = true;
    });
    if (this.#plan.mode === "keep") {
      await isKept(this.#accounts, () => isOver);
      for (const process of this.#processes) process.kill("SIGTERM");
    }
    const late = setTimeout(() => this.#giveUp(), patience);
    await ended;
    clearTimeout(late);
  }

  #giveUp(): void {
    this.#problems.push(`ran for over ${patience / 1000} s`);
    for (const process of this.#processes) process.kill("SIGKILL");
  }

  #count(): void {
    const { program, refusals } = this.#plan;
    for (const [account, { name }] of this.#requestFaults) {
      if (account.fault === undefined) this.#faults.push(name);
      else this.#requestFaults.delete(account);
      account.fault = undefined;
    }
    const refused = refusals - Math.max(0, this.#lane.server.refusals);
    this.#lane.server.calm();
    for (let count = 0; count < refused; count += 1) this.#faults.push("endpoint: no connection");
    if (program === undefined || program.is === "signal") return;
    const isDone =
      program.is === "call"
        ? this.#processes[0]?.calls().some(({ action }) => action !== "log")
        : program.is !== "stop" || this.#resumed !== undefined;
    if (isDone) this.#faults.push(nameOf(program));
  }
}

/** Resolves when every account was answered, or nothing more comes. */
export async function isKept(accounts: readonly Account[], isOver: () => boolean): Promise<void> {
  const count = () => accounts.reduce((sum, { answers }) => sum + answers, 0);
  const before = count();
  const answered = new Map(accounts.map((account) => [account, account.answers]));
  const isEveryone = () => accounts.every((one) => one.answers > (answered.get(one) ?? 0));
  let quiet = 0;
  for (let last = before; quiet < 60 && !isEveryone() && !isOver(); quiet += 1) {
    if (count() !== last) quiet = 0;
    last = count();
    await pause(50);
  }
  if (!isOver()) await pause(150);
}
