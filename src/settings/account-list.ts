import { resolve } from "node:path";
import { MxtokenError } from "../errors.ts";
import { mayBeReadLater, systemReason } from "../system-error.ts";
import { readText } from "../world/read-bounded.ts";
import { pause } from "../world/waiting.ts";
import type { Host, Stop } from "../world/world.ts";
import type { Arguments } from "./given.ts";
import { accountRows } from "./option-rows.ts";
import { bySpelling, readWords } from "./words.ts";

/** An address with options of its own, and where it was written. */
export interface ListedAccount {
  readonly address: string;
  readonly args: Arguments;
  /** for errors, like `accounts.txt:7`; empty for the command line */
  readonly place: string;
}

/** Room for a million accounts; bytes. */
const sizeLimit = 64 * 1024 * 1024;

const rowsBySpelling = bySpelling(accountRows);

/**
 * Reads a list of accounts: one address a line, with its own options behind it; `#` begins a comment.
 *
 * @param file relative to the current directory
 * @throws MxtokenError `unreadable`; `unreachable` for one that cannot be read now
 */
export async function readAccountList(world: Host & Stop, file: string): Promise<ListedAccount[]> {
  const path = resolve(world.cwd, file);
  let text: string;
  try {
    const how = { limit: sizeLimit, mayBePipe: true, stop: world.interrupted };
    const found = await readText(path, how);
    if (found.is !== "read") {
      const { why, hint } = found;
      throw new MxtokenError("unreadable", `--list: ${path} ${why}`, { hint });
    }
    text = found.text;
  } catch (error) {
    world.interrupted.throwIfAborted();
    if (error instanceof MxtokenError) throw error;
    throw new MxtokenError(
      mayBeReadLater(error) ? "unreachable" : "unreadable",
      `--list: cannot read ${path}: ${systemReason(error)}`,
      { cause: error },
    );
  }
  const listed: ListedAccount[] = [];
  for (const account of parseAccountList(text, path)) {
    if (listed.push(account) % pauseEvery === 0) await pause();
  }
  return listed;
}

/** Accounts, of which there may be very many. */
const pauseEvery = 500;

/**
 * @param path for errors
 * @throws MxtokenError `unreadable`, with the line
 */
export function* parseAccountList(text: string, path: string): Generator<ListedAccount> {
  const lines = text.split(/\r\n|\n|\r/);
  for (const [index, line] of lines.entries()) {
    const place = `${path}:${index + 1}`;
    const [address, ...words] = inPlace(place, () => wordsIn(line));
    if (address !== undefined) {
      yield { address, args: inPlace(place, () => optionsIn(words)), place };
    }
  }
}

/**
 * Does something for a line of the list, so that its error says where it is; all errors of a list are
 * about a file that was given.
 *
 * @param place empty where there is none
 */
export function inPlace<T>(place: string, work: () => T): T {
  if (place === "") return work();
  try {
    return work();
  } catch (error) {
    if (!(error instanceof MxtokenError)) throw error;
    throw error.with({ code: "unreadable", message: `${place}: ${error.message}` });
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
  return readWords(words, rowsBySpelling, (word) => {
    throw new MxtokenError("usage", `${JSON.stringify(word)} is no option for one account`, {
      hint: "a line is an address and options like --provider office365",
    });
  });
}
