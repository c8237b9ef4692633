import { type Outcome, statusIn } from "./sasl.ts";
import type { ServerAnswer } from "./server-words.ts";
import { unreachable, type Verdict, verdictOn } from "./verdict.ts";

/** How far the proof had come. */
export type PopStage = "greeting" | "login" | "maildrop";

/**
 * Response codes of RFC 2449 and RFC 3206. SYS/PERM is not among them: it says no more than that a
 * person is needed, and Gmail uses it for accounts that have POP switched off.
 */
const codes: readonly [pattern: RegExp, says: ServerAnswer["code"]][] = [
  [/^\[AUTH\b/i, "refusal"],
  [/^\[(?:SYS\/TEMP|IN-USE|LOGIN-DELAY)\b/i, "trouble"],
];

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
  const text = reply.replace(/^-ERR\b\s*/i, "");
  const said = say(`${text}${challenge && ` (${challenge})`}`);
  const facts = { protocol: "pop", host: where, said } as const;
  if (!/^-ERR\b/i.test(reply)) {
    return unreachable(`${where} does not speak POP3: ${said}`, facts);
  }
  if (stage === "greeting") {
    return unreachable(`${where} hung up: ${said || "no reason given"}`, facts);
  }
  const code = codes.find(([pattern]) => pattern.test(text))?.[1];
  return verdictOn(
    { words: text, status: statusIn(challenge), code },
    { facts, isLoggedIn: stage === "maildrop", refusal: "pop-login-refused" },
  );
}
