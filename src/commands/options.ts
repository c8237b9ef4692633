import type { Options } from "yargs";
import { type Address, parseAddress } from "../address.ts";
import type { ClientSecretSource, Settings } from "../config/settings.ts";
import { MxtokenError } from "../errors.ts";
import type { Report } from "../report/report.ts";
import type { World } from "../world/world.ts";

/** The option values as yargs leaves them. */
export type Arguments = Readonly<Record<string, unknown>>;

const text = (describe: string, more: Options = {}): Options => ({
  type: "string",
  requiresArg: true,
  describe,
  ...more,
});
const flag = (describe: string, more: Options = {}): Options => ({
  type: "boolean",
  describe,
  ...more,
});

/** Where everything of ours is kept. */
export const homeOption = {
  home: text("directory that holds tokens/ and certs/"),
} as const satisfies Record<string, Options>;

/** How much is said, and in which form. */
export const reportOptions = {
  json: flag("report as JSON on standard output"),
  quiet: flag("only errors"),
  verbose: flag("protocol steps, secrets blacked out", { alias: "debug" }),
} as const satisfies Record<string, Options>;

/** Options that every command for a mailbox knows. */
export const mailboxOptions = {
  provider: text("provider's name: google, office365, outlook"),
  "imap-server": text("HOST[:PORT], or starttls://HOST:PORT"),
  "token-file": text("default: <home>/tokens/oauth2_tokens_<address>.txt"),
  ...homeOption,
  "ca-file": text("one more certificate authority (PEM) for every TLS connection"),
  proxy: text("HTTP CONNECT or SOCKS proxy for IMAP; HTTPS requests follow HTTPS_PROXY"),
  ...reportOptions,
} as const satisfies Record<string, Options>;

/** Options of the commands that ask for a token. */
export const clientOptions = {
  app: text("registered application to act as: thunderbird (default), imapsync", {
    alias: "application",
  }),
  thunderbird: flag("the same as --app thunderbird"),
  tenant: text("Microsoft tenant: an id, a domain, common, organizations or consumers"),
  login: text("address of the person who signs in, when the mailbox is somebody else's"),
  "authorize-uri": text("authorization endpoint"),
  "token-uri": text("token endpoint"),
  issuer: text("what the iss of the answer must be (RFC 9207)"),
  "redirect-uri": text("redirect URI, exactly as registered"),
  scope: text("scopes, with blanks between them", { alias: "scope-string" }),
  "client-id": text("client id of your own application"),
  "client-secret": text("its secret, for everybody on this machine to see; better:"),
  "client-secret-file": text("file with the secret (or MXTOKEN_CLIENT_SECRET in the environment)"),
  "client-secret-command": text("command that prints the secret"),
  group: text("group that may read the token file"),
} as const satisfies Record<string, Options>;

/**
 * Reads the settings from the options, then from `MXTOKEN_*`, for whatever is a word or a number.
 *
 * @throws MxtokenError `usage`, `configuration`
 */
export function readSettings(args: Arguments, world: World, report: Report): Settings {
  const value = (name: string) => textOption(args, world, name);
  return {
    address: onlyAddress(args),
    provider: value("provider"),
    app: application(args, world),
    tenant: value("tenant"),
    login: loginOption(value("login")),
    authorizeUri: value("authorize-uri"),
    tokenUri: value("token-uri"),
    issuer: value("issuer"),
    redirectUri: value("redirect-uri"),
    scope: value("scope"),
    clientId: value("client-id"),
    clientSecret: clientSecret(args, world, report),
    imapServer: value("imap-server"),
    tokenFile: value("token-file"),
    group: value("group"),
    caFile: value("ca-file"),
    proxy: value("proxy"),
    home: value("home"),
  };
}

/** Seconds that Node's timers can count, rounded down to something a person can remember. */
const largestNumber = 2_000_000;

/**
 * A whole number of at least 1.
 *
 * @throws MxtokenError `usage`
 */
export function numberOption(
  args: Arguments,
  world: World,
  name: string,
  largest = largestNumber,
): number | undefined {
  const given = textOption(args, world, name);
  if (given === undefined) return undefined;
  if (!/^\d{1,7}$/.test(given) || Number(given) < 1 || Number(given) > largest) {
    throw new MxtokenError(
      "usage",
      `--${name}: ${JSON.stringify(given)} is not a number from 1 to ${largest}`,
    );
  }
  return Number(given);
}

/**
 * An option's value, or its `MXTOKEN_*` from the environment.
 *
 * @throws MxtokenError `usage` for one without a value, or given twice
 */
export function textOption(args: Arguments, world: World, name: string): string | undefined {
  const given = args[name];
  if (Array.isArray(given)) throw new MxtokenError("usage", `--${name} is given more than once`);
  if (typeof given === "string") {
    if (given.trim() === "") throw new MxtokenError("usage", `--${name} needs a value`);
    return given;
  }
  const fromEnvironment = world.env[environmentName(name)];
  return fromEnvironment?.trim() ? fromEnvironment : undefined;
}

function environmentName(option: string): string {
  return `MXTOKEN_${option.toUpperCase().replaceAll("-", "_")}`;
}

function loginOption(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  try {
    return parseAddress(text).text;
  } catch (error) {
    if (!(error instanceof MxtokenError)) throw error;
    throw new MxtokenError("usage", `--login: ${error.message}`);
  }
}

function onlyAddress(args: Arguments): Address {
  const others = Array.isArray(args["_"]) ? args["_"].map(String) : [];
  const { address } = args;
  if (typeof address !== "string") {
    throw new MxtokenError("usage", "no mailbox address was given", {
      hint: "for example: mxtoken foo@example.com --provider office365; see mxtoken --help",
    });
  }
  const parsed = parseAddress(address);
  if (others.length > 0) {
    throw new MxtokenError(
      "usage",
      `one address at a time: ${JSON.stringify(others[0])} is too many`,
    );
  }
  return parsed;
}

function application(args: Arguments, world: World): string | undefined {
  const named = textOption(args, world, "app");
  if (args["thunderbird"] !== true) return named;
  if (args["app"] !== undefined && named !== "thunderbird") {
    throw new MxtokenError(
      "configuration",
      `--thunderbird and --app ${named} contradict each other`,
    );
  }
  return "thunderbird";
}

function clientSecret(args: Arguments, world: World, report: Report): ClientSecretSource {
  const names = ["client-secret", "client-secret-file", "client-secret-command"] as const;
  const byOption = names.filter((name) => args[name] !== undefined);
  // An option replaces whatever the environment says, whichever kind of source it names.
  const used = byOption.length > 0 ? byOption : names;
  const values = used.map((name) => [name, textOption(args, world, name)] as const);
  const given = values.filter(([, value]) => value !== undefined);
  if (given.length > 1) {
    throw new MxtokenError(
      "configuration",
      `the client secret is given more than once: ${given.map(([name]) => name).join(", ")}`,
    );
  }
  if (byOption[0] === "client-secret") {
    report.warning(
      "--client-secret can be read by everybody on this machine; use MXTOKEN_CLIENT_SECRET, --client-secret-file or --client-secret-command",
    );
  }
  const [name, value] = given[0] ?? [];
  if (name === "client-secret") return { value };
  return name === "client-secret-file" ? { file: value } : { command: value };
}
