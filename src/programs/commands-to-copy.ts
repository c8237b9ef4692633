import { dirname, resolve } from "node:path";
import type { Address } from "../mailbox.ts";
import { type OptionRow, optionGroups } from "../settings/account-options.ts";
import { type Arguments, Given } from "../settings/given.ts";
import { optionRows } from "../settings/option-rows.ts";
import { defaultTokenFile } from "../store/places.ts";
import type { Host } from "../world/world.ts";

/** By which the token that is missing is got. */
function rowsForSignIn(): OptionRow[] {
  const place = ({ group }: OptionRow) => optionGroups.indexOf(group);
  return optionRows
    .filter(({ isForSignIn }) => isForSignIn === true)
    .toSorted((one, other) => place(one) - place(other));
}

/** The directory whose `tokens/` are used because they are here. */
function homeHere(world: Host, address: Address): string | undefined {
  const directory = dirname(dirname(defaultTokenFile(world, { address, home: undefined })));
  return directory === world.dataDirectory ? undefined : directory;
}

/** The command line by which a person gets the token, with the same options. */
export function signInCommand(args: Arguments, world: Host, address: Address): string {
  return ["mxtoken", ...sameMailbox(args, world, address)].join(" ");
}

/** Address and options, quoted, that lead to the same mailbox and token file from everywhere. */
export function sameMailbox(args: Arguments, world: Host, address: Address): string[] {
  const quote = world.platform === "win32" ? quoteForCmd : quoteForShell;
  const given = new Given(args, world.env);
  const isPlaceGiven = [given.text("home"), given.text("token-file")].some(
    (path) => path !== undefined,
  );
  const options = rowsForSignIn().flatMap((row) => {
    const { name, kind } = row;
    if (kind === "flag") return args[name] === true ? [`--${name}`] : [];
    // Whoever types the command may be somewhere else.
    const isHomeHere = name === "home" && !isPlaceGiven;
    const value = isHomeHere ? homeHere(world, address) : given.valueOf(row);
    if (value === undefined) return [];
    const word = kind === "path" ? resolve(world.cwd, value) : value;
    // What begins with a dash would be taken for an option.
    return [`--${name}${word.startsWith("-") ? "=" : " "}${quote(word)}`];
  });
  return [quote(address.text), ...options];
}

/** One word of a command line for a POSIX shell. */
export function quoteForShell(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

/** One word of a command line for Windows' cmd. */
export function quoteForCmd(text: string): string {
  return /^[\w@+=:,./\\-]+$/.test(text) ? text : `"${text.replaceAll('"', '""')}"`;
}
