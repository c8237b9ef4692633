import type { Options } from "yargs";
import { MxtokenError } from "../errors.ts";
import type { Protocol } from "../mail-server.ts";
import { signInCommand } from "../programs/sign-in-command.ts";
import { type TokenFormat, tokenFormats } from "../programs/token-formats.ts";
import {
  type Arguments,
  clientOptions,
  durationOption,
  mailboxOptions,
  protocolsOption,
  textOption,
} from "../settings/options.ts";
import { readSettings } from "../settings/read-settings.ts";
import type { ShowRequest } from "../tasks/show.ts";
import type { World } from "../world/world.ts";

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
