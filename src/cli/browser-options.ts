import { resolve } from "node:path";
import type { Options } from "yargs";
import { MxtokenError } from "../errors.ts";
import { quoteForCmd, quoteForShell } from "../programs/quote.ts";
import { signInPages } from "../report/page.ts";
import { type Arguments, numberOption, textOption } from "../settings/options.ts";
import type { BrowserSettings } from "../sign-in/request.ts";
import { certificateDirectory } from "../store/certificate-directory.ts";
import type { World } from "../world/world.ts";

/** Options of the commands that may let a person sign in. */
export const browserOptions = {
  remotebrowser: {
    type: "boolean",
    describe:
      "no browser on this machine: paste the address or the code; with --port, or by a tunnel",
  },
  "no-browser": {
    type: "boolean",
    describe: "open no browser; the sign-in still comes back by itself, or by paste",
  },
  port: {
    type: "string",
    requiresArg: true,
    describe: "port of the listener that the sign-in comes back to (default: any free one)",
  },
  local: { type: "boolean", describe: "come back by http, whatever the redirect URI says" },
  localssl: { type: "boolean", describe: "come back by https, whatever the redirect URI says" },
  "select-account": {
    type: "boolean",
    describe: "let the provider ask which account, whoever is signed in there",
  },
  qr: {
    type: "boolean",
    describe: "with --flow device: show a QR code, however narrow it is here",
  },
  timeout: {
    type: "string",
    requiresArg: true,
    describe: "seconds to sign in (default 300; with --flow device as long as codes are given)",
  },
} as const satisfies Record<string, Options>;

const largestPort = 65_535;

/** @throws MxtokenError `usage`, `configuration` */
export function readBrowserSettings(args: Arguments, world: World): BrowserSettings {
  if (args["local"] === true && args["localssl"] === true) {
    throw new MxtokenError("configuration", "--local and --localssl contradict each other");
  }
  const isRemote = args["remotebrowser"] === true;
  const port = numberOption(args, world, "port", largestPort);
  const isPortGiven = args["port"] !== undefined;
  return {
    open: !isRemote && args["no-browser"] !== true,
    isRemote,
    listener: {
      port: isPortGiven ? port : undefined,
      usualPort: isPortGiven ? undefined : port,
      scheme: schemeOf(args),
    },
    certificateDirectory: certificateDirectory(world, textOption(args, world, "home")),
    certificateCommand: certificateCommand(args, world),
    pages: signInPages,
  };
}

/** Without the same `--home` it would show another certificate, or make one. */
function certificateCommand(args: Arguments, world: World): string {
  const home = textOption(args, world, "home");
  if (home === undefined) return "mxtoken cert";
  const quote = world.platform === "win32" ? quoteForCmd : quoteForShell;
  return `mxtoken cert --home ${quote(resolve(world.cwd, home))}`;
}

function schemeOf(args: Arguments): "http" | "https" | undefined {
  if (args["local"] === true) return "http";
  return args["localssl"] === true ? "https" : undefined;
}
