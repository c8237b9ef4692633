import { MxtokenError } from "../errors.ts";
import type { Protocol } from "../mail-server.ts";
import { strangeCharacterIn } from "../mailbox.ts";
import type { OptionRow } from "./account-options.ts";
import {
  accountRows,
  type NameOf,
  type OptionName,
  optionRows,
  type WordOf,
} from "./option-rows.ts";

/** Options by their names, as a command line, a line of a list or a side gives them. */
export type Arguments = Readonly<Record<string, unknown>>;

type Environment = Readonly<Record<string, string | undefined>>;

const rowsByName = new Map(optionRows.map((row) => [row.name, row]));

const protocols = ["imap", "smtp", "pop"] as const satisfies readonly Protocol[];

/** Seconds that Node's timers can count, rounded down to something a person can remember. */
const largestNumber = 2_000_000;

const unitMs = { "": 1000, s: 1000, m: 60_000, h: 3_600_000 } as const;

/**
 * What a person gave: options, each with the environment's value where it is missing, and addresses.
 * Every value throws MxtokenError `usage` where it is given twice, is blank, or is not of its kind.
 */
export class Given {
  readonly args: Arguments;
  /** what stands on the command line beside the options */
  readonly words: readonly string[];
  /** what stands behind `--` */
  readonly behind: readonly string[];
  readonly #env: Environment;

  constructor(
    args: Arguments,
    env: Environment,
    words: readonly string[] = [],
    behind: readonly string[] = [],
  ) {
    this.args = args;
    this.words = words;
    this.behind = behind;
    this.#env = env;
  }

  /** Whether it is given as an option: the environment's value is there for all commands. */
  isOption(name: OptionName): boolean {
    return this.args[name] !== undefined;
  }

  flag(name: NameOf<"flag">): boolean {
    return this.args[name] === true;
  }

  /** As it is written. */
  text(name: Exclude<OptionName, NameOf<"flag">>): string | undefined {
    return this.#find(name);
  }

  /** As {@link text}, by the row; undefined for a flag. */
  valueOf({ name, kind }: OptionRow): string | undefined {
    return kind === "flag" ? undefined : this.#find(name);
  }

  number(name: NameOf<"number">): number | undefined {
    const given = this.#find(name);
    if (given === undefined) return undefined;
    const largest = rowsByName.get(name)?.largest ?? largestNumber;
    if (/^\d{1,7}$/.test(given) && Number(given) >= 1 && Number(given) <= largest) {
      return Number(given);
    }
    throw wrongValue(name, given, `is not a number from 1 to ${largest}`);
  }

  /**
   * A length of time like `90s`, `5m` or `1h`; a number alone counts seconds.
   *
   * @returns ms
   */
  duration(name: NameOf<"duration">): number | undefined {
    const given = this.#find(name);
    if (given === undefined) return undefined;
    const [, number, unit = ""] = /^(\d{1,7})([smh]?)$/.exec(given.trim().toLowerCase()) ?? [];
    const ms = Number(number) * unitMs[unit as keyof typeof unitMs];
    if (number !== undefined && ms <= largestNumber * 1000) return ms;
    const hint = `for example --${name} 90s, --${name} 5m or --${name} 1h`;
    throw wrongValue(name, given, "is no length of time", hint);
  }

  /** One of the words of its row. */
  word<N extends NameOf<"word">>(name: N): WordOf<N> | undefined {
    const given = this.#find(name);
    if (given === undefined) return undefined;
    const words = rowsByName.get(name)?.words ?? [];
    const text = given.trim().toLowerCase();
    const word = words.find((each): each is WordOf<N> => each === text);
    if (word !== undefined) return word;
    throw wrongValue(name, given, `is no ${name}`, `known are ${words.join(", ")}`);
  }

  /** Protocols with commas between them, in our order. */
  protocols(name: NameOf<"protocols">): readonly Protocol[] | undefined {
    const given = this.#find(name)
      ?.toLowerCase()
      .split(",")
      .map((word) => word.trim());
    const unknown = given?.find((word) => !protocols.some((protocol) => protocol === word));
    if (unknown !== undefined) {
      throw wrongValue(name, unknown, "is no protocol", `known are ${protocols.join(", ")}`);
    }
    return given && protocols.filter((protocol) => given.includes(protocol));
  }

  /**
   * The one word of a command that takes an address.
   *
   * @throws MxtokenError `usage` for more than one
   */
  onlyWord(): string | undefined {
    const [first, another] = [...this.words, ...this.behind];
    if (another === undefined) return first;
    const strange = strangeCharacterIn(another);
    if (strange !== undefined) {
      throw new MxtokenError("usage", `${JSON.stringify(another)}: ${strange}`, { hint: copied });
    }
    const isMistyped = first !== undefined && /^[a-z]+$/.test(first) && another.includes("@");
    throw new MxtokenError(
      "usage",
      isMistyped
        ? `${JSON.stringify(first)} is neither a command nor an address`
        : `one address at a time: ${JSON.stringify(another)} is too many`,
    );
  }

  #find(name: string): string | undefined {
    const given = this.args[name];
    if (Array.isArray(given)) throw new MxtokenError("usage", `--${name} is given more than once`);
    if (typeof given === "string") {
      if (given.trim() === "") throw new MxtokenError("usage", `--${name} needs a value`);
      return checked(`--${name}`, given, rowsByName.get(name));
    }
    const variable = environmentName(name);
    const fromEnvironment = this.#env[variable];
    if (!fromEnvironment?.trim()) return undefined;
    return checked(variable, fromEnvironment, rowsByName.get(name));
  }
}

const copied = "it comes with what is copied; type that part of it by hand";

/** Files and commands may be called anything. */
const anything: ReadonlySet<OptionRow["kind"] | undefined> = new Set(["path", undefined]);

/**
 * What is copied from a page or a mail brings blanks and dashes that are not those of the keyboard.
 *
 * @param where the option or the variable, for the error
 */
function checked(where: string, value: string, row: OptionRow | undefined): string {
  const strange = strangeCharacterIn(value);
  const isAnything = anything.has(row?.kind) || row?.name === "client-secret-command";
  if (strange === undefined || isAnything) return value;
  throw new MxtokenError("usage", `${where}: ${strange}`, { hint: copied });
}

function wrongValue(name: string, value: string, why: string, hint?: string): MxtokenError {
  return new MxtokenError("usage", `--${name}: ${JSON.stringify(value)} ${why}`, { hint });
}

/** The variable that says what an option says. */
export function environmentName(option: string): string {
  return `MXTOKEN_${option.toUpperCase().replaceAll("-", "_")}`;
}

/** Options of all accounts with one account's own in their place, and in that of their alternatives. */
export function combined(common: Arguments, own: Arguments): Arguments {
  const isReplaced = ({ choice }: OptionRow) =>
    choice !== undefined && accountRows.some((row) => row.choice === choice && row.name in own);
  const replaced = accountRows.filter(isReplaced).map(({ name }) => name);
  const kept = Object.entries(common).filter(([name]) => !replaced.includes(name));
  return { ...Object.fromEntries(kept), ...own };
}
