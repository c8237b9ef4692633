import yargs, { type Argv, type Options, type Arguments as Parsed } from "yargs";
import manifest from "../../package.json" with { type: "json" };
import { MxtokenError } from "../errors.ts";
import type { MakeEngine } from "../keep/engine.ts";
import type { Report } from "../report/report.ts";
import type { CommandName, OptionRow } from "../settings/account-options.ts";
import { Given } from "../settings/given.ts";
import { optionRows, rowsOf } from "../settings/option-rows.ts";
import { spellingsOf } from "../settings/words.ts";
import type { World } from "../world/world.ts";
import type { CommandLine } from "./plain-command-line.ts";

/** One command of the command line; its options are the rows that name it. */
export interface Command {
  readonly name: CommandName;
  /** as yargs takes it; `$0` is the command without a name */
  readonly usage: string;
  /** what the usage's `[address]` is, where it is not a mailbox alone */
  readonly argument?: string;
  readonly about: string;
  /** what to do about a command line that cannot be understood, where help alone does not say it */
  readonly usageHint?: string;
  /**
   * @param makeEngine makes what works accounts off, for those that are to be kept fresh
   * @returns the exit status, where it is another program's
   * @throws MxtokenError; Interrupted
   */
  run(
    world: World,
    given: Given,
    report: Report,
    makeEngine: MakeEngine,
  ): Promise<number | undefined>;
}

/** What a command line asks for: a command to be run, or help or the version to be shown. */
export type Asked =
  | { readonly is: "command"; readonly command: Command; readonly given: Given }
  | { readonly is: "text"; readonly text: string };

/**
 * Reads a command line by yargs.
 *
 * @throws MxtokenError `usage`
 */
export async function parseCommandLine(
  { words, rest }: CommandLine,
  commands: readonly Command[],
  env: World["env"],
): Promise<Asked> {
  let asked: Asked | undefined;
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
          return withPositional(options, command).options(
            yargsOptions(ownRows(command), command.name),
          );
        },
        (args) => {
          refusePositionalAsOption(words);
          refuseValuesOfFlags(words, rowsOf(command.name));
          asked = { is: "command", command, given: givenBy(args, command, env) };
        },
      ),
    yargs(),
  );
  await parser
    .scriptName("mxtoken")
    // Else a command's name behind one of them is taken for its value.
    .options(yargsOptions(reportRows))
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
    .parseAsync([...words, ...rest], {}, (_error, _args, text) => {
      output = text;
    });
  return asked ?? { is: "text", text: output };
}

/** What every command has. */
const reportRows = optionRows.filter(({ group }) => group === "report");

/** Without those that every command has, which the parser knows already. */
function ownRows({ name }: Command): readonly OptionRow[] {
  return rowsOf(name).filter(({ group }) => group !== "report");
}

function yargsOptions(rows: readonly OptionRow[], command?: CommandName): Record<string, Options> {
  return Object.fromEntries(rows.map((row) => [row.name, yargsOption(row, command)]));
}

function yargsOption(row: OptionRow, command: CommandName | undefined): Options {
  const { kind, alias, help, helpOf, isHidden = false } = row;
  return {
    ...(kind === "flag" ? { type: "boolean" } : { type: "string", requiresArg: true }),
    ...(alias === undefined ? {} : { alias }),
    describe: (command && helpOf?.[command]) ?? help,
    hidden: isHidden,
  };
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

/** The words of the usage that name the command. */
function nameWords({ usage }: Command): string[] {
  return usage.split(" ").filter((word) => /^[a-z]+$/.test(word));
}

function givenBy(parsed: Parsed, command: Command, env: World["env"]): Given {
  const { _: others, "--": behind, address, addresses, ...args } = parsed;
  const words = [address, addresses, others.slice(nameWords(command).length)];
  return new Given(args, env, textsIn(words), textsIn([behind]));
}

function textsIn(words: readonly unknown[]): string[] {
  return words.flat().filter((word) => typeof word === "string");
}

/** yargs names an unknown option without its dashes, and calls it an argument. */
function usage(message: string, command: Command | undefined): MxtokenError {
  const unknown = /^Unknown arguments?: (.*)$/.exec(message)?.[1]?.split(", ")[0];
  const lower = message.charAt(0).toLowerCase() + message.slice(1).replaceAll(/\s+/g, " ");
  const text = unknown === undefined ? lower : `unknown option ${dashed(unknown)}`;
  const words = ["mxtoken", ...(command === undefined ? [] : nameWords(command))];
  const more = command?.usageHint === undefined ? "" : `${command.usageHint}; `;
  return new MxtokenError("usage", text, { hint: `${more}see ${words.join(" ")} --help` });
}

function dashed(option: string): string {
  return option.length === 1 ? `-${option}` : `--${option}`;
}

/** The parser would take `--address` for the argument, beside the argument itself. */
function refusePositionalAsOption(words: readonly string[]): void {
  const given = words.find((word) => /^--address(?:es)?(?:=|$)/.test(word));
  if (given === undefined) return;
  throw new MxtokenError("usage", `unknown option ${given.replace(/=.*/, "")}`, {
    hint: "the address stands alone, like mxtoken foo@example.com",
  });
}

/** A flag is given or not; `--startover=no` would otherwise quietly be something. */
function refuseValuesOfFlags(words: readonly string[], rows: readonly OptionRow[]): void {
  const flags = rows.filter(({ kind }) => kind === "flag").flatMap(spellingsOf);
  const valued = flags.find((spelling) =>
    words.some(
      (word, index) =>
        word.startsWith(`${spelling}=`) ||
        (word === spelling && /^(?:true|false)$/.test(words[index + 1] ?? "")),
    ),
  );
  if (valued !== undefined) throw new MxtokenError("usage", `${valued} takes no value`);
}
