import { randomBytes } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { ExpectedAnswer } from "../oauth/authorization-response.ts";
import type { Secret } from "../secret.ts";
import type { KeyPair } from "../store/certificate-files.ts";
import type { World } from "../world/world.ts";
import { type CallbackVerdict, judgeCallback, type Refusal, refusalStatus } from "./callback.ts";
import { type LoopbackServer, listenOnLoopback } from "./loopback-server.ts";
import { type LoopbackRedirect, withPort } from "./redirect.ts";
import { ResultPage } from "./result-page.ts";

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

/** What the browser is shown; HTML documents, but for {@link CatcherPages.refusal}. */
export interface CatcherPages {
  /** value of the Content-Security-Policy header that suits them */
  readonly policy: string;
  /** the page while the token is proven; {@link CatcherPages.result} is added to its end */
  waiting(): string;
  result(result: SignInResult): string;
  /** for a person who ends on a page that answers nothing; `reason` is half a sentence */
  noAnswer(reason: string | undefined): string;
  /** a line of plain text for what no person asks for */
  refusal(refusal: Exclude<Refusal, "otherSignIn">): string;
}

export interface CatcherOptions {
  readonly redirect: LoopbackRedirect;
  /** for HTTPS */
  readonly keyPair: KeyPair | undefined;
  readonly expected: ExpectedAnswer;
  readonly pages: CatcherPages;
}

/** How long the browser has to ask for the page that the answer was redirected to. */
const pagePatience = 3000;
/** Tabs of one sign-in, each with a code of its own. */
const answerLimit = 20;

/**
 * Waits on loopback for the browser that comes back from the sign-in (RFC 8252 section 7.3).
 *
 * @throws MxtokenError `configuration` when the port cannot be had
 */
export async function startCatcher(world: World, options: CatcherOptions): Promise<Catcher> {
  let catcher: Catcher | undefined;
  const { scheme, port, host } = options.redirect;
  const keyPair = scheme === "https" ? options.keyPair : undefined;
  const server = await listenOnLoopback(
    world,
    { keyPair, port, needsIpv6: host === "[::1]" },
    (request, response) => catcher?.handle(request, response),
  );
  catcher = new Catcher(world, options, server);
  return catcher;
}

/** A code that a browser brought back, and the page on which it waits for what becomes of it. */
export interface CaughtCode {
  readonly code: Secret;
  readonly page: ResultPage;
}

/** An answer, and nothing else that comes to the listener. */
type Answer = Extract<CallbackVerdict, { is: "code" | "declined" }> & { readonly page: ResultPage };

/** The listener that a sign-in comes back to. */
export class Catcher {
  readonly port: number;
  /** as it is registered, with the listener's port */
  readonly redirectUri: string;
  readonly #world: World;
  readonly #options: CatcherOptions;
  readonly #server: LoopbackServer;
  readonly #pages = new Map<string, ResultPage>();
  readonly #answers: Answer[] = [];
  #wake: (() => void) | undefined;

  constructor(world: World, options: CatcherOptions, server: LoopbackServer) {
    this.#world = world;
    this.#options = options;
    this.#server = server;
    this.port = server.port;
    this.redirectUri = withPort(options.redirect, server.port);
  }

  /** Whether a browser waits for the result. */
  get hasVisitor(): boolean {
    return [...this.#pages.values()].some((page) => !page.hasEnd);
  }

  /**
   * The next code that comes back.
   *
   * @param signal ends the wait
   * @throws the signal's reason; MxtokenError `signInDeclined` for `error=…`
   */
  async next(signal: AbortSignal): Promise<CaughtCode> {
    for (;;) {
      signal.throwIfAborted();
      const answer = this.#answers.shift();
      if (answer?.is === "code") return answer;
      if (answer !== undefined) throw answer.error;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        signal.addEventListener("abort", () => resolve(), { once: true });
      });
    }
  }

  /** Says in the browser that brought it that a code was of no use; another one may come. */
  refuse({ page }: CaughtCode, result: SignInResult): void {
    page.end(this.#options.pages.result(result));
  }

  /**
   * Shows the result in every browser that waits for it, gives them a moment to take it, and ends
   * the listener.
   *
   * @param result undefined where there is nothing to tell
   */
  async close(result?: SignInResult): Promise<void> {
    if (result !== undefined) {
      const pages = [...this.#pages.values()].filter((page) => !page.hasEnd);
      const deadline = this.#world.deadline(pagePatience);
      for (const page of pages) page.end(this.#options.pages.result(result));
      await Promise.all(pages.map((page) => page.taken(deadline)));
    }
    await this.#server.close();
  }

  /** Answers one request; only a valid answer to the sign-in goes further than this. */
  handle(request: IncomingMessage, response: ServerResponse): void {
    const { redirect, expected, pages } = this.#options;
    const verdict = judgeCallback(request, { ...expected, redirect, port: this.port });
    const page = verdict.is === "otherPath" ? this.#pages.get(request.url ?? "") : undefined;
    if (page !== undefined) {
      this.#server.connections.hold(request.socket);
      response.writeHead(200, this.#headers("text/html"));
      page.open(response, pages.waiting());
      return;
    }
    if (verdict.is === "code" || verdict.is === "declined") {
      // So the code leaves the address bar.
      const location = this.#take(verdict).path;
      response.writeHead(303, { ...this.#headers("text/plain"), location }).end();
      return;
    }
    this.#world.trace(`the listener refused a request: ${verdict.is}`);
    this.#refuse(verdict, response);
  }

  #refuse(
    verdict: Exclude<CallbackVerdict, { is: "code" | "declined" }>,
    response: ServerResponse,
  ): void {
    const { pages } = this.#options;
    const status = refusalStatus[verdict.is];
    if (verdict.is === "rubbish" || verdict.is === "otherSignIn") {
      const reason = verdict.is === "rubbish" ? verdict.reason : undefined;
      response.writeHead(status, this.#headers("text/html")).end(pages.noAnswer(reason));
      return;
    }
    if (verdict.is === "otherMethod") response.setHeader("allow", "GET");
    response.writeHead(status, this.#headers("text/plain")).end(`${pages.refusal(verdict.is)}\n`);
  }

  #take(answer: Extract<CallbackVerdict, { is: "code" | "declined" }>): ResultPage {
    const last = [...this.#pages.values()].at(-1);
    if (last !== undefined && this.#pages.size >= answerLimit) return last;
    const page = new ResultPage(`/mxtoken/${randomBytes(16).toString("hex")}`);
    this.#pages.set(page.path, page);
    this.#answers.push({ ...answer, page });
    this.#wake?.();
    return page;
  }

  #headers(type: "text/html" | "text/plain"): Record<string, string> {
    return {
      "content-type": `${type}; charset=utf-8`,
      "content-security-policy": this.#options.pages.policy,
      "cache-control": "no-store",
      "referrer-policy": "no-referrer",
      "x-content-type-options": "nosniff",
      "cross-origin-opener-policy": "same-origin",
      "cross-origin-resource-policy": "same-origin",
      connection: "close",
    };
  }
}
