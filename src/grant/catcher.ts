import { randomBytes } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { MxtokenError } from "../errors.ts";
import type { Secret } from "../secret.ts";
import type { World } from "../world/world.ts";
import type { ExpectedAnswer } from "./answer.ts";
import { judgeCallback } from "./callback.ts";
import type { KeyPair } from "./certificate.ts";
import { type LoopbackServer, listenOnLoopback } from "./loopback-server.ts";
import { type LoopbackRedirect, withPort } from "./redirect.ts";
import { ResultPage } from "./result-page.ts";

/** What became of a sign-in, for the page in the browser. */
export type SignInResult =
  /** the mailbox that was opened, and at which server */
  | { readonly is: "signedIn"; readonly account: string; readonly host: string }
  /** `unfinished`: nobody said no, and another time it may work */
  | {
      readonly is: "failed" | "unfinished";
      readonly message: string;
      readonly hint: string | undefined;
    };

/** The pages that the catcher shows; all of them whole documents in HTML. */
export interface CatcherPages {
  /** value of the Content-Security-Policy header that suits them */
  readonly policy: string;
  /** the page while the token is proven; {@link CatcherPages.result} is added to its end */
  waiting(): string;
  result(result: SignInResult): string;
  /** @param reason half a sentence */
  refusal(reason: string): string;
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

/**
 * Waits on loopback for the browser that comes back from the sign-in (RFC 8252 section 7.3).
 *
 * @throws MxtokenError `configuration` when the port cannot be had
 */
export async function startCatcher(world: World, options: CatcherOptions): Promise<Catcher> {
  let catcher: Catcher | undefined;
  const { scheme, port } = options.redirect;
  const keyPair = scheme === "https" ? options.keyPair : undefined;
  const server = await listenOnLoopback(world, keyPair, port, (request, response) =>
    catcher?.handle(request, response),
  );
  catcher = new Catcher(world, options, server);
  return catcher;
}

/** A code, or the server's refusal, and nothing else that comes to the listener. */
type Arrived = { readonly code: Secret } | { readonly declined: MxtokenError };

/** The listener that a sign-in comes back to. */
export class Catcher {
  readonly port: number;
  /** as it is registered, with the listener's port */
  readonly redirectUri: string;
  readonly #world: World;
  readonly #options: CatcherOptions;
  readonly #server: LoopbackServer;
  readonly #pages = new Map<string, ResultPage>();
  /** the page of the answer that is being worked on */
  #current: ResultPage | undefined;
  #arrived: Arrived | undefined;
  #wake: (() => void) | undefined;

  constructor(world: World, options: CatcherOptions, server: LoopbackServer) {
    this.#world = world;
    this.#options = options;
    this.#server = server;
    this.port = server.port;
    this.redirectUri = withPort(options.redirect, server.port);
  }

  /** Whether a browser has come back whose answer is being worked on. */
  get hasVisitor(): boolean {
    return this.#current !== undefined;
  }

  /**
   * The next code that comes back.
   *
   * @param signal ends the wait
   * @throws the signal's reason; MxtokenError `signInDeclined` for `error=…`
   */
  async next(signal: AbortSignal): Promise<Secret> {
    for (;;) {
      signal.throwIfAborted();
      const arrived = this.#arrived;
      this.#arrived = undefined;
      if (arrived !== undefined && "code" in arrived) return arrived.code;
      if (arrived !== undefined) throw arrived.declined;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        signal.addEventListener("abort", () => resolve(), { once: true });
      });
    }
  }

  /** Shows in the browser what became of the answer that was worked on; another one may come. */
  show(result: SignInResult): void {
    this.#current?.end(this.#options.pages.result(result));
    this.#current = undefined;
  }

  /**
   * Shows the result, waits a moment for the browser to take it, and ends the listener.
   *
   * @param result undefined where there is nothing to tell
   */
  async close(result?: SignInResult): Promise<void> {
    const page = this.#current;
    if (result !== undefined) this.show(result);
    if (page !== undefined && result !== undefined) {
      await page.taken(this.#world.deadline(pagePatience));
    }
    await this.#server.close();
  }

  /** Answers one request; only a valid answer to the sign-in goes further than this. */
  handle(request: IncomingMessage, response: ServerResponse): void {
    const page = request.method === "GET" ? this.#pages.get(request.url ?? "") : undefined;
    const { redirect, expected, pages } = this.#options;
    const verdict = judgeCallback(request, { ...expected, redirect, port: this.port });
    if (page !== undefined && verdict.is !== "otherHost") {
      this.#server.connections.hold(request.socket);
      response.writeHead(200, this.#headers("text/html"));
      page.open(response, pages.waiting());
      return;
    }
    switch (verdict.is) {
      case "code":
      case "declined":
        response.writeHead(303, { ...this.#headers("text/plain"), location: this.#take(verdict) });
        response.end("see the page that this leads to\n");
        return;
      case "rubbish":
        response.writeHead(400, this.#headers("text/html")).end(pages.refusal(verdict.reason));
        return;
      default:
        response
          .writeHead(verdict.status, { ...this.#headers("text/plain"), ...verdict.headers })
          .end(`${verdict.words}\n`);
    }
  }

  /** @returns where the browser is sent, so that the code leaves the address bar */
  #take(verdict: { is: "code"; code: Secret } | { is: "declined"; error: MxtokenError }): string {
    // A second tab shares the fate of the first.
    if (this.#current !== undefined) return this.#current.path;
    const page = new ResultPage(`/mxtoken/${randomBytes(16).toString("hex")}`);
    this.#pages.set(page.path, page);
    this.#current = page;
    this.#arrived = verdict.is === "code" ? { code: verdict.code } : { declined: verdict.error };
    this.#wake?.();
    return page.path;
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
