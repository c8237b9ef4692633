import { MxtokenError } from "../errors.ts";
import { keep } from "../keep/keep.ts";
import type { Policy } from "../keep/schedule.ts";
import { type ListedAccount, readAccountList } from "../settings/account-list.ts";
import {
  type Arguments,
  addressArguments,
  clientOptions,
  durationOption,
  mailboxOptions,
  numberOption,
  textOption,
  verifyOption,
} from "../settings/options.ts";
import type { World } from "../world/world.ts";
import { accountsToKeep, requireOneFileEach } from "./accounts-to-keep.ts";
import type { Command } from "./command.ts";

/** When tokens are refreshed and proven. */
export const scheduleOptions = {
  every: {
    type: "string",
    requiresArg: true,
    describe:
      "refresh at least this often, like 30m; without it, only as the tokens' lives want it",
  },
  "refresh-at": {
    type: "string",
    requiresArg: true,
    describe: "the share of a token's life after which it is refreshed (default 50%)",
  },
  "prove-every": {
    type: "string",
    requiresArg: true,
    describe: "how often a login proves the token, like 30m (default 6h)",
  },
} as const;

export const keepCommand: Command = {
  usage: "keep [addresses..]",
  words: 1,
  about: "keep token files fresh until stopped; asks nobody anything",
  options: {
    ...mailboxOptions,
    ...verifyOption,
    ...clientOptions,
    list: {
      type: "string",
      requiresArg: true,
      describe: "file with one address a line, options of its own behind it; SIGHUP reads it again",
    },
    ...scheduleOptions,
    concurrency: {
      type: "string",
      requiresArg: true,
      describe: "how many accounts at once at one provider (default 64)",
    },
    "status-file": {
      type: "string",
      requiresArg: true,
      describe: "file that always holds the current picture (JSON)",
    },
    "on-event": {
      type: "string",
      requiresArg: true,
      describe: "command to run for every event, with MXTOKEN_EVENT, _ACCOUNT and _MESSAGE",
    },
  },
  async run(world, args, report, makeEngine) {
    const list = textOption(args, world, "list");
    const given = addressArguments(args);
    if (given.length === 0 && list === undefined) {
      throw new MxtokenError("usage", "no mailbox address was given, and no --list", {
        hint: "for example: mxtoken keep foo@example.com bar@example.org",
      });
    }
    const warn = (text: string) => report.warning(text);
    const readAccounts = async () => {
      const named: ListedAccount[] = given.map((address) => ({ address, args: {}, place: "" }));
      const listed = list === undefined ? [] : await readAccountList(world, list);
      const accounts = await accountsToKeep([...named, ...listed], args, world, warn);
      if (accounts.length === 0) {
        throw new MxtokenError("unreadable", `--list: ${list} names no account`);
      }
      requireOneFileEach(accounts, world, "in a --list, each line may have its own");
      return accounts;
    };
    const request = {
      readAccounts,
      policy: readPolicy(args, world),
      engine: makeEngine(world, numberOption(args, world, "concurrency", 1000) ?? 64),
      statusFile: textOption(args, world, "status-file"),
      onEvent: textOption(args, world, "on-event"),
    };
    await keep(world, request, report.keeping(false));
  },
};

const defaultProveEvery = 6 * 3_600_000;
const shortest = 60_000;

/** @throws MxtokenError `usage` */
export function readPolicy(args: Arguments, world: World): Policy {
  return {
    share: shareOption(args, world),
    every: atLeastAMinute(args, world, "every"),
    proveEvery: atLeastAMinute(args, world, "prove-every") ?? defaultProveEvery,
  };
}

function atLeastAMinute(args: Arguments, world: World, name: string): number | undefined {
  const ms = durationOption(args, world, name);
  if (ms === undefined || ms >= shortest) return ms;
  throw new MxtokenError("usage", `--${name}: a minute is the least`, {
    hint: `for example --${name} 30m; a number alone counts seconds`,
  });
}

function shareOption(args: Arguments, world: World): number {
  const given = textOption(args, world, "refresh-at") ?? "50%";
  const [, number] = /^(\d{1,2})%?$/.exec(given.trim()) ?? [];
  if (Number(number) >= 1 && Number(number) <= 95) return Number(number) / 100;
  throw new MxtokenError("usage", `--refresh-at: ${JSON.stringify(given)} is no share of a life`, {
    hint: "1% to 95%, for example --refresh-at 50%",
  });
}
