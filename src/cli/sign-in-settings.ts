import { resolve } from "node:path";
import { MxtokenError } from "../errors.ts";
import { quoteForCmd, quoteForShell } from "../programs/quote.ts";
import { signInPages } from "../report/page.ts";
import type { Given } from "../settings/given.ts";
import { certificateDirectory } from "../store/places.ts";
import type { GetRequest } from "../tasks/get.ts";
import type { World } from "../world/world.ts";

/**
 * How a person signs in, for the commands that may let one do so.
 *
 * @throws MxtokenError `usage`, `configuration`
 */
export function signInSettings(
  given: Given,
  world: World,
): Pick<GetRequest, "browser" | "qr" | "timeout"> {
  if (given.flag("local") && given.flag("localssl")) {
    throw new MxtokenError("configuration", "--local and --localssl contradict each other");
  }
  const isRemote = given.flag("remotebrowser");
  const port = given.number("port");
  const isPortGiven = given.isOption("port");
  return {
    browser: {
      open: !isRemote && !given.flag("no-browser"),
      isRemote,
      listener: {
        port: isPortGiven ? port : undefined,
        usualPort: isPortGiven ? undefined : port,
        scheme: schemeOf(given),
      },
      certificateDirectory: certificateDirectory(world, given.text("home")),
      certificateCommand: certificateCommand(given, world),
      pages: signInPages,
    },
    qr: given.flag("qr") ? true : undefined,
    timeout: given.number("timeout"),
  };
}

/** Without the same `--home` it would show another certificate, or make one. */
function certificateCommand(given: Given, world: World): string {
  const home = given.text("home");
  if (home === undefined) return "mxtoken cert";
  const quote = world.platform === "win32" ? quoteForCmd : quoteForShell;
  return `mxtoken cert --home ${quote(resolve(world.cwd, home))}`;
}

function schemeOf(given: Given): "http" | "https" | undefined {
  if (given.flag("local")) return "http";
  return given.flag("localssl") ? "https" : undefined;
}
