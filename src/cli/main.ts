import yargs, { type Argv, type Options } from "yargs";
import manifest from "../../package.json" with { type: "json" };
import { MxtokenError } from "../errors.ts";
import type { MakeEngine } from "../keep/engine.ts";
import { ProcessEngine } from "../keep/process-engine.ts";
import { Report } from "../report/report.ts";
import { type Arguments, reportOptions } from "../settings/options.ts";
import { withDashes } from "../settings/spelling.ts";
import { type World, withWorld } from "../world/world.ts";
import { certCommand } from "./cert.ts";
import { checkCommand } from "./check.ts";
import type { Command } from "./command.ts";
import { getCommand } from "./get.ts";
import { keepCommand } from "./keep.ts";
import { providerCommand } from "./provider.ts";
import { revokeCommand } from "./revoke.ts";
import { runCommand } from "./run.ts";
import { showCommand } from "./show.ts";

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
  const { words, rest } = atDoubleDash(argv);
  const has = (...names: string[]) => words.some((word) => names.includes(word));
  const report = new Report(world, {
    json: has("--json"),
    quiet: has("--quiet"),
    verbose: has("--verbose", "--debug"),
  });
  try {
    // From here on a signal ends nothing at once: a refresh that is on the wire must be saved first.
    world.interrupted.throwIfAborted();
    if (has("--quiet") && has("--verbose", "--debug")) {
      throw new MxtokenError("configuration", "--quiet and --verbose contradict each other");
    }
    const { chosen, output } = await parse(words, rest);
    if (chosen === undefined) {
      await new Promise((resolve) => world.stdout.write(`${output}\n`, resolve));
      return 0;
    }
    const traced = withWorld(world, { trace: (line) => report.trace(line) });
    return (await chosen.command.run(traced, chosen.args, report, makeEngine)) ?? 0;
  } catch (error) {
    return report.failed(error);
  }
}

/** What stands behind `--` is no option of ours, and stays as it is. */
function atDoubleDash(argv: readonly string[]): { words: string[]; rest: readonly string[] } {
  const end = argv.indexOf("--");
  if (end === -1) return { words: argv.map(withDashes), rest: [] };
  return { words: argv.slice(0, end).map(withDashes), rest: argv.slice(end) };
}

interface Parsed {
  /** undefined when only help or the version was asked for */
  readonly chosen: { readonly command: Command; readonly args: Arguments } | undefined;
  /** help or version */
  readonly output: string;
}

async function parse(argv: readonly string[], rest: readonly string[]): Promise<Parsed> {
  let chosen: Parsed["chosen"];
  let output = "";
  // yargs builds the one that the words name, before it looks at their options.
  let named: Command | undefined;
  const parser = commands.reduce<Argv>(
    (chain, command) =>
      chain.command(
        command.usage,
        command.about,
        (options) => {
          named = command;
          return withPositional(options, command).options(optionsOf(command));
        },
        (args) => {
          refusePositionalAsOption(argv);
          refuseValuesOfFlags(argv, command);
          chosen = { command, args: { ...args, _: args._.slice(command.words) } };
        },
      ),
    yargs(),
  );
  await parser
    .scriptName("mxtoken")
    // Else a command's name behind one of them is taken for its value.
    .options(reportOptions)
    .usage(
      "mxtoken <address> [options]\n\nTurns a mailbox address into a proven OAuth 2.0 access token.",
    )
    .locale("en")
    .version(manifest.version)
    .alias("help", "h")
    .strictOptions()
    .parserConfiguration({
      "parse-numbers": false,
      "parse-positional-numbers": false,
      // --no-browser is an option of its own.
      "boolean-negation": false,
      "populate--": true,
      // Otherwise --TOKEN-FILE and --home.x pass for options, and are ignored.
      "camel-case-expansion": false,
      "dot-notation": false,
    })
    .exitProcess(false)
    .fail((message: string | null, error: Error | undefined) => {
      if (error instanceof MxtokenError) throw error;
      throw usage(message ?? error?.message ?? "the command line cannot be understood", named);
    })
    .parseAsync(
      [...argv, ...rest],
      {},
      (_error: Error | undefined, _args: unknown, text: string) => {
        output = text;
      },
    );
  return { chosen, output };
}

/** Without those that every command has, which the parser knows already. */
function optionsOf({ options }: Command): Record<string, Options> {
  const common = Object.keys(reportOptions);
  return Object.fromEntries(Object.entries(options).filter(([name]) => !common.includes(name)));
}

function withPositional(options: Argv, command: Command): Argv {
  if (command.usage.includes("[addresses..]")) {
    return options.positional("addresses", {
      type: "string",
      array: true,
      describe: "mailboxes, like foo@example.com",
    });
  }
  if (!command.usage.includes("[address]")) return options;
  return options.positional("address", {
    type: "string",
    describe: command.argument ?? "mailbox, like foo@example.com",
  });
}

/** yargs names an unknown option without its dashes, and calls it an argument. */
function usage(message: string, command: Command | undefined): MxtokenError {
  const unknown = /^Unknown arguments?: (.*)$/.exec(message)?.[1]?.split(", ")[0];
  const lower = message.charAt(0).toLowerCase() + message.slice(1).replaceAll(/\s+/g, " ");
  const text = unknown === undefined ? lower : `unknown option ${dashed(unknown)}`;
  const words = ["mxtoken", ...(command?.usage.split(" ").slice(0, command.words) ?? [])];
  const more = command?.usageHint === undefined ? "" : `${command.usageHint}; `;
  return new MxtokenError("usage", text, { hint: `${more}see ${words.join(" ")} --help` });
}

function dashed(option: string): string {
  return option.length === 1 ? `-${option}` : `--${option}`;
}

/** The parser would take `--address` for the argument, beside the argument itself. */
function refusePositionalAsOption(argv: readonly string[]): void {
  const given = argv.find((word) => /^--address(?:es)?(?:=|$)/.test(word));
  if (given === undefined) return;
  throw new MxtokenError("usage", `unknown option ${given.replace(/=.*/, "")}`, {
    hint: "the address stands alone, like mxtoken foo@example.com",
  });
}

/** A flag is given or not; `--startover=no` would otherwise quietly be something. */
function refuseValuesOfFlags(argv: readonly string[], command: Command): void {
  for (const [name, { type, alias }] of Object.entries(command.options)) {
    if (type !== "boolean") continue;
    for (const spelling of [name, alias].flat()) {
      const hasValue = argv.some(
        (word, index) =>
          word.startsWith(`--${spelling}=`) ||
          (word === `--${spelling}` && /^(?:true|false)$/.test(argv[index + 1] ?? "")),
      );
      if (hasValue) {
        throw new MxtokenError("usage", `--${spelling} takes no value`);
      }
    }
  }
}
