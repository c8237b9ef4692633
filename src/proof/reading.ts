import type { Protocol } from "../mail-server.ts";
import { type Grammar, grammars, type Refusal } from "./grammars.ts";
import { decodeChallenge } from "./sasl.ts";
import type { Heard, Line } from "./transcript.ts";

/** How far a conversation had come: what the client asked for last. */
export type Stage = "greeting" | "starttls" | "login" | "mailbox";

/** A conversation in the terms that all three protocols have. What is shown of it is fit for that. */
export interface Reading {
  /** what the server said first; undefined where it said nothing */
  readonly greeting:
    | { readonly is: "welcome" }
    | { readonly is: "refusal" | "foreign"; readonly said: string }
    | undefined;
  readonly stage: Stage;
  /** the last word on what was asked last, where it is no yes */
  readonly refusal: Refusal | undefined;
  /** what the error challenge of the login says, empty where none came */
  readonly challenge: string;
  /** why the server ends the connection, in its words; else what it said beside its answers */
  readonly goodbye: string | undefined;
  /** what a person must be shown, whatever else is said */
  readonly alerts: readonly string[];
}

/** The commands whose answer counts; of others nobody minds a no. */
const stages: ReadonlyMap<string, Stage> = new Map([
  ...["CAPABILITY", "EHLO", "HELO"].map((name) => [name, "greeting"] as const),
  ...["STARTTLS", "STLS"].map((name) => [name, "starttls"] as const),
  ...["AUTH", "AUTHENTICATE"].map((name) => [name, "login"] as const),
  ...["LIST", "EXAMINE", "STAT"].map((name) => [name, "mailbox"] as const),
]);

/** Reads a conversation. */
export function read({ protocol, lines, say }: Pick<Heard, "protocol" | "lines" | "say">): Reading {
  const grammar = grammars[protocol];
  let stage: Stage = "greeting";
  let asked = { line: "", name: "" };
  let refusal: (Refusal & { readonly name: string }) | undefined;
  let challenge = "";
  let goodbye: string | undefined;
  const alerts: string[] = [];
  for (const { by, text } of lines) {
    if (by === "client") {
      const [, name] = grammar.command.exec(text) ?? [];
      if (name === undefined) continue;
      asked = { line: text, name };
      const next = stages.get(name);
      if (next === undefined) continue;
      // What is asked on the way to an error, as imapflow does, does not undo it.
      if (next !== stage || refusal?.name === name) refusal = undefined;
      if (stage !== "mailbox") stage = next;
      continue;
    }
    const reply = grammar.reply(text, { asked: asked.line, challenge });
    const isCounted = stages.has(asked.name);
    if (reply.is === "yes" && asked.name.startsWith("AUTH")) stage = "mailbox";
    // What was said before TLS may be anybody's.
    if (reply.is === "yes" && stage === "starttls") alerts.splice(0);
    if (reply.is === "no" && isCounted) {
      refusal = { ...reply, said: say(reply.said), name: asked.name };
    }
    if (reply.is === "challenge" && stage === "login") {
      challenge ||= say(decodeChallenge(reply.base64));
    }
    if (reply.is === "goodbye") goodbye = say(reply.said);
    if (reply.is === "warning") goodbye ??= say(reply.said);
    alerts.push(...alertsIn(text, protocol).map(say));
  }
  const greeting = greetingIn(lines, grammar, say);
  return { greeting, stage, refusal, challenge, goodbye, alerts: [...new Set(alerts)] };
}

function greetingIn(
  lines: readonly Line[],
  grammar: Grammar,
  say: Heard["say"],
): Reading["greeting"] {
  const text = lines.find(({ by }) => by === "server")?.text;
  if (text === undefined) return undefined;
  if (grammar.welcome.test(text)) return { is: "welcome" };
  if (!grammar.unwelcome.test(text)) return { is: "foreign", said: say(text) };
  const reply = grammar.reply(text, { asked: "", challenge: "" });
  return { is: "refusal", said: say("said" in reply ? reply.said : text) };
}

/** RFC 9051 section 7.1: an alert MUST be presented; Gmail's web alert has an address to open. */
function alertsIn(line: string, protocol: Protocol): string[] {
  if (protocol !== "imap") return [];
  const alert = /^\S+ (?:OK|NO|BAD|BYE|PREAUTH) \[(?:ALERT|WEBALERT)\b ?([^\]]*)\] ?(.*)$/i;
  const [, address = "", words = ""] = alert.exec(line) ?? [];
  const text = [words, address].filter(Boolean).join(" ");
  return text === "" ? [] : [text];
}
