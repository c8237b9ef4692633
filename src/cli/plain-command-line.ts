import { MxtokenError } from "../errors.ts";
import { type CommandName, commandNames } from "../settings/account-options.ts";
import { Given } from "../settings/given.ts";
import { rowsOf } from "../settings/option-rows.ts";
import { bySpelling, readWords, withDashes } from "../settings/words.ts";
import type { World } from "../world/world.ts";

/** What stands before `--`, in our spelling; behind it is no option of ours, and stays as it is. */
export interface CommandLine {
  readonly words: readonly string[];
  /** with the `--` */
  readonly rest: readonly string[];
}

export function atDoubleDash(argv: readonly string[]): CommandLine {
  const end = argv.indexOf("--");
  if (end === -1) return { words: argv.map(withDashes), rest: [] };
  return { words: argv.slice(0, end).map(withDashes), rest: argv.slice(end) };
}

/** How many words a command takes beside its options. */
const most: Readonly<Record<CommandName, number>> = {
  get: 1,
  show: 1,
  keep: Number.POSITIVE_INFINITY,
  run: Number.POSITIVE_INFINITY,
  check: 1,
  provider: 1,
  revoke: 1,
  cert: 0,
};

/**
 * Reads a command line that every parser reads in the same way: a command's name, its words, and options
 * with their values, each once. yargs takes longer to load than such a line takes to be done.
 *
 * @returns undefined for any other, which is yargs' to read: also one that is wrong, and one that asks
 * for help
 */
export function readPlain(
  { words, rest }: CommandLine,
  env: World["env"],
): { readonly name: CommandName; readonly given: Given } | undefined {
  const [first] = words;
  const name = commandNames.find((each) => each === first && each !== "get") ?? "get";
  const others: string[] = [];
  try {
    const own = name === "get" ? words : words.slice(1);
    const args = readWords(own, bySpelling(rowsOf(name)), (word) => others.push(word));
    const values = Object.values(args).filter((value) => typeof value === "string");
    const isPlain =
      others.length <= most[name] &&
      (others.length > 0 || most[name] === 0) &&
      others.every((word) => isPlainArgument(word, name)) &&
      values.every(isPlainValue) &&
      (rest.length === 0 || name === "run");
    if (!isPlain) return undefined;
    return { name, given: new Given(args, env, others, rest.slice(1)) };
  } catch (error) {
    if (error instanceof MxtokenError) return undefined;
    throw error;
  }
}

const names: ReadonlySet<string> = new Set(commandNames);

/** Of some words the parser makes a command, or the value of a flag before them. */
function isPlainArgument(word: string, command: CommandName): boolean {
  const isCommand = command === "get" && names.has(word);
  return isPlainWord(word) && !/^(?:true|false)$/.test(word) && !isCommand;
}

/** The parser may take what begins with a dash for an option. */
function isPlainWord(word: string): boolean {
  return word !== "" && !word.startsWith("-");
}

/** The parser takes quotes off. */
function isPlainValue(value: string): boolean {
  return isPlainWord(value) && !/^["']|["']$/.test(value);
}
