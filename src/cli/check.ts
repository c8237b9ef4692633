import { clientOptions, mailboxOptions, verifyOption } from "../settings/options.ts";
import { readSettings } from "../settings/read-settings.ts";
import { check } from "../tasks/check.ts";
import type { Command } from "./command.ts";

export const checkCommand: Command = {
  usage: "check [address]",
  words: 1,
  about: "prove the stored access token by a real login; changes nothing",
  options: {
    ...mailboxOptions,
    ...verifyOption,
    ...clientOptions,
    "access-token-stdin": {
      type: "boolean",
      describe: "prove a token from standard input instead of the stored one",
    },
  },
  async run(world, args, report) {
    const request = {
      settings: readSettings(args, world, (text) => report.warning(text)),
      accessTokenFromInput: args["access-token-stdin"] === true,
    };
    await report.checked(await check(world, request, (event) => report.event(event)));
  },
};
