import { randomBytes } from "node:crypto";
import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Explanation } from "../causes/diagnose.ts";
import { Interrupted, MxtokenError } from "../errors.ts";
import type { RubbishKind } from "../oauth/authorization-response.ts";
import type { Proof } from "../proof/proof.ts";
import { whenAborted } from "../world/waiting.ts";

/** What became of a sign-in, for the page in the browser. */
export type SignInResult =
  /** the mailbox, the servers that took its token, and whose token it is where that is another's */
  | {
      readonly is: "signedIn";
      readonly account: string;
      readonly hosts: readonly string[];
      readonly otherAccount: string | undefined;
    }
  /** `unfinished`: nobody said no, and another time it may work */
  | {
      readonly is: "failed" | "unfinished";
      readonly message: string;
      readonly hint: string | undefined;
    };

/** What the page says of a token that was proven. */
export function successfulSignIn(account: string, { findings, otherAccount }: Proof): SignInResult {
  const hosts = [...new Set(findings.map(({ host }) => host))];
  return { is: "signedIn", account, hosts, otherAccount };
}

/** What the page says of an error; an unexpected one's own words may quote anything. */
export function failedSignIn(error: unknown): SignInResult {
  if (error instanceof Interrupted) {
    return { is: "unfinished", message: `the program was ${error.message}`, hint: undefined };
  }
  if (!(error instanceof MxtokenError)) {
    return { is: "unfinished", message: "the program has a defect", hint: undefined };
  }
  const { code, message, hint } = error;
  return { is: code === "unreachable" ? "unfinished" : "failed", message, hint };
}

/** Why a request gets no more than a few words. */
export type Refusal = "otherHost" | "otherMethod" | "otherPath";

/** What a browser comes back with, where that is no answer to the sign-in that is waited for. */
export type UselessKind =
  | RubbishKind
  | Trouble
  | Refusal
  | "changed"
  | "nothing"
  | "endedSignIn"
  | "errorWithoutState"
  /** it was no browser that brought it */
  | "pasted";

/** Something of no use, in words for the person: neither code nor state is in them. */
export interface UselessAnswer {
  readonly kind: UselessKind;
  /** half a sentence: what came */
  readonly reason: string;
  /** what to do, beginning with a verb */
  readonly remedy: string;
  /** of an error that an authorization server has told */
  readonly known?: Explanation;
}

const toPaste = "copy the whole address out of the browser and paste it where mxtoken waits";
const toBegin = "sign in at the address that mxtoken shows";

const remedies = {
  otherScheme: toPaste,
  otherHost: toPaste,
  otherMethod: `${toBegin}, or ${toPaste}`,
  otherPath: toPaste,
  tooLong: toPaste,
  changed: toPaste,
  nothing: `where the address in the browser goes on behind a #, copy all of it and paste it where mxtoken waits; else ${toBegin}`,
  endedSignIn: toBegin,
  errorWithoutState: toBegin,
  distrust: `let it go on to the listener all the same, or ${toPaste}`,
  pasted: toBegin,
  otherState: `${toBegin}; where another mxtoken waits for this very page, copy its address and paste it there`,
  signInAddress: toBegin,
  twice: toBegin,
  issuer: `${toBegin}, and to nobody else; where the same server comes again, look at --issuer`,
  errorWithoutCode: toBegin,
  administratorsConsent: toBegin,
  token: `${toBegin}; where that comes again, look at --authorize-uri`,
  signedResponse: `${toBegin}; where that comes again, look at --authorize-uri`,
  noCode: toBegin,
  noState: `${toBegin}, or ${toPaste}`,
  strangeCode: toBegin,
  noAnswer: toPaste,
} as const satisfies Readonly<Record<UselessKind, string>>;

/** @param reason half a sentence */
export function uselessAnswer(
  kind: UselessKind,
  reason: string,
  known?: Explanation,
): UselessAnswer {
  return { kind, reason, remedy: remedies[kind], ...(known && { known }) };
}

/** What comes in the place of a request. */
export type Trouble =
  /** TLS, where plain HTTP is spoken */
  | "otherScheme"
  /** a handshake that was broken off because of the certificate */
  | "distrust"
  /** headers that nobody reads to their end */
  | "tooLong";

export function troubleAnswer(trouble: Trouble): UselessAnswer {
  return uselessAnswer(trouble, troubles[trouble]);
}

const troubles: Readonly<Record<Trouble, string>> = {
  otherScheme: "it came by https, and the listener speaks http",
  distrust: "the browser does not trust the listener's certificate",
  tooLong:
    "what it sends is too long, perhaps by cookies that other programs have left at this host",
};

/** What the browser is shown; HTML documents, but for {@link SignInPages.refusal}. */
export interface SignInPages {
  /** value of the Content-Security-Policy header that suits them */
  readonly policy: string;
  /** the page while the token is proven; {@link SignInPages.result} is added to its end */
  waiting(): string;
  result(result: SignInResult): string;
  /** for a person whose browser comes back with something that is of no use */
  useless(answer: UselessAnswer): string;
  /** a line of plain text for what no person asks for */
  refusal(refusal: Refusal): string;
}

/** The headers of a page and of a line of text: kept by nobody, framed by nobody, and running nothing. */
export function headersFor(policy: string, type: "text/html" | "text/plain") {
  return {
    "content-type": `${type}; charset=utf-8`,
    "content-security-policy": policy,
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    connection: "close",
  };
}

/**
 * The page that a browser is led to after the sign-in. It stays open, unfinished, while the token
 * is proven, and its end says what became of it: so it needs no script.
 */
export class ResultPage {
  /** nobody can guess it */
  readonly path = `/mxtoken/${randomBytes(16).toString("hex")}`;
  readonly #open = new Set<ServerResponse>();
  readonly #sockets = new Set<Socket>();
  #end: string | undefined;
  #firstVisit: () => void = () => undefined;
  readonly #visited = new Promise<void>((resolve) => {
    this.#firstVisit = resolve;
  });

  /** Begins the page in one browser, and ends it at once where the end is known. */
  open(response: ServerResponse, beginning: string): void {
    const { socket } = response;
    if (socket === null) return;
    this.#sockets.add(socket);
    socket.once("close", () => this.#sockets.delete(socket));
    response.write(beginning);
    if (this.#end === undefined) this.#open.add(response);
    else response.end(this.#end);
    this.#firstVisit();
  }

  /** Whether its end is known. */
  get hasEnd(): boolean {
    return this.#end !== undefined;
  }

  end(end: string): void {
    this.#end = end;
    for (const response of this.#open) response.end(end);
    this.#open.clear();
  }

  /** Waits until every browser that asked for the page has it, and until one has asked. */
  async taken(deadline: AbortSignal): Promise<void> {
    const late = whenAborted(deadline);
    await Promise.race([this.#visited, late]);
    const closed = [...this.#sockets].map(
      (socket) => new Promise((resolve) => socket.once("close", resolve)),
    );
    await Promise.race([Promise.all(closed), late]);
  }
}
