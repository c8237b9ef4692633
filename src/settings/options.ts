import type { Options } from "yargs";
import { MxtokenError } from "../errors.ts";
import type { Protocol } from "../mail-server.ts";
import type { World } from "../world/world.ts";
import { parseDnsServer, type Resolver } from "./resolvers.ts";

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

/** Whom the MX records are asked of. */
export const dnsOption = {
  "dns-server": text("resolver to ask, IP[:PORT] (default: the system's)"),
} as const satisfies Record<string, Options>;

/** How much is said, and in which form. */
export const reportOptions = {
  json: flag("report as JSON on standard output"),
  quiet: flag("only errors"),
  verbose: flag("protocol steps, secrets blacked out", { alias: "debug" }),
} as const satisfies Record<string, Options>;

/** Options that every command for a mailbox knows. */
export const mailboxOptions = {
  provider: text("provider's name, instead of what the MX records say; see mxtoken provider"),
  "imap-server": text("HOST[:PORT], or starttls://HOST:PORT"),
  "smtp-server": text("the same for SMTP"),
  "pop-server": text("the same for POP3"),
  "token-file": text("default: <home>/tokens/oauth2_tokens_<address>.txt"),
  ...homeOption,
  ...dnsOption,
  "ca-file": text("one more certificate authority (PEM) for every TLS connection"),
  login: text("address of the person who signs in, when the mailbox is somebody else's"),
  proxy: text(
    "HTTP CONNECT or SOCKS proxy for IMAP, SMTP and POP; HTTPS requests follow HTTPS_PROXY",
  ),
  ...reportOptions,
} as const satisfies Record<string, Options>;

/** What the token is proven by. */
export const verifyOption = {
  verify: text("protocols that prove the token: imap (default), smtp, pop, with commas; or none"),
} as const satisfies Record<string, Options>;

/** Options of the commands that ask for a token. */
export const clientOptions = {
  app: text("registered application to act as: thunderbird (default), imapsync", {
    alias: "application",
  }),
  thunderbird: flag("the same as --app thunderbird"),
  tenant: text("Microsoft tenant: an id, a domain, common, organizations or consumers"),
  flow: text(
    "how to get the first token: code (default), device, client-credentials, service-account",
  ),
  access: text("what the token shall open: imap (default), smtp, pop, with commas"),
  "authorize-uri": text("authorization endpoint"),
  "token-uri": text("token endpoint"),
  "device-uri": text("device authorization endpoint"),
  "revoke-uri": text("revocation endpoint"),
  issuer: text("authorization server that tells its own endpoints; or what iss must be (RFC 9207)"),
  "redirect-uri": text("redirect URI, exactly as registered"),
  scope: text("scopes, with blanks between them", { alias: "scope-string" }),
  "client-id": text("client id of your own application"),
  "client-secret": text("its secret, for everybody on this machine to see; better:"),
  "client-secret-file": text("file with the secret (or MXTOKEN_CLIENT_SECRET in the environment)"),
  "client-secret-command": text("command that prints the secret"),
  "client-certificate": text("certificate of your own application, instead of a secret (PEM)"),
  "client-key": text("its private key, where that is in another file (PEM)"),
  "service-account-key": text("key file of a Google service account (JSON)"),
  group: text("group that may read the token file"),
} as const satisfies Record<string, Options>;

/** What can be said of one account where there are several: in a line of a list, or for one side. */
export const accountOptions: Readonly<Record<string, Options>> = Object.fromEntries(
  Object.entries({ ...mailboxOptions, ...verifyOption, ...clientOptions }).filter(
    ([name]) => !(name in reportOptions),
  ),
);

const protocols = ["imap", "smtp", "pop"] as const satisfies readonly Protocol[];

/**
 * A list of protocols with commas between them.
 *
 * @throws MxtokenError `usage`
 */
export function protocolsOption(
  args: Arguments,
  world: World,
  name: string,
): readonly Protocol[] | undefined {
  const given = textOption(args, world, name);
  if (given === undefined) return undefined;
  const words = given
    .toLowerCase()
    .split(",")
    .map((word) => word.trim());
  const unknown = words.find((word) => !protocols.some((protocol) => protocol === word));
  if (unknown !== undefined) {
    throw new MxtokenError("usage", `--${name}: ${JSON.stringify(unknown)} is no protocol`, {
      hint: `known are ${protocols.join(", ")}`,
    });
  }
  return protocols.filter((protocol) => words.includes(protocol));
}

/** @throws MxtokenError `usage` */
export function dnsServerOption(args: Arguments, world: World): Resolver | undefined {
  const given = textOption(args, world, "dns-server");
  return given === undefined ? undefined : parseDnsServer(given);
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

const unitMs = { "": 1000, s: 1000, m: 60_000, h: 3_600_000 } as const;

/**
 * A length of time like `90s`, `5m` or `1h`; a number alone counts seconds.
 *
 * @returns ms
 * @throws MxtokenError `usage`
 */
export function durationOption(args: Arguments, world: World, name: string): number | undefined {
  const given = textOption(args, world, name);
  if (given === undefined) return undefined;
  const [, number, unit = ""] = /^(\d{1,7})([smh]?)$/.exec(given.trim().toLowerCase()) ?? [];
  const ms = Number(number) * unitMs[unit as keyof typeof unitMs];
  if (number !== undefined && ms <= largestNumber * 1000) return ms;
  throw new MxtokenError("usage", `--${name}: ${JSON.stringify(given)} is no length of time`, {
    hint: `for example --${name} 90s, --${name} 5m or --${name} 1h`,
  });
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

/** Every argument of a command that takes several addresses. */
export function addressArguments(args: Arguments): string[] {
  // What follows `--` is not taken for a positional argument.
  return [args["addresses"], args["_"], args["--"]]
    .flat()
    .filter((word) => typeof word === "string");
}

/**
 * The one argument of a command that takes an address.
 *
 * @throws MxtokenError `usage` for more than one
 */
export function onlyArgument(args: Arguments): string | undefined {
  // What follows `--` is not taken for the positional argument.
  const [first, another] = [args["address"], args["_"], args["--"]]
    .flat()
    .filter((word) => typeof word === "string");
  if (another !== undefined) {
    const isMistyped = first !== undefined && /^[a-z]+$/.test(first) && another.includes("@");
    throw new MxtokenError(
      "usage",
      isMistyped
        ? `${JSON.stringify(first)} is neither a command nor an address`
        : `one address at a time: ${JSON.stringify(another)} is too many`,
    );
  }
  return first;
}
