import type { Protocol } from "../mail-server.ts";
import type { ServerAnswer } from "./server-words.ts";

/** A server's answer that is no yes. */
export interface Refusal {
  /** its words, without the protocol's own */
  readonly words: string;
  /** the same with its code, to be shown */
  readonly said: string;
  readonly code: ServerAnswer["code"];
}

/** What a server's line is. */
type Reply =
  | { readonly is: "yes" }
  | (Refusal & { readonly is: "no" })
  | { readonly is: "challenge"; readonly base64: string }
  /** the end of the connection, or a warning on the way to it */
  | { readonly is: "goodbye" | "warning"; readonly said: string }
  /** data, or what no server of this protocol says */
  | { readonly is: "other" };

/** How a protocol is read. */
export interface Grammar {
  readonly welcome: RegExp;
  /** a greeting that lets nobody in */
  readonly unwelcome: RegExp;
  /** the name of a command in a line of the client; what answers a challenge has none */
  readonly command: RegExp;
  reply(line: string, before: Before): Reply;
}

/** What was said before a line. */
interface Before {
  /** the client's last command line */
  readonly asked: string;
  /** what the error challenge of the login says, empty where none came */
  readonly challenge: string;
}

export const grammars: Readonly<Record<Protocol, Grammar>> = {
  imap: {
    welcome: /^\* (?:OK|PREAUTH)\b/i,
    unwelcome: /^\* (?:BYE|NO|BAD)\b/i,
    command: /^\w+ ([A-Z]+)\b/,
    reply: readImap,
  },
  pop: {
    welcome: /^\+OK\b/i,
    unwelcome: /^-ERR\b/i,
    command: /^(AUTH|STLS|CAPA|STAT|QUIT)\b/,
    reply: readPop,
  },
  smtp: {
    welcome: /^220\b/,
    unwelcome: /^[45]\d\d\b/,
    command: /^(AUTH|STARTTLS|EHLO|HELO|QUIT)\b/,
    reply: readSmtp,
  },
};

/** What the response codes of RFC 5530 say about the token; TEMPFAIL is Yahoo's. */
const imapCodes: ReadonlyMap<string, ServerAnswer["code"]> = new Map([
  ["AUTHENTICATIONFAILED", "refusal"],
  ["AUTHORIZATIONFAILED", "refusal"],
  ["EXPIRED", "refusal"],
  ["PRIVACYREQUIRED", "likelyRefusal"],
  ["CONTACTADMIN", "likelyRefusal"],
  ["NOPERM", "likelyRefusal"],
  ["NONEXISTENT", "likelyRefusal"],
  ...["UNAVAILABLE", "INUSE", "LIMIT", "SERVERBUG", "CORRUPTION", "OVERQUOTA", "TEMPFAIL"].map(
    (code) => [code, "trouble"] as const,
  ),
]);

/** RFC 9051 sections 7.1 and 7.6; some servers leave out the tag of a NO or BAD. */
function readImap(line: string, { asked }: Before): Reply {
  if (/^\+(?: |$)/.test(line)) return { is: "challenge", base64: line.slice(2).trim() };
  const [, tag = "", status = "", said = ""] =
    /^(?:(\S+) )?(OK|NO|BAD|BYE)\b ?(.*)$/i.exec(line) ?? [];
  const is = status.toUpperCase();
  if (is === "BYE") return { is: "goodbye", said };
  const isNo = is === "NO" || is === "BAD";
  if (tag === "*") return isNo ? { is: "warning", said } : { is: "other" };
  if (tag !== "" && tag !== asked.split(" ", 1)[0]) return { is: "other" };
  if (is === "OK") return { is: "yes" };
  if (!isNo) return { is: "other" };
  const [, code = "", words = ""] = /^(?:\[([\w-]+)[^\]]*\] ?)?(.*)$/.exec(said) ?? [];
  return { is: "no", words, said, code: imapCodes.get(code.toUpperCase()) };
}

/**
 * Response codes of RFC 2449 and RFC 3206. SYS/PERM is not among them: it says no more than that a
 * person is needed, and Gmail uses it for accounts that have POP switched off.
 */
const popCodes: readonly [pattern: RegExp, says: ServerAnswer["code"]][] = [
  [/^\[AUTH\b/i, "refusal"],
  [/^\[(?:SYS\/TEMP|IN-USE|LOGIN-DELAY)\b/i, "trouble"],
];

/** RFC 1939 section 3; a continuation (RFC 5034 section 4) has a blank behind its plus. */
function readPop(line: string): Reply {
  if (/^\+OK\b/i.test(line)) return { is: "yes" };
  if (/^\+(?: |$)/.test(line)) return { is: "challenge", base64: line.slice(2).trim() };
  if (!/^-ERR\b/i.test(line)) return { is: "other" };
  const said = line.replace(/^-ERR\b\s*/i, "");
  const code = popCodes.find(([pattern]) => pattern.test(said))?.[1];
  return { is: "no", words: said, said, code };
}

/**
 * Postfix up to 3.7 at least has no other words for a Dovecot that could not ask about the token; a
 * token that is refused there gets an error challenge first.
 */
const undecided = /authentication failed: \(reason unavailable\)/;

/**
 * Reply codes that refuse the login: 535 (RFC 4954 section 6), 525, and the enhanced codes of wrong
 * credentials and of an account that is disabled (RFC 5248).
 */
const smtpRefusal = /^5(?:35|25)|^5\d\d[ -]5\.7\.(?:8|13)\b/;

/** RFC 5321 section 4.2: 4yz is no word about the token. */
function readSmtp(reply: string, { challenge }: Before): Reply {
  if (reply.startsWith("2")) return { is: "yes" };
  if (/^334\b/.test(reply)) return { is: "challenge", base64: reply.slice(4).trim() };
  const said = inOneLine(reply);
  if (/^421\b/.test(reply)) return { is: "goodbye", said };
  if (!/^[45]\d\d\b/.test(reply)) return { is: "other" };
  return { is: "no", words: said, said, code: meaningOfCode(reply, challenge) };
}

function meaningOfCode(reply: string, challenge: string): ServerAnswer["code"] {
  if (reply.startsWith("4") || (challenge === "" && undecided.test(reply))) return "trouble";
  return smtpRefusal.test(reply) ? "likelyRefusal" : undefined;
}

/** A reply's lines in one, its code only once (RFC 5321 section 4.2.1). */
function inOneLine(reply: string): string {
  const [first = "", ...more] = reply.split("\n");
  const rest = more.map((line) => line.replace(/^\d{3}[ -]?(?:\d\.\d{1,3}\.\d{1,3} ?)?/, ""));
  return [first.replace(/^(\d{3})-/, "$1 "), ...rest].join(" ").trim();
}
