import {
  type AnswerVerdict,
  type ExpectedAnswer,
  isCodeText,
  judgeAnswer,
  rubbish,
} from "../oauth/authorization-response.ts";
import { Secret } from "../secret.ts";
import { readingsOf } from "./pasted-text.ts";

/** As an answer from a browser, or a piece of an address, whose rest may stand on the next lines. */
export type PasteVerdict = AnswerVerdict | { readonly is: "piece"; readonly reason: string };

/** Characters; no server and no browser takes an address that is longer. */
const sizeLimit = 64 * 1024;

/**
 * Judges the last of the lines that a person pasted: the whole address that the browser ended on, its
 * query or its fragment, or the bare code, whatever mail, chat, terminal or filter has made of it; or the
 * next piece of an address that the lines before it have begun.
 *
 * @param ahead the lines that have come behind it already, which are looked at where they make it whole
 * @throws MxtokenError `signInDeclined` or `unreachable` when the answer is `error=…`, with the
 * server's words
 */
export function readPaste(
  lines: readonly string[],
  expected: ExpectedAnswer,
  ahead: readonly string[] = [],
): PasteVerdict {
  const begins = [...lines.keys()].filter((index) => beginsAnswer(lines[index] ?? ""));
  for (const begin of begins.slice(-beginLimit)) {
    const whole = judge([...lines.slice(begin), ...ahead].join("\n"), expected);
    if (isChecked(whole)) return whole;
  }
  const alone = judge(lines.at(-1) ?? "", expected);
  const begin = begins.at(-1) ?? lines.length;
  if (isChecked(alone) || begin >= lines.length - 1) return alone;
  const before = lines.slice(begin, -1);
  const begun = judge(before.join("\n"), expected);
  // No mail and no terminal breaks lines that are as short; such a one was cut.
  const wasWrapped = (before.at(-1)?.length ?? 0) >= shortestWrapped;
  const isWord = !/\s/.test(lines.at(-1)?.trim() ?? "");
  const goesOn = begun.is === "piece" && isWord && (wasWrapped || alone.is !== "code");
  // The advice was followed, and only the code was pasted.
  const isItsCode = alone.is === "code" && isWholeOf(lines.at(-1) ?? "", before);
  return goesOn && !isItsCode ? begun : alone;
}

/** Characters; a phone's window is about as narrow. */
const shortestWrapped = 30;

/** So many lines that may begin an address are tried as its beginning. */
const beginLimit = 5;

function isChecked(verdict: PasteVerdict): boolean {
  return verdict.is === "code" && verdict.stateChecked;
}

/** Whether a line may be the first one of an answer. */
function beginsAnswer(line: string): boolean {
  const [plain = ""] = readingsOf(line);
  return /:\/\/|%3A%2F%2F|^\W*(?:localhost|127\.0\.0\.1|\[::1\])|\b(?:code|state)["']?(?:[:=]|%3D)/i.test(
    plain,
  );
}

/** Whether a line is the code of which a cut address has shown the beginning. */
function isWholeOf(line: string, cutLines: readonly string[]): boolean {
  const begun = /code=([^&\s]*)/.exec(cutLines.join(""))?.[1] ?? "";
  const code = decodedCode(withoutMarks(line.trim()));
  return begun !== "" && code?.startsWith(decodedCode(begun) ?? begun) === true;
}

/** Judges a text without any before it. */
function judge(text: string, expected: ExpectedAnswer): PasteVerdict {
  if (text.length > sizeLimit) return rubbish("it is too long for an address");
  const readings = readingsOf(text);
  const [plain = ""] = readings;
  if (plain.trim() === "") return rubbish("nothing was pasted");
  let first: PasteVerdict | undefined;
  for (const reading of inOrder(readings)) {
    for (const parameters of answersIn(reading, expected)) {
      const verdict = judgeParameters(parameters, expected);
      if (verdict.is === "code") return verdict;
      first ??= verdict;
    }
  }
  return first ?? judgeWord(plain.trim(), expected);
}

/** Lines that are one word when they are joined are pieces of it. */
function inOrder(readings: readonly string[]): readonly string[] {
  const [plain = "", joined = plain, ...others] = readings;
  const isOneWord = plain.includes("\n") && !/\s/.test(joined);
  return isOneWord ? [joined, plain, ...others] : readings;
}

const nameOfAnswer = /(?:^|[?#&;])(?:code|state|error|code_challenge|response_type)=/;

/**
 * Every set of parameters that may be an answer, the last one first: an address may stand within another
 * one, and twice; its query comes before its fragment.
 */
function* answersIn(reading: string, expected: ExpectedAnswer): Generator<URLSearchParams> {
  for (const [word] of reading.matchAll(/[^\s"'<>`“”‘’«»„]+/g)) {
    if (!nameOfAnswer.test(word)) continue;
    const addresses = word.split("?").reverse();
    for (const address of addresses) {
      for (const part of address.split("#")) {
        if (nameOfAnswer.test(part)) yield withoutTail(new URLSearchParams(part), expected);
      }
    }
  }
}

/** Takes off what a sentence, a list, Markdown or a second copy has put right behind the address. */
function withoutTail(found: URLSearchParams, { state }: ExpectedAnswer): URLSearchParams {
  if (found.get("state")?.startsWith(state) === true) found.set("state", state);
  const [name, value] = [...found].at(-1) ?? [];
  if (name === "code" && value !== undefined && found.getAll(name).length === 1) {
    found.set(name, value.replace(/[.,;:…]+$/, "").replace(/[)\]}|]+$/, ""));
  }
  return found;
}

function judgeParameters(parameters: URLSearchParams, expected: ExpectedAnswer): PasteVerdict {
  if (parameters.has("code_challenge") || parameters.has("response_type")) {
    return rubbish("this is the sign-in address itself; paste the one that the browser ends on");
  }
  const state = parameters.get("state") ?? "";
  const isCut = state !== expected.state && expected.state.startsWith(state);
  if (!isCut || parameters.has("error")) return judgeAnswer(parameters, expected);
  const missing = parameters.has("code") ? "it has a code but no state" : "its end is missing";
  return {
    is: "piece",
    reason: `${missing}: is it cut off or broken into two lines? ${whatToPaste}`,
  };
}

const whatToPaste =
  "paste the rest of it, or the whole address, or only what stands between code= and the next &";

/** Judges what has no parameters of an answer. */
function judgeWord(text: string, expected: ExpectedAnswer): PasteVerdict {
  if (/:\/\/|^(?:localhost|127\.0\.0\.1|\[::1\])(?:[:/]|$)/i.test(text)) {
    return rubbish(
      "there is no code in this address: sign in first, and paste the one that the browser ends on",
    );
  }
  const word = withoutMarks(text);
  if (/\s/.test(word)) return rubbish("this is neither an address with an answer in it nor a code");
  if (/^[^@\s]+@[^@\s]+\.[a-z]+$/i.test(word)) return rubbish("this is a mailbox address");
  if (isPiece(word, expected)) {
    return rubbish("this is a piece of an address: paste the whole one, or only its code");
  }
  const code = decodedCode(word);
  return code !== undefined && isCodeText(code) && /[a-z0-9]/i.test(code)
    ? { is: "code", code: new Secret(code), stateChecked: false }
    : rubbish("it holds characters that no code has");
}

/** Without the quotes, brackets or marks of Markdown around it. */
function withoutMarks(text: string): string {
  const [, inner = text] =
    /^(?:"([^"]*)"|'([^']*)'|`([^`]*)`|<([^>]*)>|\(([^)]*)\)|\[([^\]]*)\]|“([^”]*)”|„([^“”]*)[“”]|‘([^’]*)’|«([^»]*)»|\*\*(.*)\*\*)[.,;]?$/s
      .exec(text)
      ?.filter((group) => group !== undefined) ?? [];
  return inner.trim();
}

/** Of the state, so much is no chance. */
const tellingLength = 8;

/** Whether a word has parameters, or a piece of our state. */
function isPiece(word: string, { state }: ExpectedAnswer): boolean {
  if (
    /&|^[/?#]|\/[?#]|[?#]$|[?#][a-z_]+=/i.test(word) ||
    /^(?:iss|scope|session_state|client_info|authuser|prompt|hd)=/.test(word)
  ) {
    return true;
  }
  for (let start = 0; start + tellingLength <= state.length; start += 1) {
    if (word.includes(state.slice(start, start + tellingLength))) return true;
  }
  return false;
}

/** A code that was cut out of an address is still percent-encoded: `4%2F0A…`. */
function decodedCode(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
