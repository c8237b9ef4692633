import type { Options } from "yargs";
import type { MakeEngine } from "../keep/engine.ts";
import type { Report } from "../report/report.ts";
import type { Arguments } from "../settings/options.ts";
import type { World } from "../world/world.ts";

/** One command of the command line. */
export interface Command {
  /** as yargs takes it; `$0` is the command without a name */
  readonly usage: string;
  /** what the usage's `[address]` is, where it is not a mailbox alone */
  readonly argument?: string;
  /** how many words of the usage name the command */
  readonly words: number;
  readonly about: string;
  /** what to do about a command line that cannot be understood, where help alone does not say it */
  readonly usageHint?: string;
  readonly options: Readonly<Record<string, Options>>;
  /**
   * @param makeEngine makes what works accounts off, for those that are to be kept fresh
   * @returns the exit status, where it is another program's
   * @throws MxtokenError; Interrupted
   */
  run(
    world: World,
    args: Arguments,
    report: Report,
    makeEngine: MakeEngine,
  ): Promise<number | undefined>;
}
