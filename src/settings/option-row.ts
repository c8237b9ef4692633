/** The commands; `get` is the one that has no name on the command line. */
export const commandNames = [
  "get",
  "show",
  "keep",
  "run",
  "check",
  "provider",
  "revoke",
  "cert",
] as const;
export type CommandName = (typeof commandNames)[number];

/** Those that are about mailboxes and their tokens. */
export const mailboxCommands = ["get", "show", "keep", "run", "check", "revoke"] as const;

/** What options are about, in the order in which the command for a sign-in names them. */
export const optionGroups = [
  "account",
  "access",
  "files",
  "authorization server",
  "client",
  "mail servers",
  "network",
  "sign-in",
  "token",
  "schedule",
  "command",
  "end",
  "report",
] as const;
export type OptionGroup = (typeof optionGroups)[number];

/**
 * What is given with an option: nothing (`flag`), any text, a path, a whole number of at least 1, a
 * length of time, one of its `words`, or protocols with commas between them.
 */
export type OptionKind = "flag" | "text" | "path" | "number" | "duration" | "word" | "protocols";

/** One option of the program. */
export interface OptionRow {
  /** as on the command line, without dashes; in snake case it is the key of a configuration */
  readonly name: string;
  readonly alias?: string;
  readonly kind: OptionKind;
  /** for `word`: what it may be */
  readonly words?: readonly string[];
  /** for `number`: the largest */
  readonly largest?: number;
  readonly group: OptionGroup;
  /** the commands that know it */
  readonly of: readonly CommandName[];
  readonly help: string;
  /** its help at a command that means something of its own by it */
  readonly helpOf?: Partial<Record<CommandName, string>>;
  readonly isHidden?: boolean;
  /** one account's own: a line of a list may say it, and each side of `run` and of a move */
  readonly isOwn: boolean;
  /** `run` shows it for its sides; all others are there as well, and have no line in its help */
  readonly isShownForSides?: true;
  /** whether a person who signs in for somebody else's command has to give it again */
  readonly isForSignIn?: true;
  /** whether the value is a secret, and is shown nowhere */
  readonly isSecret?: true;
  /** options of one choice are ways to say one thing: a nearer one replaces all of them */
  readonly choice?: "application" | "credentials" | "flow";
}

/** A row in its table, which names it and says what is the same for most of its rows. */
type TabledRow = Omit<OptionRow, "name" | "isOwn" | "of" | "group"> &
  Partial<Pick<OptionRow, "of" | "group">>;
export type OptionTable = Readonly<Record<string, TabledRow>>;

type More = Omit<TabledRow, "kind" | "help" | "words">;

/** Makes rows of one kind, each from its help and whatever else is to be said. */
export function rowOf<K extends OptionKind>(kind: K) {
  return (help: string, more: More = {}) => ({ ...more, kind, help });
}

/** As {@link rowOf}, for one of the words that are named. */
export function wordRow<const W extends string>(
  words: readonly W[],
  help: string,
  more: More = {},
) {
  return { ...rowOf("word")(help, more), words };
}
