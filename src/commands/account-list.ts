import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import type { Options } from "yargs";
import { parseAddress } from "../address.ts";
import { providerByName } from "../catalog/providers.ts";
import type { Settings } from "../config/settings.ts";
import { MxtokenError, systemReason } from "../errors.ts";
import type { AccountToKeep } from "../keep/account.ts";
import type { World } from "../world/world.ts";
import {
  type Arguments,
  clientOptions,
  mailboxOptions,
  reportOptions,
  verifyOption,
} from "./options.ts";
import { readSettingsOfMany } from "./read-settings.ts";
import { signInCommand } from "./sign-in-command.ts";
import { withDashes } from "./spelling.ts";

/** An address with options of its own, and where it was written. */
export interface ListedAccount {
  readonly address: string;
  readonly args: Arguments;
  /** for errors, like `accounts.txt:7`; empty for the command line */
  readonly place: string;
}

/** What a line of the list may say of its account. */
const lineOptions: Readonly<Record<string, Options>> = Object.fromEntries(
  Object.entries({ ...mailboxOptions, ...verifyOption, ...clientOptions }).filter(
    ([name]) => !(name in reportOptions),
  ),
);

const aliases = new Map(
  Object.entries(lineOptions).flatMap(([name, { alias }]) =>
    typeof alias === "string" ? [[alias, name] as const] : [],
  ),
);

/**
 * Reads a list of accounts: one address a line, with its own options behind it; `#` begins a comment.
 *
 * @param file relative to the current directory
 * @throws MxtokenError `unreadable`
 */
export async function readAccountList(world: World, file: string): Promise<ListedAccount[]> {
  const path = resolve(world.cwd, file);
  let bytes: Buffer;
  try {
    bytes = await readFile(path);
  } catch (error) {
    throw new MxtokenError("unreadable", `--list: cannot read ${path}: ${systemReason(error)}`, {
      cause: error,
    });
  }
  if (/^(?:fffe|feff)/.test(bytes.toString("hex", 0, 2))) {
    throw new MxtokenError("unreadable", `--list: ${path} is in UTF-16, and UTF-8 is wanted`, {
      hint: "PowerShell writes it by: Set-Content -Encoding utf8",
    });
  }
  const listed = parseAccountList(bytes.toString("utf8"), path);
  await pause();
  return listed;
}

/** Lets whatever else waits go before: a list may be very long, and each step with it takes a while. */
export function pause(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/**
 * @param path for errors
 * @throws MxtokenError `unreadable`, with the line
 */
export function parseAccountList(text: string, path: string): ListedAccount[] {
  return text
    .replace(/^\uFEFF/, "")
    .split(/\r\n|\n|\r/)
    .flatMap((line, index) => {
      const place = `${path}:${index + 1}`;
      const [address, ...words] = inPlace(place, () => wordsIn(line));
      if (address === undefined) return [];
      return [{ address, args: inPlace(place, () => optionsIn(words)), place }];
    });
}

/** An error says where it is; all errors of a list are about a file that was given. */
function inPlace<T>(place: string, work: () => T): T {
  if (place === "") return work();
  try {
    return work();
  } catch (error) {
    if (!(error instanceof MxtokenError)) throw error;
    throw new MxtokenError("unreadable", `${place}: ${error.message}`, {
      cause: error,
      hint: error.hint,
    });
  }
}

/** Words with blanks between them; quotes keep a word together, `#` before a word begins a comment. */
function wordsIn(line: string): string[] {
  const words: string[] = [];
  const word = /\s*(?:#.*|((?:"[^"]*"|'[^']*'|[^\s"'])+)|(\S))/y;
  for (let match = word.exec(line); match !== null; match = word.exec(line)) {
    if (match[2] !== undefined) throw new MxtokenError("usage", `the quote ${match[2]} has no end`);
    if (match[1] === undefined) break;
    words.push(match[1].replace(/"([^"]*)"|'([^']*)'/g, "$1$2"));
  }
  return words;
}

function optionsIn(words: readonly string[]): Arguments {
  const args: Record<string, string | true> = {};
  const rest = [...words];
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    const [, given = "", , inline] = /^--([a-z][a-z0-9-]*)(=(.*))?$/s.exec(withDashes(word)) ?? [];
    const name = aliases.get(given) ?? given;
    const option = Object.hasOwn(lineOptions, name) ? lineOptions[name] : undefined;
    if (option === undefined) {
      throw new MxtokenError("usage", `${JSON.stringify(word)} is no option for one account`, {
        hint: "a line is an address and options like --provider office365",
      });
    }
    if (name in args) throw new MxtokenError("usage", `--${name} is given more than once`);
    if (option.type === "boolean") {
      if (inline !== undefined) throw new MxtokenError("usage", `--${name} takes no value`);
      args[name] = true;
      continue;
    }
    const value = inline ?? rest.shift();
    if (value === undefined || value.trim() === "") {
      throw new MxtokenError("usage", `--${name} needs a value`);
    }
    args[name] = value;
  }
  return args;
}

/** What a file holds, not everybody on the machine can read. */
const unheard = () => undefined;

/** Options that stand for each other: one of them in a line takes the place of all of them. */
const alternatives = [
  [
    ...["client-secret", "client-secret-file", "client-secret-command"],
    ...["client-certificate", "client-key"],
  ],
  ["app", "thunderbird"],
  ["flow", "service-account-key"],
];

/** Options of all accounts, with one account's own in their place. */
export function combined(common: Arguments, own: Arguments): Arguments {
  const replaced = alternatives.filter((group) => group.some((name) => name in own)).flat();
  const kept = Object.entries(common).filter(([name]) => !replaced.includes(name));
  return { ...Object.fromEntries(kept), ...own };
}

/** What is the same for all accounts with the same options. */
interface SharedSettings {
  /** their own options and the common ones */
  readonly own: Arguments;
  readonly others: Omit<Settings, "address">;
  /** the same as text, for comparisons */
  readonly asked: string;
}

function share(own: Arguments, world: World, warn: (text: string) => void): SharedSettings {
  const others = readSettingsOfMany(own, world, warn);
  return { own, others, asked: JSON.stringify(others) };
}

/**
 * Completes accounts with the options that are common to all of them.
 *
 * @throws MxtokenError `usage` …, or `unreadable` with the place in the list; also for an account that
 * is there twice with different options
 */
export function accountsToKeep(
  listed: readonly ListedAccount[],
  common: Arguments,
  world: World,
  warn: (text: string) => void,
): AccountToKeep[] {
  // Thousands of lines without options of their own share what is made of the common ones.
  const sharedBy = new Map<string, SharedSettings>();
  const accounts = new Map<string, { account: AccountToKeep; settings: string; place: string }>();
  for (const { address: text, args, place } of listed) {
    inPlace(place, () => {
      const address = parseAddress(text);
      const optionsKey = JSON.stringify(args);
      const shared =
        sharedBy.get(optionsKey) ??
        share(combined(common, args), world, "client-secret" in args ? unheard : warn);
      sharedBy.set(optionsKey, shared);
      const { own, others, asked } = shared;
      const settings: Settings = { address, ...others };
      const key = JSON.stringify([nameOf(settings), providerOf(settings), others.tokenFile]);
      const former = accounts.get(key);
      if (former !== undefined) {
        if (former.settings === asked) return;
        throw new MxtokenError(
          "usage",
          `${text} is there twice with different options${former.place === "" ? "" : `, also at ${former.place}`}`,
        );
      }
      const signIn = () => signInCommand(own, world, address);
      const account = { settings, label: address.text, signInCommand: signIn };
      accounts.set(key, { account, settings: asked, place });
    });
  }
  return withLabels([...accounts.values()].map(({ account }) => account));
}

/**
 * One token file for two accounts would make each of them the other's enemy.
 *
 * @param hint what to do instead
 * @throws MxtokenError `usage`
 */
export function requireOneFileEach(
  accounts: readonly AccountToKeep[],
  world: World,
  hint: string,
): void {
  const files = accounts.flatMap(({ settings: { tokenFile } }) =>
    tokenFile === undefined ? [] : [resolve(world.cwd, tokenFile)],
  );
  if (new Set(files).size === files.length) return;
  throw new MxtokenError(
    "usage",
    "--token-file is for one account, and two have the same token file",
    { hint },
  );
}

function nameOf({ address }: Settings): string {
  return address.text.toLowerCase();
}

/** Under the one name that it has here: `gmail` is `google`. */
function providerOf({ provider }: Settings): string | undefined {
  return provider === undefined ? undefined : (providerByName(provider)?.name ?? provider);
}

/** Tells accounts of the same address apart: by their providers, or where those are the same, their files. */
function withLabels(accounts: readonly AccountToKeep[]): AccountToKeep[] {
  const byAddress = counted(accounts, ({ settings }) => nameOf(settings));
  const atProvider = ({ settings }: AccountToKeep) =>
    JSON.stringify([nameOf(settings), providerOf(settings)]);
  const isAlone = ({ settings }: AccountToKeep) => byAddress.get(nameOf(settings)) === 1;
  const byProvider = counted(
    accounts.filter((account) => !isAlone(account)),
    atProvider,
  );
  return accounts.map((account) => {
    if (isAlone(account)) return account;
    const { address, provider, tokenFile } = account.settings;
    const isTold = byProvider.get(atProvider(account)) === 1 && provider !== undefined;
    const other = isTold ? provider : (tokenFile ?? provider);
    return other === undefined ? account : { ...account, label: `${address.text} (${other})` };
  });
}

function counted<T>(all: readonly T[], keyOf: (one: T) => string): Map<string, number> {
  const counts = new Map<string, number>();
  for (const one of all) {
    const key = keyOf(one);
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return counts;
}
