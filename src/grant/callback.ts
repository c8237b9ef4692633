import type { IncomingMessage } from "node:http";
import { MxtokenError } from "../errors.ts";
import type { Secret } from "../secret.ts";
import { type ExpectedAnswer, hasState, judgeAnswer } from "./answer.ts";
import type { LoopbackRedirect } from "./redirect.ts";

/** What a request to the listener is worth. */
export type CallbackVerdict =
  | { readonly is: "code"; readonly code: Secret }
  | { readonly is: "declined"; readonly error: MxtokenError }
  /** something for the person in the browser; `reason` is half a sentence */
  | { readonly is: "rubbish"; readonly reason: string }
  | {
      readonly is: "otherHost" | "otherMethod" | "otherPath";
      readonly status: number;
      readonly words: string;
      readonly headers?: Readonly<Record<string, string>>;
    };

export interface ExpectedCallback extends ExpectedAnswer {
  readonly redirect: LoopbackRedirect;
  readonly port: number;
}

/**
 * Judges one request: only GET on the redirect URI's path, on its host, with the right state is an
 * answer (RFC 6749 section 4.1.2). Whoever else comes, a program of this machine or a web page of
 * another origin, learns nothing and changes nothing.
 */
export function judgeCallback(
  request: Pick<IncomingMessage, "method" | "url" | "headers">,
  expected: ExpectedCallback,
): CallbackVerdict {
  if (!isHost(request.headers.host, expected)) {
    return { is: "otherHost", status: 421, words: "this host is not served here" };
  }
  if (request.method !== "GET") {
    return {
      is: "otherMethod",
      status: 405,
      words: "only GET is served here",
      headers: { allow: "GET" },
    };
  }
  const [path = "", ...query] = (request.url ?? "").split("?");
  if (path !== expected.redirect.path) {
    return { is: "otherPath", status: 404, words: "there is nothing here" };
  }
  const parameters = new URLSearchParams(query.join("?"));
  if (!hasState(parameters, expected)) {
    return {
      is: "rubbish",
      reason:
        "this page does not belong to the sign-in that is being waited for: begin at the address that mxtoken shows in the terminal, or, if another mxtoken waits for this one, copy this page's address and paste it there",
    };
  }
  try {
    const verdict = judgeAnswer(parameters, expected);
    return verdict.is === "code" ? { is: "code", code: verdict.code } : verdict;
  } catch (error) {
    if (error instanceof MxtokenError) return { is: "declined", error };
    throw error;
  }
}

/** Against names of other hosts that lead here (DNS rebinding). */
function isHost(host: string | undefined, { redirect, port }: ExpectedCallback): boolean {
  const scheme = `${redirect.scheme}://`;
  if (host === undefined || !URL.canParse(scheme + host)) return false;
  const url = new URL(scheme + host);
  const expected = new URL(`${scheme}${redirect.host}:${port}`);
  return url.host === expected.host && url.pathname === "/" && url.username === "";
}
