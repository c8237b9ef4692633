import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { closer } from "../../test/scene/authorization-server.ts";
import type { Certificates } from "../../test/scene/certificates.ts";
import type { Account, Grant } from "./account.ts";
import { pause } from "./random.ts";
import type { Exchange } from "./request-fault.ts";

/** A token endpoint that rotates refresh tokens, revokes a family when a spent one comes back, and fails. */
export class TokenServer {
  readonly uri: string;
  readonly #owners = new Map<string, Grant>();
  #underWay = 0;
  readonly #close: () => Promise<void>;
  /** called at each request of an account, before and after it was answered */
  onRequest: (account: Account) => void | Promise<void> = () => undefined;
  onAnswer: (account: Account) => void = () => undefined;
  /** called when the token was replaced, before the answer */
  onRotation: (account: Account) => void | Promise<void> = () => undefined;
  /** how many of the next connections are closed at once */
  refusals = 0;
  expiresIn = 3600;
  /** what was sent since the last reset, with the header that may hold a secret */
  readonly received: string[] = [];

  static async start({ key, cert }: Certificates): Promise<TokenServer> {
    const server = createServer({ key, cert });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    const made = new TokenServer(`https://localhost:${port}/token`, closer(server));
    server.on("connection", (socket) => {
      if (made.refusals <= 0) return;
      made.refusals -= 1;
      socket.destroy();
    });
    server.on("tlsClientError", () => undefined);
    server.on("request", (request, response) => void made.#count(request, response));
    return made;
  }

  constructor(uri: string, close: () => Promise<void>) {
    this.uri = uri;
    this.#close = close;
  }

  /** Knows a grant from now on, and forgets those before. */
  reset(accounts: readonly Account[]): void {
    this.#owners.clear();
    this.received.length = 0;
    for (const { grants } of accounts) for (const grant of grants) this.know(grant);
  }

  know(grant: Grant): void {
    this.#owners.set(grant.spent, grant);
    this.#owners.set(grant.current, grant);
  }

  /** Nothing happens at a request any more but the answer. */
  calm(): void {
    this.onRequest = () => undefined;
    this.onRotation = () => undefined;
    this.onAnswer = () => undefined;
    this.refusals = 0;
  }

  /** Resolves when nothing is being answered: what a dead process has asked for is granted all the same. */
  async idle(): Promise<void> {
    do await pause(20);
    while (this.#underWay > 0);
  }

  async #count(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.#underWay += 1;
    await this.#handle(request, response);
    this.#underWay -= 1;
  }

  close(): Promise<void> {
    return this.#close();
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.on("error", () => undefined);
    let body = "";
    try {
      for await (const chunk of request) body += String(chunk);
    } catch {
      // Whoever asked is dead, and nothing was granted.
      return;
    }
    const [, basic = ""] = request.headers.authorization?.split(" ") ?? [];
    this.received.push(`${body} ${Buffer.from(basic, "base64").toString()}`);
    const token = new URLSearchParams(body).get("refresh_token") ?? "";
    const grant = this.#owners.get(token);
    if (grant === undefined) return refuse(response);
    const { account } = grant;
    account.requests += 1;
    await this.onRequest(account);
    const fault = account.fault;
    account.fault = undefined;
    await fault?.before?.(account, grant);
    grant.isAlive &&= token === grant.current;
    if (grant.isAlive) await this.#answer(grant, response, fault);
    else refuse(response);
    account.answers += 1;
    this.onAnswer(account);
  }

  async #answer(grant: Grant, response: ServerResponse, fault: Account["fault"]): Promise<void> {
    const exchange = exchangeOf(this, grant, response);
    if (fault?.respond !== undefined) return fault.respond(exchange);
    const answer = exchange.rotate();
    await fault?.between?.(grant.account, grant);
    await this.onRotation(grant.account);
    exchange.send(200, { "content-type": "application/json" }, answer);
  }
}

function refuse(response: ServerResponse): void {
  response.writeHead(400, { "content-type": "application/json" });
  response.end(JSON.stringify({ error: "invalid_grant", error_description: "token was reused" }));
}

function exchangeOf(server: TokenServer, grant: Grant, response: ServerResponse): Exchange {
  return {
    response,
    rotate() {
      const members = grant.rotate(server.expiresIn);
      server.know(grant);
      return JSON.stringify(members);
    },
    cut() {
      if (grant.rotation !== undefined) grant.rotation.isCut = true;
      response.destroy();
    },
    send(status, headers, body) {
      const { rotation } = grant;
      response.once("finish", () => {
        if (rotation !== undefined) rotation.sentAt = process.hrtime.bigint();
      });
      response.writeHead(status, headers);
      response.end(body);
    },
  };
}
