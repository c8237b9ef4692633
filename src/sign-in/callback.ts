import type { IncomingMessage } from "node:http";
import { MxtokenError } from "../errors.ts";
import { type ExpectedAnswer, hasState, judgeAnswer } from "../oauth/authorization-response.ts";
import type { Secret } from "../secret.ts";
import type { LoopbackRedirect } from "./redirect.ts";

/** Why a request is not answered with more than a few words. */
export type Refusal = "otherHost" | "otherMethod" | "otherPath" | "otherSignIn";

/** What a request to the listener is worth. */
export type CallbackVerdict =
  | { readonly is: "code"; readonly code: Secret }
  | { readonly is: "declined"; readonly error: MxtokenError }
  /** from this sign-in, and no answer all the same; `reason` is half a sentence */
  | { readonly is: "rubbish"; readonly reason: string }
  | { readonly is: Refusal };

/** HTTP status for what is no answer. */
export const refusalStatus: Readonly<Record<Refusal | "rubbish", number>> = {
  otherHost: 421,
  otherMethod: 405,
  otherPath: 404,
  otherSignIn: 400,
  rubbish: 400,
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
  if (!isHost(request.headers.host, expected)) return { is: "otherHost" };
  if (request.method !== "GET") return { is: "otherMethod" };
  const [path = "", ...query] = (request.url ?? "").split("?");
  if (path !== expected.redirect.path) return { is: "otherPath" };
  const parameters = new URLSearchParams(query.join("?"));
  if (!hasState(parameters, expected)) return { is: "otherSignIn" };
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
