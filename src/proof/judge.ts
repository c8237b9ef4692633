import { explained, fitting } from "../causes/diagnose.ts";
import { mailServerRows } from "../causes/mail-server-rows.ts";
import { MxtokenError } from "../errors.ts";
import type { Protocol } from "../mail-server.ts";
import { systemCode } from "../system-error.ts";
import { type Reading, read, type Stage } from "./reading.ts";
import { statusIn } from "./sasl.ts";
import { suggestedBackoff } from "./server-words.ts";
import type { Heard } from "./transcript.ts";
import { noStartTls, unreachable, type Verdict, verdictOf, verdictOn } from "./verdict.ts";

/** As users know a protocol. */
export const protocolNames: Readonly<Record<Protocol, string>> = {
  imap: "IMAP",
  pop: "POP3",
  smtp: "SMTP",
};

/** How other servers begin. */
const otherProtocols: readonly [greeting: RegExp, name: string][] = [
  [/^220\b.*ftp/i, "FTP"],
  [/^220\b/, "SMTP"],
  [/^\+OK\b/i, "POP3"],
  [/^\* (?:OK|PREAUTH|BYE)\b/i, "IMAP"],
  [/^"IMPLEMENTATION"/i, "ManageSieve"],
  [/^20[01]\b/, "NNTP"],
  [/^SSH-/, "SSH"],
  [/^(?:HTTP\/\d|<!doctype html|<html)/i, "HTTP"],
];

const nothingOffered = "no-token-taken-here";

/** Characters; tokens that servers are known to be tested with are shorter. */
const longToken = 2000;

/** Ends a login whose server has answered something else than yes; the transcript has what. */
export class Answered extends Error {}

/**
 * Tells from what was heard of a login that did not come to its end whether the server refused the
 * token. A hang-up is no refusal, whatever is said with it: the server may take the same token later.
 *
 * @param error why the conversation ended
 * @throws a defect of ours, as it is
 */
export function judge(heard: Heard, error: unknown): Verdict {
  const reading = read(heard);
  const verdict = judgeReading(heard, reading, error);
  const shown = reading.refusal?.said ?? reading.goodbye ?? "";
  const alerts = reading.alerts.filter(
    (text) => !text.split(" ").every((word) => shown.includes(word)),
  );
  if (alerts.length === 0) return verdict;
  return { ...verdict, reason: `${verdict.reason}; the server's alert: ${alerts.join("; ")}` };
}

function judgeReading(heard: Heard, reading: Reading, error: unknown): Verdict {
  const failure = error instanceof Answered ? undefined : verdictOf(error, heard.where);
  const { greeting, stage, refusal, goodbye } = reading;
  // A server that offers nothing because it is in trouble has said nothing about the token.
  const isTroubled = stage === "greeting" && (refusal ?? goodbye) !== undefined;
  const isOwn = error instanceof MxtokenError && !(isTroubled && error.causeId === nothingOffered);
  if (failure !== undefined && (isOwn || greeting === undefined)) return failure;
  if (greeting?.is === "foreign") return foreign(heard, greeting.said);
  if (greeting?.is === "refusal") return hungUp(heard, reading, greeting.said);
  if (refusal !== undefined && stage === "starttls") return noStartTls(heard, refusal.said);
  if (refusal !== undefined && stage === "greeting") {
    const words = `${heard.where} could not answer now: ${refusal.said || "no reason given"}`;
    return unreachable(words, factsOf(heard, refusal.said));
  }
  if (refusal !== undefined) return onRefusal(heard, reading);
  if (isTroubled) return hungUp(heard, reading, goodbye);
  const isBroken = ["ECONNRESET", "EPIPE"].includes(systemCode(error) ?? "");
  if (goodbye !== undefined || isBroken) return hungUp(heard, reading, goodbye);
  if (failure !== undefined) return failure;
  const last = heard.say(heard.lines.findLast(({ by }) => by === "server")?.text ?? "");
  const words = `${heard.where} does not speak ${protocolNames[heard.protocol]}: ${last}`;
  return unreachable(words, factsOf(heard, last));
}

/** The verdict on a login that would not end. */
export function tooLate(heard: Heard, seconds: number): Verdict {
  const { goodbye } = read(heard);
  const words = `${heard.where} did not finish within ${seconds} seconds`;
  const said = goodbye === undefined ? "" : `; it said: ${goodbye}`;
  return unreachable(`${words}${said}`, { host: heard.where });
}

function onRefusal(heard: Heard, { stage, refusal, challenge }: Reading): Verdict {
  const { words = "", said = "", code } = refusal ?? {};
  const facts = factsOf(heard, `${said}${challenge && ` (${challenge})`}`.trim());
  const answer = { words, status: statusIn(challenge), code };
  const verdict = verdictOn(answer, { facts, isLoggedIn: stage === "mailbox" });
  // A server that cuts a line off sees another line than was sent: it says that it knows no such command.
  const isCutOff = stage === "login" && verdict.hint === undefined && isLong(heard);
  if (!isCutOff || verdict.result === "refused") return verdict;
  const { causeId, hint } = explained("token-too-long", facts);
  return { ...verdict, causeId, hint };
}

const when: Readonly<Record<Stage, string>> = {
  greeting: "",
  starttls: " when TLS was to begin",
  login: " during the login",
  mailbox: " after the login",
};

function hungUp(heard: Heard, { stage, challenge }: Reading, goodbye: string | undefined): Verdict {
  const said = goodbye === "" ? "no reason given" : goodbye;
  const words = said ?? (challenge || undefined);
  const facts = factsOf(heard, words);
  const reason = `${heard.where} hung up${when[stage]}${words === undefined ? " without a word" : `: ${words}`}`;
  const isWithoutWords = stage === "login" && words === undefined && isLong(heard);
  const fallback = isWithoutWords ? "token-too-long" : "mail-server-hung-up";
  // A refusal's row would say more than a hang-up does.
  const known = fitting(mailServerRows, facts)[0]?.id ?? fallback;
  const { causeId, hint } = explained(known, facts);
  const retryAfter = suggestedBackoff(words ?? "");
  return { ...unreachable(reason, facts), causeId, hint, retryAfter };
}

function foreign(heard: Heard, said: string): Verdict {
  const [, name] = otherProtocols.find(([greeting]) => greeting.test(said)) ?? [];
  const but = name === undefined ? "" : ` but ${name}`;
  const facts = factsOf(heard, said);
  const reason = `${heard.where} does not speak ${protocolNames[heard.protocol]}${but}: ${said}`;
  const { causeId, hint } = explained("another-protocol", facts);
  return { ...unreachable(reason, facts), causeId, hint };
}

function isLong({ tokenLength }: Heard): boolean {
  return tokenLength >= longToken;
}

function factsOf({ protocol, where, login, tokenLength }: Heard, said: string | undefined) {
  return { protocol, host: where, login, tokenLength, said: said ?? "" } as const;
}
