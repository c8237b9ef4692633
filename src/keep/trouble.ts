import { MxtokenError, signInHint } from "../errors.ts";
import type { Trouble } from "./events.ts";

/** What a person has to see to. */
export const refusals: ReadonlySet<string> = new Set([
  "signInNeeded",
  "applicationRefused",
  "mailboxRefused",
  "wrongAccount",
]);

/** Those that a login has shown. */
export const refusalsOfMailServer: ReadonlySet<string> = new Set([
  "mailboxRefused",
  "wrongAccount",
]);

/** What a login may come to. */
export const ofLogin: ReadonlySet<string> = new Set([...refusalsOfMailServer, "unreachable"]);

/**
 * Failures that pass: nobody was there, or the answer was a captive portal's, or the disk is full. A
 * defect of ours may be one too, and must not end the others.
 */
export const passing: ReadonlySet<string> = new Set([
  "unreachable",
  "notUnderstood",
  "unwritable",
  "defect",
]);

/**
 * What can be told of a failure.
 *
 * @param signInCommand the command by which a person signs in, where the error names none
 */
export function troubleOf(error: unknown, signInCommand: () => string): Trouble {
  if (!(error instanceof MxtokenError)) {
    const name = error instanceof Error ? error.name : typeof error;
    // The message of an unexpected error may quote anything, also a secret.
    const reason = `this is a defect of mxtoken (${name})`;
    const hint = "please report it, with what --verbose prints";
    return { code: "defect", reason, kind: `defect ${name}`, hint, commands: [] };
  }
  const { code, message: reason, hint, commands } = error;
  const trouble = { code, reason, kind: kindOf(error) };
  if (code !== "signInNeeded" || commands.length > 0) return { ...trouble, hint, commands };
  return { ...trouble, hint: signInHint, commands: [signInCommand()] };
}

/** What a server has said, or how it failed, tells more than what we make of it. */
function kindOf({ code, message, facts }: MxtokenError): string {
  const said = facts.said?.replace(/[\da-f-]*\d[\da-f-]*/gi, "0") ?? facts.code;
  return said === undefined ? `${code} ${message}` : `${code} ${facts.host ?? facts.path} ${said}`;
}
