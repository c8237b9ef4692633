import { MxtokenError } from "../errors.ts";
import type { Tell } from "../events.ts";
import { cannotStart } from "../keep/restart.ts";
import {
  type RunAudience,
  SupervisedCommand,
  type Supervision,
} from "../keep/supervised-command.ts";
import type { Obtained } from "../tasks/get.ts";
import { type GetRequest, get } from "../tasks/get.ts";
import type { World } from "../world/world.ts";
import { checkPlaceholders, fillPlaceholders } from "./placeholders.ts";

/** What the person wants of `mxtoken run`. */
export interface RunRequest extends Supervision {
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
