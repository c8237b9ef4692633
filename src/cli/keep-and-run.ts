import { MxtokenError } from "../errors.ts";
import { keep } from "../keep/keep.ts";
import { imapsyncStatuses, type Policy, type RestartPolicy } from "../keep/schedule.ts";
import { isImapsync, type SideAccount, withImapsyncOptions } from "../run/imapsync.ts";
import { run } from "../run/run.ts";
import { type ListedAccount, readAccountList } from "../settings/account-list.ts";
import { type Arguments, combined, type Given } from "../settings/given.ts";
import { accountRows, type NameOf, sideRows, sides } from "../settings/option-rows.ts";
import type { Obtained } from "../tasks/get.ts";
import type { Host } from "../world/world.ts";
import { accountsToKeep, requireOneFileEach } from "./accounts-to-keep.ts";
import type { Command } from "./command-line.ts";
import { signInSettings } from "./commands.ts";

export const keepCommand: Command = {
  name: "keep",
  usage: "keep [addresses..]",
  about: "keep token files fresh until stopped; asks nobody anything",
  async run(world, given, report, makeEngine) {
    const list = given.text("list");
    const addresses = [...given.words, ...given.behind];
    if (addresses.length === 0 && list === undefined) {
      throw new MxtokenError("usage", "no mailbox address was given, and no --list", {
        hint: "for example: mxtoken keep foo@example.com bar@example.org",
      });
    }
    const warn = (text: string) => report.warning(text);
    const readAccounts = async () => {
      const named: ListedAccount[] = addresses.map((address) => ({ address, args: {}, place: "" }));
      const listed = list === undefined ? [] : await readAccountList(world, list);
      const accounts = await accountsToKeep([...named, ...listed], given.args, world, warn);
      if (accounts.length === 0) {
        throw new MxtokenError("unreadable", `--list: ${list} names no account`);
      }
      requireOneFileEach(accounts, world, "in a --list, each line may have its own");
      return accounts;
    };
    const request = {
      readAccounts,
      policy: readPolicy(given),
      engine: makeEngine(world, given.number("concurrency") ?? 64),
      statusFile: given.text("status-file"),
      onEvent: given.text("on-event"),
    };
    await keep(world, request, report.keeping(false, request.statusFile));
  },
};

const defaultProveEvery = 6 * 3_600_000;
const shortest = 60_000;

/** @throws MxtokenError `usage` */
function readPolicy(given: Given): Policy {
  return {
    share: shareOf(given),
    every: atLeastAMinute(given, "every"),
    proveEvery: atLeastAMinute(given, "prove-every") ?? defaultProveEvery,
  };
}

function atLeastAMinute(given: Given, name: NameOf<"duration">): number | undefined {
  const ms = given.duration(name);
  if (ms === undefined || ms >= shortest) return ms;
  throw new MxtokenError("usage", `--${name}: a minute is the least`, {
    hint: `for example --${name} 30m; a number alone counts seconds`,
  });
}

function shareOf(given: Given): number {
  const text = given.text("refresh-at") ?? "50%";
  const [, number] = /^(\d{1,2})%?$/.exec(text.trim()) ?? [];
  if (Number(number) >= 1 && Number(number) <= 95) return Number(number) / 100;
  throw new MxtokenError("usage", `--refresh-at: ${JSON.stringify(text)} is no share of a life`, {
    hint: "1% to 95%, for example --refresh-at 50%",
  });
}

const behindDashes =
  "the command and its options stand behind --, like mxtoken run foo@example.com -- mbsync -a";

export const runCommand: Command = {
  name: "run",
  usage: "run [addresses..]",
  about: "keep tokens fresh while a command runs: run <address>... -- <command>",
  usageHint: behindDashes,
  async run(world, given, report, makeEngine) {
    const warn = (text: string) => report.warning(text);
    const command = commandOf(given);
    const accounts = await accountsOf(given, world, warn);
    const keeping = report.keeping(true);
    const request = {
      accounts: accounts.map(({ account }) => account),
      command,
      obtain: {
        startover: false,
        refreshTokenFromInput: false,
        ...signInSettings(given, world),
      },
      complete: (words: readonly string[], outcomes: readonly Obtained[]) =>
        given.flag("imapsync")
          ? withImapsyncOptions(world, { command, accounts }, words, outcomes)
          : Promise.resolve(words),
      engine: makeEngine(world, 2),
      policy: readPolicy(given),
      restart: restartOf(given, command),
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
function commandOf(given: Given): readonly string[] {
  if (given.flag("json")) {
    throw new MxtokenError("usage", "run takes no --json: standard output is the command's");
  }
  if (given.behind.length > 0) return given.behind;
  throw new MxtokenError("usage", "no command was given behind --", { hint: behindDashes });
}

/** @throws MxtokenError `usage` */
async function accountsOf(
  given: Given,
  world: Host,
  warn: (text: string) => void,
): Promise<readonly SideAccount[]> {
  const { args, words } = given;
  const listed = words.map((address, index) => {
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
  if (given.flag("imapsync") && accounts.length > 2) {
    throw new MxtokenError("usage", "--imapsync takes one address or two");
  }
  return accounts.map((account, index) => ({
    account,
    args: combined(args, listed[index]?.args ?? {}),
  }));
}

/** What is given for one side alone, as `--provider1`. */
function ownOptions(args: Arguments, side: number): Arguments {
  const own = accountRows.flatMap(({ name }) => {
    const value = args[`${name}${side}`];
    return value === undefined ? [] : [[name, value] as const];
  });
  return Object.fromEntries(own);
}

/** An option for the side of an address that is not there. */
function strayOption(args: Arguments, count: number): string | undefined {
  return sides
    .filter((side) => side > count)
    .flatMap(sideRows)
    .map(({ name }) => name)
    .find((name) => args[name] !== undefined);
}

/** @throws MxtokenError `usage` */
function restartOf(given: Given, command: readonly string[]): RestartPolicy {
  const text = given.text("restart-status");
  const words = text?.split(",").map((word) => word.trim());
  if (words?.some((word) => !/^\d{1,3}$/.test(word) || Number(word) < 1 || Number(word) > 255)) {
    throw new MxtokenError(
      "usage",
      `--restart-status: ${JSON.stringify(text)} are no exit statuses`,
      {
        hint: "numbers from 1 to 255 with commas between them, like 115,161,162",
      },
    );
  }
  const isWanted = given.flag("restart");
  // Another program's statuses mean something else, unless the person says otherwise.
  const usual = isWanted || isImapsync(command) ? imapsyncStatuses : [];
  return {
    isWanted,
    statuses: words?.map(Number) ?? usual,
    most: given.number("max-restarts") ?? 500,
  };
}
