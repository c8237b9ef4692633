import type { Outcome } from "./exchange.ts";
import { suggestedBackoff, troubleWords, type Verdict } from "./verdict.ts";

/** How far the proof had come. */
export type PopStage = "greeting" | "login" | "maildrop";

/** Response codes of RFC 2449 and RFC 3206 that are no word about the token. */
const serverTrouble = /^-ERR \[(?:SYS\/TEMP|SYS\/PERM|IN-USE|LOGIN-DELAY)\b/i;

/** The response code of RFC 3206 that leaves no doubt, whatever the words beside it say. */
const refusal = /^-ERR \[AUTH\b/i;

/**
 * Tells a refusal of the token from a server that could not decide, from its last reply.
 *
 * @param where `host:port`
 * @param say makes the server's words fit to be shown
 */
export function judgePopReply(
  { reply, challenge }: Outcome,
  stage: PopStage,
  where: string,
  say: (words: string) => string,
): Verdict {
  const words = say(`${reply.replace(/^-ERR\b/i, "")}${challenge && ` (${challenge})`}`);
  if (!/^-ERR\b/i.test(reply)) {
    return { result: "unreachable", reason: `${where} does not speak POP3: ${words}` };
  }
  if (stage === "greeting") {
    return { result: "unreachable", reason: `${where} hung up: ${words || "no reason given"}` };
  }
  if (serverTrouble.test(reply) || (!refusal.test(reply) && troubleWords.test(reply))) {
    const retryAfter = suggestedBackoff(reply);
    return { result: "unreachable", reason: `${where} could not answer now: ${words}`, retryAfter };
  }
  const what = stage === "login" ? "refused the token" : "accepted the token but not the mailbox";
  return {
    result: "refused",
    reason: `${where} ${what}: ${words || "no reason given"}`,
    hint: "did another account sign in than this mailbox's (a private browser window helps), is POP switched on for the mailbox, and was access by POP asked for (--access pop)?",
  };
}
