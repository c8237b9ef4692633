import { signInCommand } from "../programs/sign-in-command.ts";
import { clientOptions, mailboxOptions, numberOption, verifyOption } from "../settings/options.ts";
import { readSettings } from "../settings/read-settings.ts";
import { get } from "../tasks/get.ts";
import { browserOptions, readBrowserSettings } from "./browser-options.ts";
import type { Command } from "./command.ts";

export const getCommand: Command = {
  usage: "$0 [address]",
  words: 0,
  about: "get a proven access token for a mailbox, or refresh it, and print its file's path",
  options: {
    ...mailboxOptions,
    ...verifyOption,
    ...clientOptions,
    startover: { type: "boolean", describe: "ignore the stored tokens and sign in anew" },
    "refresh-token-stdin": {
      type: "boolean",
      describe: "take the refresh token from standard input instead of the stored one",
    },
    ...browserOptions,
  },
  async run(world, args, report) {
    const settings = readSettings(args, world, (text) => report.warning(text));
    const request = {
      settings,
      signInCommand: () => signInCommand(args, world, settings.address),
      startover: args["startover"] === true,
      refreshTokenFromInput: args["refresh-token-stdin"] === true,
      browser: readBrowserSettings(args, world),
      qr: args["qr"] === true ? true : undefined,
      timeout: numberOption(args, world, "timeout"),
      mayAsk: true,
    };
    await report.obtained(await get(world, request, (event) => report.event(event)));
  },
};
