import { createHash } from "node:crypto";
import { resolve } from "node:path";
import { providerByName } from "../catalog/providers.ts";
import { MxtokenError } from "../errors.ts";
import type { AccountToKeep } from "../keep/events.ts";
import { parseAddress } from "../mailbox.ts";
import { signInCommand } from "../programs/commands-to-copy.ts";
import { inPlace, type ListedAccount } from "../settings/account-list.ts";
import { type Arguments, combined, Given } from "../settings/given.ts";
import {
  type ClientSecretSource,
  resolveCommonSettings,
  type Settings,
} from "../settings/settings.ts";
import { pause } from "../world/waiting.ts";
import type { Host } from "../world/world.ts";

type Warn = (text: string) => void;

/** What a file holds, not everybody on the machine can read. */
const unheard = () => undefined;

/** What is the same for all accounts with the same options. */
interface SharedSettings {
  /** their own options and the common ones */
  readonly own: Arguments;
  readonly others: Omit<Settings, "address">;
  /** a digest of them, for comparisons; of secrets, only that they are there */
  readonly asked: string;
}

/** The sources of client secrets, each once: what was fetched from one serves all accounts that name it. */
type Sources = Map<string, ClientSecretSource>;

function share(own: Arguments, given: Given, sources: Sources, warn: Warn): SharedSettings {
  const { clientSecret, ...rest } = resolveCommonSettings(given, warn);
  const named = JSON.stringify(clientSecret);
  const source = sources.get(named) ?? clientSecret;
  sources.set(named, source);
  const others = { ...rest, clientSecret: source };
  const asked = createHash("sha256").update(JSON.stringify(others)).digest("base64url");
  return { own, others, asked };
}

/** Accounts, of which there may be very many. */
const pauseEvery = 500;

/**
 * Completes accounts with the options that are common to all of them.
 *
 * @throws MxtokenError `usage` …, or `unreadable` with the place in the list; also for an account that
 * is there twice with different options
 */
export async function accountsToKeep(
  listed: readonly ListedAccount[],
  common: Arguments,
  world: Host,
  warn: Warn,
): Promise<AccountToKeep[]> {
  const sources: Sources = new Map();
  // Thousands of lines without options of their own share what is made of the common ones.
  const sharedBy = new Map<string, SharedSettings>();
  const accounts = new Map<string, { account: AccountToKeep; settings: string; place: string }>();
  for (const [index, { address: text, args, place }] of listed.entries()) {
    if (index % pauseEvery === pauseEvery - 1) await pause();
    inPlace(place, () => {
      const address = parseAddress(text);
      const optionsKey = JSON.stringify(args);
      let shared = sharedBy.get(optionsKey);
      if (shared === undefined) {
        const all = combined(common, args);
        const told = "client-secret" in args ? unheard : warn;
        shared = share(all, new Given(all, world.env), sources, told);
        sharedBy.set(optionsKey, shared);
      }
      const { own, others, asked } = shared;
      const settings: Settings = { address, ...others };
      const key = JSON.stringify([nameOf(settings), providerOf(settings), others.tokenFile]);
      const former = accounts.get(key);
      if (former !== undefined) {
        if (former.settings === asked) return;
        throw new MxtokenError(
          "usage",
          `${text} is there twice with different options${former.place === "" ? "" : `, also at ${former.place}`}`,
        );
      }
      const signIn = () => signInCommand(own, world, address);
      const label = address.text;
      const account = { key: `${label} ${asked}`, settings, label, signInCommand: signIn };
      accounts.set(key, { account, settings: asked, place });
    });
  }
  return withLabels([...accounts.values()].map(({ account }) => account));
}

/**
 * One token file for two accounts would make each of them the other's enemy.
 *
 * @param hint what to do instead
 * @throws MxtokenError `usage`
 */
export function requireOneFileEach(
  accounts: readonly AccountToKeep[],
  world: Host,
  hint: string,
): void {
  const files = accounts.flatMap(({ settings: { tokenFile } }) =>
    tokenFile === undefined ? [] : [resolve(world.cwd, tokenFile)],
  );
  if (new Set(files).size === files.length) return;
  throw new MxtokenError(
    "usage",
    "--token-file is for one account, and two have the same token file",
    { hint },
  );
}

function nameOf({ address }: Settings): string {
  return address.text.toLowerCase();
}

/** Under the one name that it has here: `gmail` is `google`. */
function providerOf({ provider }: Settings): string | undefined {
  return provider === undefined ? undefined : (providerByName(provider)?.name ?? provider);
}

/** Tells accounts of the same address apart: by their providers, or where those are the same, their files. */
function withLabels(accounts: readonly AccountToKeep[]): AccountToKeep[] {
  const byAddress = counted(accounts, ({ settings }) => nameOf(settings));
  const atProvider = ({ settings }: AccountToKeep) =>
    JSON.stringify([nameOf(settings), providerOf(settings)]);
  const isAlone = ({ settings }: AccountToKeep) => byAddress.get(nameOf(settings)) === 1;
  const byProvider = counted(
    accounts.filter((account) => !isAlone(account)),
    atProvider,
  );
  return accounts.map((account) => {
    if (isAlone(account)) return account;
    const { address, provider, tokenFile } = account.settings;
    const isTold = byProvider.get(atProvider(account)) === 1 && provider !== undefined;
    const other = isTold ? provider : (tokenFile ?? provider);
    return other === undefined ? account : { ...account, label: `${address.text} (${other})` };
  });
}

function counted<T>(all: readonly T[], keyOf: (one: T) => string): Map<string, number> {
  const counts = new Map<string, number>();
  for (const one of all) {
    const key = keyOf(one);
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return counts;
}
