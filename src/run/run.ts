import { MxtokenError } from "../errors.ts";
import type { Tell } from "../events.ts";
import { cannotStart } from "../keep/schedule.ts";
import {
  type RunAudience,
  SupervisedCommand,
  type Supervision,
} from "../keep/supervised-command.ts";
import { serverOf } from "../mailbox.ts";
import { type GetRequest, get, type Obtained } from "../tasks/get.ts";
import type { World } from "../world/world.ts";

/** What the person wants of `mxtoken run`. */
interface RunRequest extends Supervision {
  /** how each of them gets its first token */
  readonly obtain: Omit<GetRequest, "settings" | "mayAsk" | "signInCommand">;
  /** the program and its arguments, with placeholders */
  readonly command: readonly string[];
  /** completes the arguments when the accounts are known */
  complete(args: readonly string[], outcomes: readonly Obtained[]): Promise<readonly string[]>;
}

/**
 * Gets a token for every account, starts the command, and keeps the tokens fresh while it lives.
 *
 * @returns the command's exit status; 128 and the signal's number where it was killed
 * @throws MxtokenError where the command was never started; Interrupted
 */
export async function run(
  world: World,
  request: RunRequest,
  audience: RunAudience,
): Promise<number> {
  const [file = "", ...args] = request.command;
  checkPlaceholders(args, request.accounts.length);
  // Before somebody signs in for nothing.
  if (!(await world.isProgram(file))) throw cannotStart(file, "it is not found");
  const outcomes = await obtainAll(world, request, audience.tell);
  checkOneFileEach(outcomes);
  const completed = await request.complete(fillPlaceholders(args, outcomes), outcomes);
  world.interrupted.throwIfAborted();
  const tokenFiles = outcomes.map(({ tokenFile }) => tokenFile);
  return new SupervisedCommand(world, request, audience, tokenFiles).run(file, completed);
}

async function obtainAll(
  world: World,
  { accounts, obtain }: RunRequest,
  tell: Tell,
): Promise<Obtained[]> {
  const outcomes: Obtained[] = [];
  // What stands on a pipe is for the command.
  const mayAsk = world.stdin.isTTY === true;
  for (const { settings, signInCommand } of accounts) {
    try {
      outcomes.push(await get(world, { ...obtain, settings, mayAsk, signInCommand }, tell));
    } catch (error) {
      if (!(error instanceof MxtokenError) || error.code !== "signInNeeded") throw error;
      throw error.with({ message: `${settings.address.text}: ${error.message}` });
    }
  }
  return outcomes;
}

/** @throws MxtokenError `configuration` */
function checkOneFileEach(outcomes: readonly Obtained[]): void {
  const files = new Set(outcomes.map(({ tokenFile }) => tokenFile));
  if (files.size === outcomes.length) return;
  throw new MxtokenError("configuration", "two of the accounts have the same token file", {
    hint: "where one address is on both sides, say --provider1 and --provider2, or --token-file1 and --token-file2",
  });
}

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
