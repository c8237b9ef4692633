import { resolveMailbox } from "../account/mailbox.ts";
import { providerByName } from "../catalog/providers.ts";
import type { ShownToken } from "../life/fresh.ts";
import { formatToken } from "../programs/token-formats.ts";
import type { World } from "../world/world.ts";
import type { ShowOrder } from "./show-options.ts";

/**
 * A token in the form that was asked for, for standard output.
 *
 * @throws MxtokenError `configuration` where the form needs more than is known
 */
export function printedToken(world: World, token: ShownToken, order: ShowOrder): string {
  const { format, protocol, request } = order;
  const { account, login, provider } = token;
  // SMTP logs in as the person, where the mailbox is somebody else's.
  const user = protocol === "smtp" ? login : account;
  const row = provider === undefined ? undefined : providerByName(provider);
  const server =
    format === "oauthbearer"
      ? resolveMailbox(request.settings, row, {}, world.cwd)[protocol]
      : undefined;
  return `${formatToken({ ...token, user, server }, format)}\n`;
}
