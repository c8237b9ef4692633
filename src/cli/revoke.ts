import { MxtokenError } from "../errors.ts";
import { clientOptions, mailboxOptions, onlyArgument } from "../settings/options.ts";
import { readSettings, readSettingsOfMany } from "../settings/read-settings.ts";
import { revoke } from "../tasks/revoke.ts";
import { type RevokeResult, revokeAll } from "../tasks/revoke-all.ts";
import type { Command } from "./command.ts";

export const revokeCommand: Command = {
  usage: "revoke [address]",
  words: 1,
  about: "revoke the token at the provider where that can be done, then remove its file",
  options: {
    ...mailboxOptions,
    ...clientOptions,
    "local-only": { type: "boolean", describe: "only remove the file; ask nobody" },
    all: { type: "boolean", describe: "every account here; with --provider, those of that one" },
  },
  async run(world, args, report) {
    const warn = (text: string) => report.warning(text);
    const isLocalOnly = args["local-only"] === true;
    const tell: Parameters<typeof revoke>[2] = (event) => report.event(event);
    if (args["all"] !== true) {
      const settings = readSettings(args, world, warn);
      await report.revoked([await revoke(world, { settings, isLocalOnly }, tell)]);
      return;
    }
    if (onlyArgument(args) !== undefined || args["token-file"] !== undefined) {
      throw new MxtokenError("usage", "--all takes no address and no --token-file");
    }
    const settings = readSettingsOfMany(args, world, warn);
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
