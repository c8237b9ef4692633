import { type Mailbox, serverOf } from "../mailbox.ts";
import { type Side, sides } from "../settings/option-rows.ts";
import { quoteForCmd, quoteForShell } from "./commands-to-copy.ts";

/** An option of imapsync's without its side's number, and its value if it takes one. */
interface ImapsyncOption {
  readonly name: string;
  readonly value?: string;
  /** options that say the same thing in another way */
  readonly others?: readonly string[];
  /** whether it may be given again and again, each time like NAME=VALUE */
  readonly isList?: boolean;
}

/**
 * `--password` must be given and is not used; TLS is unverified in imapsync unless told otherwise;
 * the path is absolute because imapsync may change its directory.
 */
function optionsFor(mailbox: Mailbox, tokenFile: string): ImapsyncOption[] {
  const { host, port, tls } = serverOf(mailbox, "imap");
  const usualPort = tls === "implicit" ? 993 : 143;
  const { caFile } = mailbox;
  return [
    { name: "host", value: host },
    // Another host has its own.
    ...(port === usualPort ? [] : [{ name: "port", value: String(port), others: ["host"] }]),
    tls === "implicit"
      ? { name: "ssl", others: ["tls", "nossl"] }
      : { name: "tls", others: ["ssl", "notls"] },
    { name: "user", value: mailbox.address.text },
    { name: "password", value: "x", others: ["passfile"] },
    { name: "oauthaccesstoken", value: tokenFile, others: ["oauthdirect"] },
    { name: "sslargs", value: "SSL_verify_mode=1", isList: true },
    ...(caFile === undefined
      ? []
      : [{ name: "sslargs", value: `SSL_ca_file=${caFile}`, isList: true }]),
  ];
}

/**
 * The options by which imapsync opens this mailbox with the token file, ready to be pasted.
 */
export function imapsyncOptions(
  mailbox: Mailbox,
  tokenFile: string,
  side: Side,
  platform: NodeJS.Platform,
): string {
  const quote = platform === "win32" ? quoteForCmd : quoteForShell;
  return optionsFor(mailbox, tokenFile)
    .map(({ name, value }) => `--${name}${side}${value === undefined ? "" : ` ${quote(value)}`}`)
    .join(" ");
}

/**
 * The same as arguments, without those that the person has given: these stay as they are.
 *
 * @param refreshCommand prints a fresh token; undefined where imapsync does not know such a thing
 * @param given the command's arguments
 */
export function imapsyncArguments(
  { mailbox, tokenFile }: { readonly mailbox: Mailbox; readonly tokenFile: string },
  side: Side,
  refreshCommand: string | undefined,
  given: readonly string[],
): string[] {
  const refresh =
    refreshCommand === undefined ? [] : [{ name: "oauthrefreshcmd", value: refreshCommand }];
  return [...optionsFor(mailbox, tokenFile), ...refresh].flatMap(
    ({ name, value, others = [], isList = false }: ImapsyncOption) => {
      const isGiven = isList
        ? valuesOf(given, `${name}${side}`).some((each) => each.startsWith(keyOf(value)))
        : [name, ...others].some((each) => names(given, `${each}${side}`));
      if (isGiven) return [];
      return value === undefined ? [`--${name}${side}`] : [`--${name}${side}`, value];
    },
  );
}

/** `NAME=` of `NAME=VALUE`. */
function keyOf(value = ""): string {
  return value.slice(0, value.indexOf("=") + 1);
}

/**
 * Which sides of a command the accounts are: the first and the second; a single one is the side whose
 * user it is, else the side that has no password, else the side whose user the command does not name.
 *
 * @param addresses one or two
 * @returns undefined where nothing tells: a token must not be sent to another's server
 */
export function sidesOf(
  addresses: readonly string[],
  given: readonly string[],
): readonly Side[] | undefined {
  const [address = "", another] = addresses;
  if (another !== undefined) return [1, 2];
  const isIt = (user: string) => user.toLowerCase() === address.toLowerCase();
  const own = sides.filter((side) => valuesOf(given, `user${side}`).some(isIt));
  if (own.length > 0) return own.slice(0, 1);
  const free = sides.filter((side) => !secrets.some((name) => names(given, `${name}${side}`)));
  if (free.length === 1) return free;
  const nameless = sides.filter((side) => !names(given, `user${side}`));
  return nameless.length === 0 ? undefined : nameless.slice(0, 1);
}

/** What a side is opened with. */
const secrets = ["password", "passfile", "oauthaccesstoken", "oauthdirect"];

/** Whether an option is there. */
function names(args: readonly string[], option: string): boolean {
  return valuesOf(args, option).length > 0;
}

/**
 * What an option is given, each time that it is, as Perl's Getopt::Long reads it: with one dash, two
 * dashes or a plus, in any letters; `no-` is `no`. For a flag, whatever stands behind it.
 */
function valuesOf(args: readonly string[], option: string): string[] {
  return args.flatMap((arg, index) => {
    const [, name, inline] = /^(?:--?|\+)((?:no-)?[a-z0-9]+)(?:=(.*))?$/is.exec(arg) ?? [];
    const isIt = name?.toLowerCase().replace(/^no-/, "no") === option;
    return isIt ? [inline ?? args[index + 1] ?? ""] : [];
  });
}
