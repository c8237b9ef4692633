import { show } from "../tasks/show.ts";
import type { Command } from "./command.ts";
import { printedToken } from "./print-token.ts";
import { readShowOrder, showOptions } from "./show-options.ts";

export const showCommand: Command = {
  usage: "show [address]",
  words: 1,
  about: "print a valid access token, for a program; asks nobody anything",
  options: showOptions,
  async run(world, args, report) {
    const order = readShowOrder(args, world, (text) => report.warning(text));
    const token = await show(world, order.request, (event) => report.detail(event));
    await report.shown(printedToken(world, token, order));
  },
};
