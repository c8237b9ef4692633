import { createHash } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { hasState } from "../oauth/authorization-response.ts";
import type { Clock, Net } from "../world/world.ts";
import { type LoopbackOptions, type LoopbackServer, listenOnLoopback } from "./loopback-server.ts";
import {
  type Callback,
  type LoopbackRedirect,
  placeOf,
  type Refusal,
  readCallback,
} from "./redirect.ts";
import type { ResultPage, SignInPages } from "./result-page.ts";
import type { SignIn } from "./sign-in.ts";

type FoundCallback = Extract<Callback, { is: "callback" }>;

/** HTTP status for what is no callback at all. */
const refusalStatus: Readonly<Record<Refusal, number>> = {
  otherHost: 421,
  otherMethod: 405,
  otherPath: 404,
};

/** So many of the sign-ins that have ended are known again. */
const endedLimit = 1000;

interface ListenerOptions extends LoopbackOptions {
  readonly pages: SignInPages;
}

/**
 * Waits on loopback for browsers that come back from their sign-ins (RFC 8252 section 7.3), each with
 * a state of its own.
 *
 * @throws MxtokenError `configuration` when the port cannot be had
 */
export async function startListener(
  world: Clock & Net,
  options: ListenerOptions,
): Promise<Listener> {
  let listener: Listener | undefined;
  const server = await listenOnLoopback(world, options, (request, response) =>
    listener?.handle(request, response),
  );
  listener = new Listener(world, options.pages, server);
  return listener;
}

/** The listener that sign-ins come back to. */
export class Listener {
  readonly server: LoopbackServer;
  readonly #world: Net;
  readonly #pages: SignInPages;
  /** by the digest of the state: how long a search takes tells nothing of a state */
  readonly #expected = new Map<string, { signIn: SignIn; place: string }>();
  /** digests of states, the oldest first */
  readonly #ended = new Set<string>();
  readonly #redirects = new Map<string, LoopbackRedirect>();
  readonly #open = new Map<string, ResultPage>();

  constructor(world: Net, pages: SignInPages, server: LoopbackServer) {
    this.#world = world;
    this.#pages = pages;
    this.server = server;
  }

  /** From now on an answer to this sign-in is taken. */
  expect(signIn: SignIn, redirect: LoopbackRedirect): void {
    const place = placeOf(redirect);
    this.#redirects.set(place, redirect);
    this.#expected.set(digestOf(signIn.request.expected.state), { signIn, place });
  }

  /** From now on whoever comes back from this sign-in is told that it has ended. */
  end({ request }: SignIn): void {
    const digest = digestOf(request.expected.state);
    this.#expected.delete(digest);
    this.#ended.add(digest);
    const [oldest = ""] = this.#ended;
    if (this.#ended.size > endedLimit) this.#ended.delete(oldest);
  }

  /** Nobody will ask for these pages any more. */
  forget(pages: Iterable<ResultPage>): void {
    for (const { path } of pages) this.#open.delete(path);
  }

  /** Answers one request; only a valid answer to a pending sign-in goes further than this. */
  handle(request: IncomingMessage, response: ServerResponse): void {
    const callback = readCallback(request, this.#redirects.values(), this.server.port);
    if (callback.is === "callback") {
      this.#answer(callback, response);
      return;
    }
    const page = callback.is === "otherPath" ? this.#open.get(request.url ?? "") : undefined;
    if (page !== undefined) {
      this.server.hold(request.socket);
      response.writeHead(200, this.#headers("text/html"));
      page.open(response, this.#pages.waiting());
      return;
    }
    this.#world.trace(`the listener refused a request: ${callback.is}`);
    if (callback.is === "otherMethod") response.setHeader("allow", "GET");
    response
      .writeHead(refusalStatus[callback.is], this.#headers("text/plain"))
      .end(`${this.#pages.refusal(callback.is)}\n`);
  }

  #answer({ place, state, parameters }: FoundCallback, response: ServerResponse): void {
    const digest = digestOf(state ?? "");
    const expected = this.#expected.get(digest);
    if (expected?.place !== place || !hasState(parameters, expected.signIn.request.expected)) {
      const hasEnded = this.#ended.has(digest);
      this.#world.trace(`the listener refused ${hasEnded ? "a late" : "another sign-in's"} answer`);
      response
        .writeHead(hasEnded ? 410 : 400, this.#headers("text/html"))
        .end(hasEnded ? this.#pages.ended() : this.#pages.noAnswer(undefined));
      return;
    }
    const took = expected.signIn.take(parameters);
    if (took.is === "rubbish") {
      this.#world.trace("the listener refused an answer that is none");
      response.writeHead(400, this.#headers("text/html")).end(this.#pages.noAnswer(took.reason));
      return;
    }
    const { page } = took;
    this.#open.set(page.path, page);
    // So the code leaves the address bar.
    response.writeHead(303, { ...this.#headers("text/plain"), location: page.path }).end();
  }

  #headers(type: "text/html" | "text/plain"): Record<string, string> {
    return {
      "content-type": `${type}; charset=utf-8`,
      "content-security-policy": this.#pages.policy,
      "cache-control": "no-store",
      "referrer-policy": "no-referrer",
      "x-content-type-options": "nosniff",
      "cross-origin-opener-policy": "same-origin",
      "cross-origin-resource-policy": "same-origin",
      connection: "close",
    };
  }
}

function digestOf(state: string): string {
  return createHash("sha256").update(state).digest("base64");
}
