import { MxtokenError } from "../errors.ts";
import type { Accepted, Finding } from "../verify/finding.ts";

/**
 * Goes on only with an accepted token.
 *
 * @param consequence what became of the token file, for the error
 * @throws MxtokenError `mailboxRefused` or `unreachable`
 */
export function requireAccepted(
  finding: Finding,
  consequence: { refused: string; unreachable: string },
): Accepted {
  if (finding.result === "accepted") return finding;
  const code = finding.result === "refused" ? "mailboxRefused" : "unreachable";
  throw new MxtokenError(code, `${finding.reason}; ${consequence[finding.result]}`, {
    hint: finding.hint,
  });
}
