import { join } from "node:path";
import {
  type FaultRule,
  faultEnvironment,
  type LoggedCall,
  loggedCalls,
  MovedClock,
} from "../../test/scene/faults.ts";
import type { Run } from "../../test/scene/program.ts";

/** A process that faults happen to. */
export class Process {
  readonly run: Run;
  readonly clock: MovedClock;
  readonly #log: string;
  signal: NodeJS.Signals | null = null;
  hasEnded = false;

  /** @param name of its files in `directory` */
  constructor(
    directory: string,
    name: string,
    rules: readonly FaultRule[],
    start: (env: Record<string, string>) => Run,
  ) {
    this.#log = join(directory, `log-${name}`);
    this.clock = new MovedClock(join(directory, `clock-${name}`));
    this.run = start(faultEnvironment(rules, { log: this.#log, clock: this.clock }));
    void this.run.ended.then(({ signal }) => {
      this.signal = signal;
      this.hasEnded = true;
    });
  }

  get pid(): number {
    return this.run.child.pid ?? 0;
  }

  kill(signal: NodeJS.Signals): boolean {
    return !this.hasEnded && this.run.child.kill(signal);
  }

  calls(): LoggedCall[] {
    return loggedCalls(this.#log);
  }
}
