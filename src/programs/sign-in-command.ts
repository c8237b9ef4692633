import { dirname, resolve } from "node:path";
import type { Address } from "../address.ts";
import { type Arguments, textOption } from "../settings/options.ts";
import { defaultTokenFile } from "../store/places.ts";
import type { World } from "../world/world.ts";
import { quoteForCmd, quoteForShell } from "./quote.ts";

/** Options by which the token that is missing is got; none of them is a secret. */
const ofSignIn = [
  ...["provider", "app", "tenant", "login", "flow", "access", "token-file", "home", "group"],
  ...["authorize-uri", "token-uri", "device-uri", "issuer", "redirect-uri", "scope", "client-id"],
  ...["client-secret-file", "client-secret-command", "client-certificate", "client-key"],
  ...["service-account-key"],
  ...["imap-server", "smtp-server", "pop-server", "ca-file", "dns-server"],
];

const paths: ReadonlySet<string> = new Set([
  ...["home", "token-file", "ca-file", "client-secret-file", "client-certificate", "client-key"],
  ...["service-account-key"],
]);

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
export function signInCommand(args: Arguments, world: World, address: Address): string {
  return ["mxtoken", ...sameMailbox(args, world, address)].join(" ");
}

/** Address and options, quoted, that lead to the same mailbox and token file from everywhere. */
export function sameMailbox(args: Arguments, world: World, address: Address): string[] {
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
  return [quote(address.text), ...options, ...flags];
}
