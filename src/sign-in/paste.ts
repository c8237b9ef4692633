import {
  type AnswerVerdict,
  type ExpectedAnswer,
  isCodeText,
  judgeAnswer,
  rubbish,
} from "../oauth/authorization-response.ts";
import { Secret } from "../secret.ts";

/**
 * Reads what a person pasted: the whole address that the browser ended on, its query string, or
 * the bare code.
 *
 * @throws MxtokenError `signInDeclined` when the answer is `error=…`, with the server's words
 */
export function readPaste(text: string, expected: ExpectedAnswer): AnswerVerdict {
  const pasted = withoutQuotes(text.trim());
  if (pasted === "") return rubbish("nothing was pasted");
  const query = queryOf(pasted);
  return query === undefined
    ? readBareCode(pasted)
    : judgeAnswer(new URLSearchParams(query), expected);
}

/** Mail programs and shells' users put addresses into quotes and angle brackets. */
function withoutQuotes(text: string): string {
  return /^(["'<])(.*)(["'>])$/s.exec(text)?.[2]?.trim() ?? text;
}

/** The query string of an address, or the text itself when it is one; undefined for a bare code. */
function queryOf(pasted: string): string | undefined {
  const withoutFragment = pasted.replace(/#.*$/s, "");
  const mark = withoutFragment.indexOf("?");
  if (mark >= 0) return withoutFragment.slice(mark + 1);
  const isQuery = withoutFragment.includes("=") && !withoutFragment.includes("://");
  return isQuery ? withoutFragment : undefined;
}

function readBareCode(pasted: string): AnswerVerdict {
  if (pasted.includes("://"))
    return rubbish(
      "there is no code in this address: sign in first, and paste the one that the browser ends on",
    );
  if (/[\s?&=#]/.test(pasted))
    return rubbish("this is neither an address with an answer in it nor a code");
  if (/^[^@\s]+@[^@\s]+\.[a-z]+$/i.test(pasted)) return rubbish("this is a mailbox address");
  if (pasted.length < 10) return rubbish("it is too short for a code; paste the whole address");
  const code = percentDecoded(pasted);
  return code !== undefined && isCodeText(code)
    ? { is: "code", code: new Secret(code), stateChecked: false }
    : rubbish("it holds characters that no code has");
}

/** A code that was cut out of an address is still percent-encoded: `4%2F0A…`. */
function percentDecoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
