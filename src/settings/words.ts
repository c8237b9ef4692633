import { MxtokenError } from "../errors.ts";
import type { OptionRow } from "./account-options.ts";
import type { Arguments } from "./given.ts";
import { type NameOf, optionRows } from "./option-rows.ts";

/**
 * oauth2_imap's ways to write an option: `--token_file` and `-token_file` are `--token-file`,
 * whatever stands behind `=`.
 */
export function withDashes(word: string): string {
  const [, name, value = ""] = /^--?([a-z][a-z0-9_-]+)(=.*)?$/is.exec(word) ?? [];
  return name === undefined ? word : `--${name.replaceAll("_", "-")}${value}`;
}

/** How an option can be written, its own name first. */
export function spellingsOf({ name, alias }: OptionRow): string[] {
  return alias === undefined ? [`--${name}`] : [`--${name}`, `--${alias}`];
}

/** Whether a flag stands among words that nobody has read yet. */
export function isFlagIn(words: readonly string[], name: NameOf<"flag">): boolean {
  const spellings = optionRows.filter((row) => row.name === name).flatMap(spellingsOf);
  return words.some((word) => spellings.includes(word));
}

/** Rows by each way to write them. */
export function bySpelling(rows: readonly OptionRow[]): ReadonlyMap<string, OptionRow> {
  const found = new Map<string, OptionRow>();
  for (const row of rows) {
    for (const spelling of spellingsOf(row)) found.set(spelling, row);
  }
  return found;
}

/**
 * Reads words as options: a value stands behind `=`, or is the next word, whatever it is.
 *
 * @param rows by {@link bySpelling}
 * @param other is called for every word that is no option of these
 * @throws MxtokenError `usage`
 */
export function readWords(
  words: readonly string[],
  rows: ReadonlyMap<string, OptionRow>,
  other: (word: string) => void,
): Arguments {
  const args: Record<string, string | true> = {};
  const rest = [...words];
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    const [, spelling = "", , inline] = /^(--[a-z0-9-]+)(=(.*))?$/s.exec(withDashes(word)) ?? [];
    const row = rows.get(spelling);
    if (row === undefined) {
      other(word);
      continue;
    }
    const { name, kind } = row;
    if (name in args) throw new MxtokenError("usage", `--${name} is given more than once`);
    if (kind === "flag") {
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
