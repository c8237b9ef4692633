import { resolveMailbox } from "../account/mailbox.ts";
import { peekStored } from "../account/peek.ts";
import { providerByName } from "../catalog/providers.ts";
import { MxtokenError } from "../errors.ts";
import { fresh, type ShownToken } from "../life/fresh.ts";
import type { Protocol } from "../mail-server.ts";
import { signInCommand } from "../programs/commands-to-copy.ts";
import { formatToken, type TokenFormat } from "../programs/token-formats.ts";
import type { Given } from "../settings/given.ts";
import { resolveSettings } from "../settings/settings.ts";
import type { ShowRequest } from "../tasks/show.ts";
import type { Host, World } from "../world/world.ts";
import { atDoubleDash, readPlain } from "./plain-command-line.ts";

// What `mxtoken show` prints, and from where. Nothing here leads to the network, to yargs or to a
// person: this is all that is loaded where a stored token is still good.

/** What is to be shown, and how. */
interface ShowOrder {
  readonly request: ShowRequest;
  readonly format: TokenFormat;
  readonly protocol: Protocol;
}

const defaultMinLife = 300_000;

/** @throws MxtokenError `usage`, `configuration` */
export function readShowOrder(given: Given, world: Host, warn: (text: string) => void): ShowOrder {
  const accessTokenFromInput = given.flag("access-token-stdin");
  const refreshTokenFromInput = given.flag("refresh-token-stdin");
  if (accessTokenFromInput && refreshTokenFromInput) {
    throw new MxtokenError(
      "configuration",
      "--access-token-stdin and --refresh-token-stdin contradict each other",
    );
  }
  const settings = resolveSettings(given, warn);
  const protocol = protocolOf(given);
  const named = given.protocols("access") ?? ["imap"];
  const access = [...new Set([...named, protocol])];
  const { args } = given;
  return {
    format: formatOf(given),
    protocol,
    request: {
      // The program that asks is about to log in: that is the proof.
      settings: { ...settings, access, verify: [] },
      minLife: given.duration("min-life") ?? defaultMinLife,
      nocache: given.flag("nocache"),
      accessTokenFromInput,
      refreshTokenFromInput,
      // Most of the time nobody has to sign in.
      get signInCommand() {
        const used = named.includes(protocol) ? args : { ...args, access: access.join(",") };
        return signInCommand(used, world, settings.address);
      },
    },
  };
}

function protocolOf(given: Given): Protocol {
  const [protocol = "imap", another] = given.protocols("protocol") ?? [];
  if (another === undefined) return protocol;
  throw new MxtokenError("usage", "--protocol takes one protocol: a token is shown for one login");
}

function formatOf(given: Given): TokenFormat {
  const isJson = given.flag("json");
  const format = given.word("format") ?? (isJson ? "json" : "raw");
  if (!isJson || format === "json") return format;
  throw new MxtokenError("configuration", `--json and --format ${format} contradict each other`);
}

/**
 * A token in the form that was asked for, for standard output.
 *
 * @throws MxtokenError `configuration` where the form needs more than is known
 */
export function printedToken(world: Host, token: ShownToken, order: ShowOrder): string {
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

/**
 * `mxtoken show` for a fresh token, without the parser of command lines and all that it leads to:
 * mail programs run it for every login. Whatever is not plain (an error, a warning, words that yargs
 * may read in a way of its own) is left to the command itself, which comes to the same result.
 *
 * @param argv the command line
 * @returns what to print; undefined where the command itself has to see to it
 */
export async function showQuickly(
  argv: readonly string[],
  world: World,
): Promise<string | undefined> {
  try {
    const plain = readPlain(atDoubleDash(argv), world.env);
    if (plain?.name !== "show" || plain.given.flag("verbose")) return undefined;
    const order = readShowOrder(plain.given, world, notPlain);
    const { accessTokenFromInput, refreshTokenFromInput, nocache } = order.request;
    if (accessTokenFromInput || refreshTokenFromInput || nocache) return undefined;
    const stored = await peekStored(world, order.request.settings, () => undefined);
    const token = fresh(world, order.request, stored);
    // What it lacks, the command itself has to say.
    if (token === undefined || token.missingScopes.length > 0) return undefined;
    return printedToken(world, token, order);
  } catch (error) {
    if (error instanceof MxtokenError) return undefined;
    throw error;
  }
}

/** What is wrong, and a warning, is for the command itself to tell. */
function notPlain(text: string): never {
  throw new MxtokenError("usage", text);
}
