import { resolve } from "node:path";
import { providers } from "../catalog/providers.ts";
import { passwordOnlyProviders } from "../catalog/without-tokens.ts";
import { identifyProvider, requireOAuth } from "../discover/discover.ts";
import { MxtokenError } from "../errors.ts";
import { quoteForCmd, quoteForShell, signInCommand } from "../programs/commands-to-copy.ts";
import { signInPages } from "../report/page.ts";
import type { Given } from "../settings/given.ts";
import { dnsServerOf, resolveCommonSettings, resolveSettings } from "../settings/settings.ts";
import { listenerCertificate } from "../sign-in/certificate.ts";
import { certificateDirectory } from "../store/places.ts";
import { check } from "../tasks/check.ts";
import { type GetRequest, get } from "../tasks/get.ts";
import { revoke } from "../tasks/revoke.ts";
import { type RevokeResult, revokeAll } from "../tasks/revoke-all.ts";
import { show } from "../tasks/show.ts";
import type { Host } from "../world/world.ts";
import type { Command } from "./command-line.ts";
import { printedToken, readShowOrder } from "./show-token.ts";

// The commands that do one thing and end; `keep` and `run` have files of their own.

export const getCommand: Command = {
  name: "get",
  usage: "$0 [address]",
  about: "get a proven access token for a mailbox, or refresh it, and print its file's path",
  async run(world, given, report) {
    const settings = resolveSettings(given, (text) => report.warning(text));
    const request = {
      settings,
      signInCommand: () => signInCommand(given.args, world, settings.address),
      startover: given.flag("startover"),
      refreshTokenFromInput: given.flag("refresh-token-stdin"),
      ...signInSettings(given, world),
      mayAsk: true,
    };
    await report.obtained(await get(world, request, (event) => report.event(event)));
  },
};

export const showCommand: Command = {
  name: "show",
  usage: "show [address]",
  about: "print a valid access token, for a program; asks nobody anything",
  async run(world, given, report) {
    const order = readShowOrder(given, world, (text) => report.warning(text));
    const token = await show(world, order.request, (event) => report.detail(event));
    await report.shown(printedToken(world, token, order));
  },
};

export const checkCommand: Command = {
  name: "check",
  usage: "check [address]",
  about: "prove the stored access token by a real login; changes nothing",
  async run(world, given, report) {
    const request = {
      settings: resolveSettings(given, (text) => report.warning(text)),
      accessTokenFromInput: given.flag("access-token-stdin"),
    };
    await report.checked(await check(world, request, (event) => report.event(event)));
  },
};

const providerNames = [...providers, ...passwordOnlyProviders].map(({ name }) => name).join(", ");

export const providerCommand: Command = {
  name: "provider",
  usage: "provider [address]",
  argument: "mailbox, mail domain, or a provider's name",
  about: "say which provider an address has, by what evidence, and what is known of it",
  async run(world, given, report) {
    const text = given.onlyWord();
    if (text === undefined) {
      throw new MxtokenError("usage", "no address and no domain was given", {
        hint: `for example: mxtoken provider foo@example.com, or mxtoken provider example.com; or name one of ${providerNames}`,
      });
    }
    const resolver = dnsServerOf(given);
    const found = await identifyProvider(world, text, resolver, (event) => report.event(event));
    await report.provider(found);
    requireOAuth(found);
  },
};

export const certCommand: Command = {
  name: "cert",
  usage: "cert",
  about: "show the listener's certificate and how to make a browser trust it",
  async run(world, given, report) {
    const [unexpected] = given.words;
    if (unexpected !== undefined) {
      throw new MxtokenError("usage", `cert takes no ${JSON.stringify(unexpected)}`);
    }
    const directory = certificateDirectory(world, given.text("home"));
    await report.certificate(await listenerCertificate(world, directory, given.flag("renew")));
  },
};

export const revokeCommand: Command = {
  name: "revoke",
  usage: "revoke [address]",
  about: "revoke the token at the provider where that can be done, then remove its file",
  async run(world, given, report) {
    const warn = (text: string) => report.warning(text);
    const isLocalOnly = given.flag("local-only");
    const tell: Parameters<typeof revoke>[2] = (event) => report.event(event);
    if (!given.flag("all")) {
      const settings = resolveSettings(given, warn);
      await report.revoked([await revoke(world, { settings, isLocalOnly }, tell)]);
      return;
    }
    if (given.onlyWord() !== undefined || given.isOption("token-file")) {
      throw new MxtokenError("usage", "--all takes no address and no --token-file");
    }
    const settings = resolveCommonSettings(given, warn);
    const results = await revokeAll(world, settings, isLocalOnly, tell);
    const revoked = results.flatMap((each) => (each.is === "revoked" ? [each.revoked] : []));
    const failures = failuresOf(results);
    if (failures !== undefined) report.beside({ revoked, failed: failedOf(results) });
    if (failures !== undefined) throw failures;
    await report.revoked(revoked);
  },
};

function failedOf(results: readonly RevokeResult[]) {
  return results.flatMap((result) => {
    if (result.is !== "failed") return [];
    const { tokenFile, error } = result;
    const { code, message, hint } = error;
    return [{ tokenFile, code, message, hint }];
  });
}

/** What can be tried again counts most. */
function failuresOf(results: readonly RevokeResult[]): MxtokenError | undefined {
  const errors = results.flatMap((result) => (result.is === "failed" ? [result.error] : []));
  const worst = errors.find(({ code }) => code === "unreachable") ?? errors[0];
  if (worst === undefined) return undefined;
  return new MxtokenError(
    worst.code,
    `${errors.length} of ${results.length} accounts could not be revoked; their files are kept`,
    { cause: worst, hint: worst.hint },
  );
}

/**
 * How a person signs in, for the commands that may let one do so.
 *
 * @throws MxtokenError `usage`, `configuration`
 */
export function signInSettings(
  given: Given,
  world: Host,
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
function certificateCommand(given: Given, world: Host): string {
  const home = given.text("home");
  if (home === undefined) return "mxtoken cert";
  const quote = world.platform === "win32" ? quoteForCmd : quoteForShell;
  return `mxtoken cert --home ${quote(resolve(world.cwd, home))}`;
}

function schemeOf(given: Given): "http" | "https" | undefined {
  if (given.flag("local")) return "http";
  return given.flag("localssl") ? "https" : undefined;
}
