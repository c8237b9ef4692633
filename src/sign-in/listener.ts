import { createHash } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Tell } from "../events.ts";
import type { Clock, Net } from "../world/world.ts";
import { type Callback, type CallbackRequest, mayBeForm, readCallback } from "./callback.ts";
import {
  type LoopbackOptions,
  type LoopbackServer,
  listenOnLoopback,
  readBody,
} from "./loopback-server.ts";
import type { LoopbackRedirect } from "./redirect.ts";
import {
  headersFor,
  type ResultPage,
  type SignInPages,
  type Trouble,
  troubleAnswer,
  type UselessAnswer,
  uselessAnswer,
} from "./result-page.ts";
import type { SignIn } from "./sign-in.ts";

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
  const server = await listenOnLoopback(world, options, {
    onRequest: (request, response) => listener?.handle(request, response),
    onTrouble: (trouble) => listener?.meet(trouble) ?? "",
  });
  listener = new Listener(world, options, server);
  return listener;
}

/** A sign-in that is waited for. */
interface Pending {
  readonly signIn: SignIn;
  /** of its redirect URI */
  readonly path: string;
  readonly tell: Tell;
}

/** The listener that sign-ins come back to. */
export class Listener {
  readonly server: LoopbackServer;
  readonly #world: Net;
  readonly #pages: SignInPages;
  readonly #scheme: "http" | "https";
  /** by the digest of the state: how long a search takes tells nothing of a state */
  readonly #expected = new Map<string, Pending>();
  /** digests of states, the oldest first */
  readonly #ended = new Set<string>();
  readonly #redirects = new Map<string, LoopbackRedirect>();
  readonly #open = new Map<string, ResultPage>();

  constructor(world: Net, { pages, keyPair }: ListenerOptions, server: LoopbackServer) {
    this.#world = world;
    this.#pages = pages;
    this.#scheme = keyPair === undefined ? "http" : "https";
    this.server = server;
  }

  /**
   * From now on an answer to this sign-in is taken.
   *
   * @param tell told of what comes in the place of an answer
   */
  expect(signIn: SignIn, redirect: LoopbackRedirect, tell: Tell): void {
    const { host, path } = redirect;
    this.#redirects.set(host + path, redirect);
    this.#expected.set(digestOf(signIn.request.expected.state), { signIn, path, tell });
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
    const { method, url, headers, socket } = request;
    const isUnencrypted = this.#scheme === "https" && !("encrypted" in socket);
    const found = { method, url, headers, isUnencrypted };
    if (isUnencrypted || !mayBeForm(found)) {
      this.#answer(found, response);
      return;
    }
    readBody(request, formLimit).then((form) => this.#answer({ ...found, form }, response));
  }

  /**
   * Tells those that are waited for of what came in the place of a request.
   *
   * @returns the same in plain text
   */
  meet(trouble: Trouble): string {
    const what = troubleAnswer(trouble);
    this.#miss(what, this.#expected.values());
    return `${what.reason}; ${what.remedy}\n`;
  }

  #answer(request: CallbackRequest, response: ServerResponse): void {
    const callback = readCallback(request, {
      scheme: this.#scheme,
      port: this.server.port,
      redirects: [...this.#redirects.values()],
      signInOf: (state) => {
        const digest = digestOf(state);
        return this.#expected.get(digest) ?? (this.#ended.has(digest) ? "ended" : undefined);
      },
    });
    switch (callback.is) {
      case "answer":
        this.#take(callback, response);
        return;
      case "useless":
        this.#refuse(callback, response);
        return;
      case "redirect":
        response.writeHead(307, { ...this.#headers("text/plain"), location: callback.location });
        response.end();
        return;
      case "other":
        this.#show(request.url ?? "", callback, response);
    }
  }

  #take(callback: Extract<Callback<Pending>, { is: "answer" }>, response: ServerResponse): void {
    const { signIn: pending, parameters } = callback;
    const took = pending.signIn.take(parameters);
    if (took.is === "rubbish") {
      const what = uselessAnswer(took.kind, took.reason);
      this.#refuse({ is: "useless", status: 400, what, signIn: pending, isTold: true }, response);
      return;
    }
    const { page } = took;
    this.#open.set(page.path, page);
    // So the code leaves the address bar.
    response.writeHead(303, { ...this.#headers("text/plain"), location: page.path }).end();
  }

  #refuse(callback: Extract<Callback<Pending>, { is: "useless" }>, response: ServerResponse): void {
    const { status, what, signIn, isTold } = callback;
    if (isTold) this.#miss(what, signIn === undefined ? this.#expected.values() : [signIn]);
    this.#world.trace(`the listener refused a request: ${what.kind}`);
    if (status === 405) response.setHeader("allow", allowed);
    response.writeHead(status, this.#headers("text/html")).end(this.#pages.useless(what));
  }

  /** A page of the listener's, or nothing. */
  #show(
    path: string,
    { status, refusal }: Extract<Callback<Pending>, { is: "other" }>,
    response: ServerResponse,
  ): void {
    const page = refusal === "otherPath" ? this.#open.get(path) : undefined;
    if (page !== undefined && response.socket !== null) {
      this.server.hold(response.socket);
      response.writeHead(200, this.#headers("text/html"));
      page.open(response, this.#pages.waiting());
      return;
    }
    this.#world.trace(`the listener refused a request: ${refusal}`);
    if (status === 405) response.setHeader("allow", allowed);
    response
      .writeHead(status, this.#headers("text/plain"))
      .end(`${this.#pages.refusal(refusal)}\n`);
  }

  /** What is of no use to anybody is told to all that wait, to each of them once. */
  #miss(what: UselessAnswer, pending: Iterable<Pending>): void {
    const { kind, reason, remedy, known } = what;
    const isExpected = kind === "distrust";
    const tells = [...pending].filter(({ signIn }) => signIn.miss(what)).map(({ tell }) => tell);
    for (const tell of new Set(tells)) {
      tell({ is: "uselessAnswer", reason, hint: known?.hint, remedy, isExpected });
    }
  }

  #headers(type: "text/html" | "text/plain") {
    return headersFor(this.#pages.policy, type);
  }
}

const allowed = "GET, POST";

/** No answer is longer, with a code of several kilobytes; bytes. */
const formLimit = 64 * 1024;

function digestOf(state: string): string {
  return createHash("sha256").update(state).digest("base64");
}
