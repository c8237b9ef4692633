import { MxtokenError } from "./errors.ts";
import { signInCommand } from "./programs/commands-to-copy.ts";
import { Given } from "./settings/given.ts";
import { rowsOf } from "./settings/option-rows.ts";
import { camelCase, resolveSettings } from "./settings/settings.ts";
import { show } from "./tasks/show.ts";
import { systemWorld } from "./world/system.ts";

export { MxtokenError };

/** A token as a program uses it. */
export interface AccessToken {
  readonly accessToken: string;
  /** undefined when the server did not say */
  readonly expiresAt: Date | undefined;
  readonly account: string;
  readonly provider: string;
}

/**
 * The options of `mxtoken show` by their names in camel case: `tokenFile`, `clientId`, `minLife`. A flag is
 * `true`; several protocols stand in an array, or in a text with commas.
 */
export type TokenOptions = Readonly<
  Record<string, string | number | boolean | readonly string[] | undefined>
>;

/** Those that only say how a command line is answered. */
const ofCommandLine: ReadonlySet<string> = new Set([
  ...["json", "quiet", "verbose", "format", "protocol"],
  ...["access-token-stdin", "refresh-token-stdin"],
]);

const rows = new Map(
  rowsOf("show")
    .filter(({ name }) => !ofCommandLine.has(name))
    .map((row) => [camelCase(row.name), row]),
);

const defaultMinLife = 300_000;

/**
 * A valid access token for a mailbox: the stored one while it is good for long enough, else a new one, which
 * is stored under the same lock as `mxtoken show` does it. Nobody is ever asked anything.
 *
 * @param address like `foo@example.com`
 * @throws MxtokenError whose `code` is a stable name (`signInNeeded`, `unreachable` …), whose `exitStatus`
 * is what the command would end with, and whose `commands` a person can type
 */
export async function getToken(address: string, options: TokenOptions = {}): Promise<AccessToken> {
  const world = systemWorld({ ownsProcess: false });
  const args = argumentsOf(options);
  const given = new Given(args, world.env, [address]);
  const settings = { ...resolveSettings(given, () => undefined), verify: [] };
  const request = {
    settings,
    minLife: given.duration("min-life") ?? defaultMinLife,
    nocache: given.flag("nocache"),
    accessTokenFromInput: false,
    refreshTokenFromInput: false,
    get signInCommand() {
      return signInCommand(args, world, settings.address);
    },
  };
  const { accessToken, expiresAt, account, provider } = await show(world, request, () => undefined);
  return {
    accessToken: accessToken.reveal(),
    expiresAt: expiresAt === undefined ? undefined : new Date(expiresAt),
    account,
    provider: provider ?? "custom",
  };
}

function argumentsOf(options: TokenOptions): Record<string, string | true> {
  const args: Record<string, string | true> = {};
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined || value === false) continue;
    const row = rows.get(name);
    if (row === undefined) {
      throw new MxtokenError("usage", `there is no option ${JSON.stringify(name)}`, {
        hint: `known are ${[...rows.keys()].join(", ")}`,
      });
    }
    if ((row.kind === "flag") !== (value === true)) {
      throw new MxtokenError(
        "usage",
        `${name} ${row.kind === "flag" ? "is true or false" : "needs a value"}`,
      );
    }
    args[row.name] = value === true ? true : String(value);
  }
  return args;
}
