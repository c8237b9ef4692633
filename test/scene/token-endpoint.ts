import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { closer } from "./authorization-server.ts";
import type { Certificates } from "./certificates.ts";

/** What a scripted token endpoint does with one request. */
export type Answer =
  | {
      status: number;
      headers?: Record<string, string>;
      body: string | object;
      /** half of the body is sent, and then nothing more; called when that is on its way */
      onStall?: () => void;
      /** called when all of it is on its way */
      onSent?: () => void;
    }
  /** the connection is closed without an answer */
  | "drop";

/** What a request is beside its parameters. */
export interface Sent {
  readonly method: string;
  readonly path: string;
  readonly authorization: string | undefined;
}

/** A token endpoint that answers as it is told, for what no real server does on demand. */
export interface TokenEndpoint {
  readonly uri: string;
  /** of every path */
  readonly origin: string;
  /** the bodies of all requests */
  readonly requests: URLSearchParams[];
  /** what happens to the next requests; may wait */
  answer: (request: URLSearchParams, sent: Sent) => Answer | Promise<Answer>;
  /** whether a connection is dropped before anything is said */
  isAway: boolean;
  close(): Promise<void>;
}

export async function startTokenEndpoint(certificates: Certificates): Promise<TokenEndpoint> {
  const server = createServer({ key: certificates.key, cert: certificates.cert });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const endpoint: TokenEndpoint = {
    uri: `https://localhost:${port}/token`,
    origin: `https://localhost:${port}`,
    requests: [],
    answer: () => ({ status: 500, body: "no answer was scripted" }),
    isAway: false,
    close: closer(server),
  };
  server.on("connection", (socket) => {
    if (endpoint.isAway) socket.destroy();
  });
  server.on("request", (request: IncomingMessage, response: ServerResponse) => {
    void handle(endpoint, request, response);
  });
  return endpoint;
}

async function handle(
  endpoint: TokenEndpoint,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (endpoint.isAway) {
    response.destroy();
    return;
  }
  let body = "";
  for await (const chunk of request) body += String(chunk);
  const parameters = new URLSearchParams(body);
  endpoint.requests.push(parameters);
  const { method = "", url = "", headers } = request;
  const answer = await endpoint.answer(parameters, {
    method,
    path: url,
    authorization: headers.authorization,
  });
  if (answer === "drop") {
    response.destroy();
    return;
  }
  response.writeHead(answer.status, {
    "content-type": typeof answer.body === "string" ? "text/html" : "application/json",
    ...answer.headers,
  });
  const text = typeof answer.body === "string" ? answer.body : JSON.stringify(answer.body);
  if (answer.onStall === undefined) response.end(text, answer.onSent);
  else response.write(text.slice(0, text.length / 2), answer.onStall);
}

/**
 * An account at a server that rotates refresh tokens and revokes the whole family when a spent one
 * comes back, as Okta, Auth0 and oidc-provider do.
 */
export class RotatingAccount {
  #serial = 0;
  readonly #expiresIn: number | undefined;
  current: string;
  isAlive = true;
  /** whether a spent token has come back */
  isReused = false;
  /** every token that was handed out */
  readonly secrets: string[];

  /** @param expiresIn seconds; undefined: it does not say */
  constructor(name = "initial-token", expiresIn: number | undefined = 3600) {
    this.current = `refresh-0-${name}`;
    this.secrets = [this.current];
    this.#expiresIn = expiresIn;
  }

  readonly answer = (request: URLSearchParams): Answer => {
    const isSpent = request.get("refresh_token") !== this.current;
    if (!this.isAlive || isSpent) {
      this.isReused ||= isSpent;
      this.isAlive = false;
      return {
        status: 400,
        body: { error: "invalid_grant", error_description: "token was reused" },
      };
    }
    this.#serial += 1;
    this.current = `refresh-${this.#serial}-${crypto.randomUUID()}`;
    const accessToken = `access-${this.#serial}-${crypto.randomUUID()}`;
    this.secrets.push(this.current, accessToken);
    return {
      status: 200,
      body: {
        access_token: accessToken,
        refresh_token: this.current,
        token_type: "Bearer",
        ...(this.#expiresIn === undefined ? {} : { expires_in: this.#expiresIn }),
      },
    };
  };
}
