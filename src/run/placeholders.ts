import { MxtokenError } from "../errors.ts";
import { serverOf } from "../mailbox.ts";
import type { Obtained } from "../tasks/get.ts";

/** What a placeholder may ask of an account. A token stands in no argument: others can read those. */
const values = {
  "token-file": ({ tokenFile }) => tokenFile,
  user: ({ mailbox }) => mailbox.address.text,
  host: ({ mailbox }) => serverOf(mailbox, "imap").host,
  port: ({ mailbox }) => String(serverOf(mailbox, "imap").port),
} as const satisfies Record<string, (outcome: Obtained) => string>;

const placeholder = /\{(token-file|user|host|port|token):(\d+)\}/g;

/**
 * Fills `{token-file:1}`, `{user:2}` … in the arguments of a command, wherever they stand in a word.
 *
 * @param outcomes the accounts in their order, the first of which is 1
 * @throws MxtokenError `usage` for an account that is not there, or a token
 */
export function fillPlaceholders(args: readonly string[], outcomes: readonly Obtained[]): string[] {
  return args.map((arg) => fill(arg, (name, number) => values[name](at(outcomes, number, name))));
}

/**
 * The same without the values, to be sure before anybody is asked for a token.
 *
 * @param count how many accounts there are
 * @throws MxtokenError `usage`
 */
export function checkPlaceholders(args: readonly string[], count: number): void {
  const accounts = Array.from({ length: count });
  for (const arg of args) fill(arg, (name, number) => String(at(accounts, number, name)));
}

function fill(arg: string, value: (name: keyof typeof values, number: number) => string): string {
  return arg.replace(placeholder, (_whole, name: keyof typeof values | "token", number: string) => {
    if (name !== "token") return value(name, Number(number));
    throw new MxtokenError("usage", `{token:${number}}: a token never stands in an argument`, {
      hint: `others on this machine could read it; pass the file, {token-file:${number}}`,
    });
  });
}

function at<T>(accounts: readonly T[], number: number, name: string): T {
  if (number >= 1 && number <= accounts.length) return accounts[number - 1] as T;
  throw new MxtokenError(
    "usage",
    `{${name}:${number}}: there ${accounts.length === 1 ? "is one address" : `are ${accounts.length} addresses`}`,
  );
}
