import { MxtokenError } from "../errors.ts";
import { keep } from "../keep/keep.ts";
import type { Policy } from "../keep/schedule.ts";
import { type ListedAccount, readAccountList } from "../settings/account-list.ts";
import type { Given } from "../settings/given.ts";
import type { NameOf } from "../settings/option-rows.ts";
import { accountsToKeep, requireOneFileEach } from "./accounts-to-keep.ts";
import type { Command } from "./command-line.ts";

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
    await keep(world, request, report.keeping(false));
  },
};

const defaultProveEvery = 6 * 3_600_000;
const shortest = 60_000;

/** @throws MxtokenError `usage` */
export function readPolicy(given: Given): Policy {
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
