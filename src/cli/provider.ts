import { providers } from "../catalog/providers.ts";
import { passwordOnlyProviders } from "../catalog/without-oauth.ts";
import { identifyProvider, requireOAuth } from "../discover/discover.ts";
import { MxtokenError } from "../errors.ts";
import { dnsOption, dnsServerOption, onlyArgument, reportOptions } from "../settings/options.ts";
import type { Command } from "./command.ts";

const names = [...providers, ...passwordOnlyProviders].map(({ name }) => name).join(", ");

export const providerCommand: Command = {
  usage: "provider [address]",
  argument: "mailbox, mail domain, or a provider's name",
  words: 1,
  about: "say which provider an address has, by what evidence, and what is known of it",
  options: { ...dnsOption, ...reportOptions },
  async run(world, args, report) {
    const text = onlyArgument(args);
    if (text === undefined) {
      throw new MxtokenError("usage", "no address and no domain was given", {
        hint: `for example: mxtoken provider foo@example.com, or mxtoken provider example.com; or name one of ${names}`,
      });
    }
    const resolver = dnsServerOption(args, world);
    const found = await identifyProvider(world, text, resolver, (event) => report.event(event));
    await report.provider(found);
    requireOAuth(found);
  },
};
