import type { Options } from "yargs";
import { MxtokenError } from "../errors.ts";
import { imapsyncStatuses, type RestartPolicy } from "../keep/restart.ts";
import { isImapsync, type SideAccount, withImapsyncOptions } from "../run/imapsync.ts";
import { run } from "../run/run.ts";
import type { ListedAccount } from "../settings/account-list.ts";
import {
  type Arguments,
  accountOptions,
  addressArguments,
  clientOptions,
  mailboxOptions,
  numberOption,
  textOption,
  verifyOption,
} from "../settings/options.ts";
import type { Obtained } from "../tasks/get.ts";
import type { World } from "../world/world.ts";
import { accountsToKeep, combined, requireOneFileEach } from "./accounts-to-keep.ts";
import { browserOptions, readBrowserSettings } from "./browser-options.ts";
import type { Command } from "./command.ts";
import { readPolicy, scheduleOptions } from "./keep.ts";

/** Those that a person has to think of; the others are there as well. */
const shownSideOptions: ReadonlySet<string> = new Set(["provider", "token-file"]);

/** Every option of a mailbox once more for the first and for the second address alone. */
const sideOptions: Readonly<Record<string, Options>> = Object.fromEntries(
  ([1, 2] as const).flatMap((side) =>
    Object.entries(accountOptions).map(([name, { alias, ...option }]) => [
      `${name}${side}`,
      {
        ...option,
        ...(typeof alias === "string" ? { alias: `${alias}${side}` } : {}),
        describe: `--${name} for the ${side === 1 ? "first" : "second"} address alone; as --login${side}, --tenant${side} …`,
        hidden: !shownSideOptions.has(name),
      },
    ]),
  ),
);

const behindDashes =
  "the command and its options stand behind --, like mxtoken run foo@example.com -- mbsync -a";

export const runCommand: Command = {
  usage: "run [addresses..]",
  words: 1,
  about: "keep tokens fresh while a command runs: run <address>... -- <command>",
  usageHint: behindDashes,
  options: {
    ...mailboxOptions,
    ...verifyOption,
    ...clientOptions,
    ...sideOptions,
    imapsync: {
      type: "boolean",
      describe: "add imapsync's options for the mailboxes, but for those that are given",
    },
    restart: {
      type: "boolean",
      describe: "start the command again when it ended because its token had died",
    },
    "max-restarts": {
      type: "string",
      requiresArg: true,
      describe: "how often at most (default 500)",
    },
    "restart-status": {
      type: "string",
      requiresArg: true,
      describe: "exit statuses that a dead token may be the reason of (default 115,161,162)",
    },
    ...scheduleOptions,
    ...browserOptions,
  },
  async run(world, args, report, makeEngine) {
    const warn = (text: string) => report.warning(text);
    const command = commandOf(args);
    const accounts = await accountsOf(args, world, warn);
    const keeping = report.keeping(true);
    const request = {
      accounts: accounts.map(({ account }) => account),
      command,
      obtain: {
        startover: false,
        refreshTokenFromInput: false,
        browser: readBrowserSettings(args, world),
        qr: args["qr"] === true ? true : undefined,
        timeout: numberOption(args, world, "timeout"),
      },
      complete: (given: readonly string[], outcomes: readonly Obtained[]) =>
        args["imapsync"] === true
          ? withImapsyncOptions(world, { command, accounts }, given, outcomes)
          : Promise.resolve(given),
      engine: makeEngine(world, 2),
      policy: readPolicy(args, world),
      restart: restartOf(args, world, command),
    };
    return run(world, request, {
      tell: (event) => report.event(event),
      event: (event) => report.running(event),
      keeping(event) {
        keeping.event(event, undefined);
        return keeping.describe(event);
      },
      detail: (told) => keeping.detail(told),
    });
  },
};

/** @throws MxtokenError `usage` */
function commandOf(args: Arguments): readonly string[] {
  if (args["json"] === true) {
    throw new MxtokenError("usage", "run takes no --json: standard output is the command's");
  }
  const behind = args["--"];
  const words = Array.isArray(behind) ? behind.filter((word) => typeof word === "string") : [];
  if (words.length > 0) return words;
  throw new MxtokenError("usage", "no command was given behind --", { hint: behindDashes });
}

/** @throws MxtokenError `usage` */
async function accountsOf(
  args: Arguments,
  world: World,
  warn: (text: string) => void,
): Promise<readonly SideAccount[]> {
  const listed = addressArguments({ ...args, "--": [] }).map((address, index) => {
    return { address, args: ownOptions(args, index + 1), place: "" } satisfies ListedAccount;
  });
  if (listed.length === 0) {
    throw new MxtokenError("usage", "no mailbox address was given", {
      hint: "for example: mxtoken run foo@example.com -- mbsync -a",
    });
  }
  const stray = strayOption(args, listed.length);
  if (stray !== undefined) {
    throw new MxtokenError("usage", `--${stray} is for an address that is not there`);
  }
  const accounts = await accountsToKeep(listed, args, world, warn);
  if (accounts.length < listed.length) {
    throw new MxtokenError("usage", "the same address is there twice", {
      hint: "say --provider1 and --provider2, or --token-file1 and --token-file2",
    });
  }
  requireOneFileEach(accounts, world, "say --token-file1 and --token-file2");
  if (args["imapsync"] === true && accounts.length > 2) {
    throw new MxtokenError("usage", "--imapsync takes one address or two");
  }
  return accounts.map((account, index) => ({
    account,
    args: combined(args, listed[index]?.args ?? {}),
  }));
}

function ownOptions(args: Arguments, side: number): Arguments {
  const own = Object.keys(accountOptions).flatMap((name) => {
    const value = args[`${name}${side}`];
    return value === undefined ? [] : [[name, value] as const];
  });
  return Object.fromEntries(own);
}

function strayOption(args: Arguments, count: number): string | undefined {
  return Object.keys(sideOptions).find(
    (name) => args[name] !== undefined && Number(name.at(-1)) > count,
  );
}

/** @throws MxtokenError `usage` */
function restartOf(args: Arguments, world: World, command: readonly string[]): RestartPolicy {
  const given = textOption(args, world, "restart-status");
  const words = given?.split(",").map((word) => word.trim());
  if (words?.some((word) => !/^\d{1,3}$/.test(word) || Number(word) < 1 || Number(word) > 255)) {
    throw new MxtokenError(
      "usage",
      `--restart-status: ${JSON.stringify(given)} are no exit statuses`,
      {
        hint: "numbers from 1 to 255 with commas between them, like 115,161,162",
      },
    );
  }
  const isWanted = args["restart"] === true;
  // Another program's statuses mean something else, unless the person says otherwise.
  const usual = isWanted || isImapsync(command) ? imapsyncStatuses : [];
  return {
    isWanted,
    statuses: words?.map(Number) ?? usual,
    most: numberOption(args, world, "max-restarts") ?? 500,
  };
}
