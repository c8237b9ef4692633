import { MxtokenError } from "../errors.ts";
import type { MakeEngine } from "../keep/engine.ts";
import { ProcessEngine } from "../keep/process-engine.ts";
import { Report } from "../report/report.ts";
import type { NameOf } from "../settings/option-rows.ts";
import { isFlagIn } from "../settings/words.ts";
import { type FileRead, rememberRead } from "../store/read.ts";
import { shutInspector } from "../world/own-process.ts";
import { systemWorld } from "../world/system.ts";
import { type World, withWorld } from "../world/world.ts";
import type { Asked, Command } from "./command-line.ts";
import {
  certCommand,
  checkCommand,
  getCommand,
  providerCommand,
  revokeCommand,
  showCommand,
} from "./commands.ts";
import { keepCommand, runCommand } from "./keep-and-run.ts";
import { atDoubleDash, type CommandLine, readPlain } from "./plain-command-line.ts";

const commands: readonly Command[] = [
  getCommand,
  showCommand,
  keepCommand,
  runCommand,
  checkCommand,
  providerCommand,
  revokeCommand,
  certCommand,
];

const makeProcessEngine: MakeEngine = (world, concurrency) => new ProcessEngine(world, concurrency);

/**
 * The program in a process of its own, after `quick.ts`.
 *
 * @param read what was read already of the stored token
 * @returns the exit status
 */
export async function begin(argv: readonly string[], read: FileRead | undefined): Promise<number> {
  if (read !== undefined) rememberRead(read);
  shutInspector();
  return main(argv, systemWorld({ ownsProcess: true }));
}

/**
 * The program: one function of its arguments and a world.
 *
 * @param makeEngine makes what works accounts off, where many are kept fresh
 * @returns the exit status
 */
export async function main(
  argv: readonly string[],
  world: World,
  makeEngine: MakeEngine = makeProcessEngine,
): Promise<number> {
  const line = atDoubleDash(argv);
  // How errors of the command line itself are told, the command line says.
  const has = (name: NameOf<"flag">) => isFlagIn(line.words, name);
  const options = { json: has("json"), quiet: has("quiet"), verbose: has("verbose") };
  const report = new Report(world, options);
  try {
    // From here on a signal ends nothing at once: a refresh that is on the wire must be saved first.
    world.interrupted.throwIfAborted();
    if (options.quiet && options.verbose) {
      throw new MxtokenError("configuration", "--quiet and --verbose contradict each other");
    }
    const asked = await read(line, world.env);
    if (asked.is === "text") {
      await new Promise((resolve) => world.stdout.write(`${asked.text}\n`, resolve));
      return 0;
    }
    const traced = withWorld(world, { trace: (text) => report.trace(text) });
    return (await asked.command.run(traced, asked.given, report, makeEngine)) ?? 0;
  } catch (error) {
    return report.failed(error);
  }
}

async function read(line: CommandLine, env: World["env"]): Promise<Asked> {
  const plain = readPlain(line, env);
  const command = commands.find(({ name }) => name === plain?.name);
  if (plain !== undefined && command !== undefined) {
    return { is: "command", command, given: plain.given };
  }
  const { parseCommandLine } = await import("./command-line.ts");
  return parseCommandLine(line, commands, env);
}
