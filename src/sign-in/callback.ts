import type { IncomingHttpHeaders } from "node:http";
import { doubledIn, errorIn } from "../oauth/authorization-response.ts";
import type { LoopbackRedirect } from "./redirect.ts";
import {
  type Refusal,
  type UselessAnswer,
  type UselessKind,
  uselessAnswer,
} from "./result-page.ts";

/** One request, as it came to a listener. */
export interface CallbackRequest {
  readonly method?: string | undefined;
  /** path and query */
  readonly url?: string | undefined;
  readonly headers: IncomingHttpHeaders;
  /** its body, where that is a form ({@link mayBeForm}) of a size that is read */
  readonly form?: string | undefined;
  /** whether it came by plain HTTP to a listener of HTTPS */
  readonly isUnencrypted?: boolean;
}

/** A sign-in, as far as it matters here. */
interface Pending {
  /** of its redirect URI */
  readonly path: string;
}

/** What a listener waits for. */
export interface Expectation<SignIn extends Pending> {
  readonly scheme: "http" | "https";
  readonly port: number;
  /** every redirect URI that is served, also of sign-ins that have ended */
  readonly redirects: readonly Pick<LoopbackRedirect, "host" | "path">[];
  /** the sign-in with this state; undefined where nobody has begun one */
  signInOf(state: string): SignIn | "ended" | undefined;
}

/** What a request is. Every status is one of HTTP. */
export type Callback<SignIn extends Pending> =
  /** with the state of this sign-in, which is to judge the rest */
  | { readonly is: "answer"; readonly signIn: SignIn; readonly parameters: URLSearchParams }
  | {
      readonly is: "useless";
      readonly status: number;
      readonly what: UselessAnswer;
      /** which it belongs to; undefined: any or none */
      readonly signIn: SignIn | undefined;
      /** whether a person's browser has brought it, as far as that can be seen */
      readonly isTold: boolean;
    }
  /** the same, by HTTPS */
  | { readonly is: "redirect"; readonly location: string }
  /** no answer at all; perhaps the path is one of a page of this listener's */
  | { readonly is: "other"; readonly status: number; readonly refusal: Refusal };

/**
 * Reads one request: on a redirect URI's path, under any of loopback's names, a GET is an answer (RFC 6749
 * section 4.1.2), and so is a form that is posted there (`response_mode=form_post`). Neither carries
 * anything that counts but the state. Whoever else comes, a program of this machine or a web page of
 * another origin, learns nothing and changes nothing.
 */
export function readCallback<SignIn extends Pending>(
  request: CallbackRequest,
  expected: Expectation<SignIn>,
): Callback<SignIn> {
  const { method = "", url = "", form } = request;
  const host = listenerHost(request, expected);
  if (host === undefined) {
    const given = request.headers.host ?? "";
    const here = `${expected.redirects[0]?.host ?? "localhost"}:${expected.port}`;
    const shown = /^[\w.:[\]-]{1,80}$/.test(given) ? given : "another host";
    return misdirected(request, "otherHost", `it came to ${shown} instead of ${here}`);
  }
  if (request.isUnencrypted === true && /^\/(?![/\\])/.test(url)) {
    return { is: "redirect", location: `https://${host}${url}` };
  }
  if (method !== "GET" && form === undefined) {
    return misdirected(request, "otherMethod", "it came by a method that brings no answer");
  }
  const [path = "", ...query] = url.split("?");
  const paths = [...new Set(expected.redirects.map((redirect) => redirect.path))];
  if (!paths.includes(path)) {
    return misdirected(request, "otherPath", `it came to another path than ${paths.join(" or ")}`);
  }
  return judgeParameters(request, expected, {
    path,
    parameters: new URLSearchParams(form ?? query.join("?")),
  });
}

/** Whether the body of a request is to be read: only this kind of form can be posted back. */
export function mayBeForm({ method, headers }: CallbackRequest): boolean {
  const type = headers["content-type"]?.split(";", 1)[0]?.trim().toLowerCase();
  return method === "POST" && type === "application/x-www-form-urlencoded";
}

const statuses = { otherHost: 421, otherMethod: 405, otherPath: 404 } as const satisfies Readonly<
  Record<Refusal, number>
>;

/** What came where no answer comes; most of it is none. */
function misdirected(request: CallbackRequest, refusal: Refusal, reason: string): Callback<never> {
  const status = statuses[refusal];
  const isPosted = request.method === "POST" && request.headers["sec-fetch-mode"] === "navigate";
  if (!holdsAnswer(request) && !isPosted) return { is: "other", status, refusal };
  return useless(request, { kind: refusal, reason, status });
}

function judgeParameters<SignIn extends Pending>(
  request: CallbackRequest,
  expected: Expectation<SignIn>,
  { path, parameters }: { readonly path: string; readonly parameters: URLSearchParams },
): Callback<SignIn> {
  const say = (kind: UselessKind, reason: string) => useless(request, { kind, reason });
  const [state = "", ...more] = parameters.getAll("state");
  if (more.length > 0) return say("twice", `its ${doubledIn(parameters)} stands in it twice`);
  if (state !== "") {
    const signIn = expected.signInOf(state);
    if (signIn === "ended") {
      const reason = "it belongs to a sign-in that has ended, and was not used";
      return useless(request, { kind: "endedSignIn", reason, status: 410 });
    }
    if (signIn === undefined) {
      return say("otherState", "it does not belong to the sign-in that is waited for");
    }
    if (signIn.path === path) return { is: "answer", signIn, parameters };
    const reason = `it came to another path than ${signIn.path}`;
    return { ...useless(request, { kind: "otherPath", reason }), signIn };
  }
  if ([...parameters.keys()].some((name) => escapedNames.test(name))) {
    return say("changed", "its address was changed on the way");
  }
  if (parameters.get("error")) {
    const known = errorIn(parameters);
    const reason = `it says ${known.facts.said}, but not for which sign-in`;
    return useless(request, { kind: "errorWithoutState", reason, known });
  }
  if (parameters.has("code")) return say("noState", "it has a code but no state");
  return [...parameters.values()].every((value) => value === "")
    ? say("nothing", "it came without an answer")
    : say("noAnswer", "what stands in its address is no answer");
}

interface Found {
  readonly kind: UselessKind;
  readonly reason: string;
  readonly known?: UselessAnswer["known"];
  /** by default 400 */
  readonly status?: number;
}

function useless(request: CallbackRequest, { kind, reason, known, status = 400 }: Found) {
  const what = uselessAnswer(kind, reason, known);
  const isTold = isFromPerson(request);
  return { is: "useless", status, what, signIn: undefined, isTold } as const;
}

const answerNames =
  /(?:^|[?/#&;])(?:code|state|error|error_description|response|access_token|id_token|admin_consent)(?:=|%3D)/i;

/** Left over where HTML's `&amp;` was taken for `&`, and where an address was encoded as a whole. */
const escapedNames = /^amp;|^(?:code|state|error)=/;

/** Whether anything in it may be meant for a sign-in. */
function holdsAnswer({ url = "", form = "" }: CallbackRequest): boolean {
  return answerNames.test(url) || answerNames.test(form);
}

/**
 * Whether a request is one that somebody sees in a browser's window. Of a browser's other ones (Fetch
 * Metadata: pictures and scripts of web pages, what is fetched before anybody asks for it) and of other
 * programs' only an answer is told, and of no browser's picture that either.
 */
function isFromPerson(request: CallbackRequest): boolean {
  const { method = "", headers } = request;
  if (!["GET", "HEAD", "POST"].includes(method)) return false;
  const purpose = [headers["sec-purpose"], headers["purpose"], headers["x-moz"]].join(" ");
  if (/prefetch|prerender|preview/i.test(purpose)) return false;
  const mode = headers["sec-fetch-mode"];
  if (mode !== undefined) return mode === "navigate";
  return holdsAnswer(request) || headers.accept?.includes("text/html") === true;
}

/** Under which of loopback's names it came; no name of another host may lead here (DNS rebinding). */
function listenerHost(
  { headers }: CallbackRequest,
  { scheme, port }: Pick<Expectation<Pending>, "scheme" | "port">,
): string | undefined {
  const text = `${scheme}://${headers.host ?? ""}`;
  if (!URL.canParse(text)) return undefined;
  const { host, href } = new URL(text);
  const names = ["localhost", "127.0.0.1", "[::1]"];
  const isHere = names.some((name) => host === new URL(`${scheme}://${name}:${port}`).host);
  return isHere && href === `${scheme}://${host}/` ? host : undefined;
}
