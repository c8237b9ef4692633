import { dirname, resolve } from "node:path";
import type { Options } from "yargs";
import type { Address } from "../address.ts";
import type { Protocol } from "../catalog/provider-row.ts";
import { defaultTokenFile } from "../config/token-file-path.ts";
import { quoteForCmd, quoteForShell } from "../consumer/quote.ts";
import { type TokenFormat, tokenFormats } from "../consumer/token-formats.ts";
import { MxtokenError } from "../errors.ts";
import type { ShowRequest } from "../flow/show-request.ts";
import type { World } from "../world/world.ts";
import {
  type Arguments,
  clientOptions,
  durationOption,
  mailboxOptions,
  protocolsOption,
  textOption,
} from "./options.ts";
import { readSettings } from "./read-settings.ts";

/** Options of `mxtoken show`. */
export const showOptions = {
  ...mailboxOptions,
  ...clientOptions,
  format: {
    type: "string",
    requiresArg: true,
    describe: `how to print it: ${tokenFormats.join(", ")} (default raw)`,
  },
  protocol: {
    type: "string",
    requiresArg: true,
    describe: "what it is for: imap (default), smtp or pop; tells the user name and the server",
  },
  "min-life": {
    type: "string",
    requiresArg: true,
    describe: "how long it must still be good for, like 90s, 5m (default) or 1h",
  },
  nocache: { type: "boolean", describe: "get a new one in any case, and do not store it" },
  "access-token-stdin": {
    type: "boolean",
    describe: "print a token from standard input in another form",
  },
  "refresh-token-stdin": {
    type: "boolean",
    describe: "take the refresh token from standard input instead of the stored one",
  },
} as const satisfies Record<string, Options>;

/** What is to be shown, and how. */
export interface ShowOrder {
  readonly request: ShowRequest;
  readonly format: TokenFormat;
  readonly protocol: Protocol;
}

const defaultMinLife = 300_000;

/** @throws MxtokenError `usage`, `configuration` */
export function readShowOrder(
  args: Arguments,
  world: World,
  warn: (text: string) => void,
): ShowOrder {
  const accessTokenFromInput = args["access-token-stdin"] === true;
  const refreshTokenFromInput = args["refresh-token-stdin"] === true;
  if (accessTokenFromInput && refreshTokenFromInput) {
    throw new MxtokenError(
      "configuration",
      "--access-token-stdin and --refresh-token-stdin contradict each other",
    );
  }
  const settings = readSettings(args, world, warn);
  const protocol = protocolOf(args, world);
  const named = protocolsOption(args, world, "access") ?? ["imap"];
  const access = [...new Set([...named, protocol])];
  return {
    format: formatOf(args, world),
    protocol,
    request: {
      // The program that asks is about to log in: that is the proof.
      settings: { ...settings, access, verify: [] },
      minLife: durationOption(args, world, "min-life") ?? defaultMinLife,
      nocache: args["nocache"] === true,
      accessTokenFromInput,
      refreshTokenFromInput,
      signInCommand: signInCommand(
        named.includes(protocol) ? args : { ...args, access: access.join(",") },
        world,
        settings.address,
      ),
    },
  };
}

function protocolOf(args: Arguments, world: World): Protocol {
  const [protocol = "imap", another] = protocolsOption(args, world, "protocol") ?? [];
  if (another === undefined) return protocol;
  throw new MxtokenError("usage", "--protocol takes one protocol: a token is shown for one login");
}

function formatOf(args: Arguments, world: World): TokenFormat {
  const isJson = args["json"] === true;
  const given = textOption(args, world, "format")?.trim().toLowerCase();
  if (given === undefined) return isJson ? "json" : "raw";
  const format = tokenFormats.find((name) => name === given);
  if (format === undefined) {
    throw new MxtokenError("usage", `--format: ${JSON.stringify(given)} is no format`, {
      hint: `known are ${tokenFormats.join(", ")}`,
    });
  }
  if (isJson && format !== "json") {
    throw new MxtokenError("configuration", `--json and --format ${format} contradict each other`);
  }
  return format;
}

/** Options by which the token that is missing is got; none of them is a secret. */
const ofSignIn = [
  ...["provider", "app", "tenant", "login", "flow", "access", "token-file", "home", "group"],
  ...["authorize-uri", "token-uri", "device-uri", "issuer", "redirect-uri", "scope", "client-id"],
  ...["client-secret-file", "client-secret-command", "client-certificate", "client-key"],
  ...["imap-server", "smtp-server", "pop-server", "ca-file", "dns-server"],
];

const paths: ReadonlySet<string> = new Set(["home", "token-file", "ca-file", "client-key"]);

/** By option or from the environment; a path as it is from everywhere. */
function givenValue(args: Arguments, world: World, name: string): string | undefined {
  const value = textOption(args, world, name);
  return value !== undefined && paths.has(name) ? resolve(world.cwd, value) : value;
}

/** The directory whose `tokens/` are used because they are here. */
function homeHere(world: World, address: Address): string | undefined {
  const directory = dirname(dirname(defaultTokenFile(world, { address, home: undefined })));
  return directory === world.dataDirectory ? undefined : directory;
}

/** The command line by which a person gets the token, with the same options. */
function signInCommand(args: Arguments, world: World, address: Address): string {
  const quote = world.platform === "win32" ? quoteForCmd : quoteForShell;
  const named = new Map(ofSignIn.map((name) => [name, givenValue(args, world, name)]));
  if (named.get("home") === undefined && named.get("token-file") === undefined) {
    // Whoever types the command may be somewhere else.
    named.set("home", homeHere(world, address));
  }
  const options = ofSignIn.flatMap((name) => {
    const value = named.get(name);
    if (value === undefined) return [];
    // What begins with a dash would be taken for an option.
    return [`--${name}${value.startsWith("-") ? "=" : " "}${quote(value)}`];
  });
  const flags = args["thunderbird"] === true ? ["--thunderbird"] : [];
  return ["mxtoken", quote(address.text), ...options, ...flags].join(" ");
}
