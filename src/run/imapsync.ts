import { basename } from "node:path";
import { MxtokenError } from "../errors.ts";
import type { AccountToKeep } from "../keep/events.ts";
import { quoteForCmd, quoteForShell, sameMailbox } from "../programs/commands-to-copy.ts";
import { imapsyncArguments, sidesOf } from "../programs/imapsync.ts";
import type { Arguments } from "../settings/given.ts";
import type { Obtained } from "../tasks/get.ts";
import { runWithin } from "../world/waiting.ts";
import type { Clock, Host, Stop } from "../world/world.ts";

/** An account of `mxtoken run`, and the options that it was named with. */
export interface SideAccount {
  readonly account: AccountToKeep;
  readonly args: Arguments;
}

/** How long `--help` may take, ms. */
const helpPatience = 20_000;

/**
 * The command's arguments with imapsync's options for the mailboxes, but for those that are given.
 *
 * @param run.command as it was given, to be asked what it knows
 * @param given its arguments, with placeholders filled
 * @throws MxtokenError `usage`
 */
export async function withImapsyncOptions(
  world: Clock & Host & Stop,
  { command, accounts }: { command: readonly string[]; accounts: readonly SideAccount[] },
  given: readonly string[],
  outcomes: readonly Obtained[],
): Promise<readonly string[]> {
  const addresses = outcomes.map(({ mailbox }) => mailbox.address.text);
  const sides = sidesOf(addresses, given);
  if (sides === undefined) {
    throw new MxtokenError(
      "usage",
      `the command names both users, and neither is ${addresses[0]}`,
      {
        hint: "take out --user1 or --user2, as the side is that the token is for",
      },
    );
  }
  const knowsRefresh = await knowsRefreshCommand(world, command);
  const added = outcomes.flatMap((outcome, index) => {
    const side = sides[index] ?? 1;
    const refresh = knowsRefresh ? showCommandLine(world, accounts[index]) : undefined;
    return imapsyncArguments(outcome, side, refresh, given);
  });
  return [...given, ...added];
}

/** The words of a command before its first option, which name the program. */
function programOf(command: readonly string[]): readonly string[] {
  const end = command.findIndex((word) => word.startsWith("-"));
  return end === -1 ? command : command.slice(0, end);
}

/** Whether a command calls imapsync, itself or by an interpreter. */
export function isImapsync(command: readonly string[]): boolean {
  return programOf(command).some((word) => /imapsync/i.test(basename(word)));
}

/** Whether this imapsync can ask for a fresh token by itself, which is newer than 2.229. */
async function knowsRefreshCommand(
  world: Clock & Host & Stop,
  command: readonly string[],
): Promise<boolean> {
  const [file = "", ...words] = programOf(command);
  if (!isImapsync(command)) return false;
  const help = { file, args: [...words, "--help"] };
  const result = await runWithin(world, help, helpPatience).catch(() => undefined);
  world.interrupted.throwIfAborted();
  return result?.stdout.includes("--oauthrefreshcmd1") === true;
}

/** `mxtoken show` by this very program, for the same mailbox and token file. */
function showCommandLine(world: Host, side: SideAccount | undefined): string | undefined {
  if (side === undefined) return undefined;
  const quote = world.platform === "win32" ? quoteForCmd : quoteForShell;
  const { address } = side.account.settings;
  return [...world.program.map(quote), "show", ...sameMailbox(side.args, world, address)].join(" ");
}
