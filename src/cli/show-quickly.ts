import { peekStored } from "../account/peek.ts";
import { MxtokenError } from "../errors.ts";
import { fresh } from "../life/fresh.ts";
import type { Arguments } from "../settings/options.ts";
import type { World } from "../world/world.ts";
import { printedToken } from "./print-token.ts";
import { readShowOrder, showOptions } from "./show-options.ts";

/**
 * `mxtoken show` for a fresh token, without the parser of command lines and all that it leads to:
 * mail programs run it for every login. Whatever is not plain (an error, a warning, an option that
 * is written in another way) is left to the command itself, which comes to the same result.
 *
 * @param argv the command line, oauth2_imap's spellings already put into ours
 * @returns what to print; undefined where the command itself has to see to it
 */
export async function showQuickly(
  argv: readonly string[],
  world: World,
): Promise<string | undefined> {
  const args = parsePlain(argv);
  if (args === undefined) return undefined;
  try {
    const order = readShowOrder(args, world, notPlain);
    const { accessTokenFromInput, refreshTokenFromInput, nocache } = order.request;
    if (accessTokenFromInput || refreshTokenFromInput || nocache) return undefined;
    const stored = await peekStored(world, order.request.settings, () => undefined);
    const token = fresh(world, order.request, stored);
    // What it lacks, the command itself has to say.
    if (token === undefined || token.missingScopes.length > 0) return undefined;
    return printedToken(world, token, order);
  } catch (error) {
    if (error instanceof MxtokenError) return undefined;
    throw error;
  }
}

/** A warning is for the command itself to tell. */
function notPlain(text: string): never {
  throw new MxtokenError("usage", text);
}

/** Options without their aliases, which are left to the parser; whether they are flags. */
const plainOptions = new Map(
  Object.entries(showOptions).map(([name, { type }]) => [name, { isFlag: type === "boolean" }]),
);

/** The parser takes these for the value of a flag before them. */
const truthValue = /^(?:true|false)$/;

/** What only the command itself can do. */
const notQuick: ReadonlySet<string> = new Set(["verbose"]);

/**
 * Reads a command line that every parser reads in the same way: `show`, one address, and options
 * with their values, each once.
 *
 * @returns undefined for any other
 */
export function parsePlain([command, ...words]: readonly string[]): Arguments | undefined {
  if (command !== "show") return undefined;
  const args: Record<string, string | boolean> = {};
  const rest = [...words];
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    const [, name, , inline] = /^--([a-z-]+)(=(.+))?$/s.exec(word) ?? [];
    if (name === undefined) {
      const isOdd = word === "" || word.startsWith("-") || truthValue.test(word);
      if (isOdd || "address" in args) return undefined;
      args["address"] = word;
      continue;
    }
    const option = plainOptions.get(name);
    if (option === undefined || name in args || notQuick.has(name)) return undefined;
    if (option.isFlag) {
      if (inline !== undefined) return undefined;
      args[name] = true;
      continue;
    }
    const value = inline ?? rest.shift();
    if (value === undefined || !isPlainValue(value)) return undefined;
    args[name] = value;
  }
  return args;
}

/** The parser takes quotes off, and may take what begins with a dash for an option. */
function isPlainValue(value: string): boolean {
  return value !== "" && !value.startsWith("-") && !/^["']|["']$/.test(value);
}
