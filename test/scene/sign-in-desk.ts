import { readFileSync } from "node:fs";
import { request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import { join } from "node:path";
import type { Event } from "../../src/events.ts";
import { signInPages } from "../../src/report/page.ts";
import { loopbackRedirect } from "../../src/sign-in/redirect.ts";
import type { SignIn } from "../../src/sign-in/sign-in.ts";
import { SignInDesk } from "../../src/sign-in/sign-in-desk.ts";
import { temporaryDirectory } from "./certificates.ts";
import { partsOf } from "./visit.ts";
import type { TestWorld } from "./world.ts";

export const issuer = "https://login.example.test";

const client = {
  id: "client",
  authorizationEndpoint: `${issuer}/authorize`,
  issuer,
  isIssuerInAnswer: false,
  scope: "mail",
  resource: undefined,
  usesPkce: true,
  authorizationParameters: {},
  loginHint: "foo@example.test",
};

/** One for all tests of a file: a key takes its time. */
const certificateDirectory = join(temporaryDirectory(), "certs");

/** The listener's certificate, PEM; only after an HTTPS listener was begun. */
export function listenerCertificate(): string {
  return readFileSync(join(certificateDirectory, "localhost.crt"), "utf8");
}

export function openDesk(world: TestWorld, isLasting = false): SignInDesk {
  const certificateCommand = "mxtoken cert";
  return new SignInDesk(world, {
    ...{ certificateDirectory, certificateCommand, isLasting },
    pages: signInPages,
  });
}

/** A sign-in that was begun, what its browser knows, and what was told. */
export interface Begun {
  readonly signIn: SignIn;
  readonly state: string;
  /** as it stands in the sign-in address */
  readonly redirectUri: string;
  readonly port: number;
  readonly told: readonly Event[];
  /** where a browser comes back to with this code */
  answer(code: string): string;
}

export async function beginSignIn(
  desk: SignInDesk,
  redirectUri = "https://localhost",
  port?: number,
): Promise<Begun> {
  const told: Event[] = [];
  const listenAt = loopbackRedirect(redirectUri, { port, scheme: undefined });
  const tell = (event: Event) => told.push(event);
  const signIn = await desk.begin({ client, redirectUri, listenAt, tell });
  const { state, redirectUri: sent } = partsOf(signIn.request.url);
  const { pathname } = new URL(sent);
  return {
    ...{ signIn, state, told, redirectUri: sent },
    port: signIn.request.listener?.port ?? 0,
    answer: (code) => `${pathname}?${new URLSearchParams({ code, state, iss: issuer })}`,
  };
}

export interface Reply {
  readonly status: number;
  readonly headers: Record<string, string | string[] | undefined>;
  readonly body: string;
}

export interface Asked {
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string;
  readonly address?: string;
  readonly host?: string;
}

/** One request to a listener; over HTTPS it is verified against the listener's certificate. */
export function askListener(
  { redirectUri, port }: Pick<Begun, "redirectUri" | "port">,
  path: string,
  asked: Asked = {},
): Promise<Reply> {
  const { method = "GET", address = "127.0.0.1", host = new URL(redirectUri).host } = asked;
  const isTls = redirectUri.startsWith("https:");
  const trust = isTls ? { servername: "localhost", ca: listenerCertificate() } : {};
  const send = isTls ? httpsRequest : httpRequest;
  return new Promise((resolve, reject) => {
    const request = send(
      {
        ...{ host: address, port, method, path, ...trust },
        headers: { host, ...asked.headers },
        agent: false,
      },
      (response) => {
        let body = "";
        response.setEncoding("utf8");
        response.on("data", (chunk: string) => {
          body += chunk;
        });
        response.on("error", reject);
        response.on("end", () =>
          resolve({ status: response.statusCode ?? 0, headers: response.headers, body }),
        );
      },
    );
    request.on("error", reject);
    request.on("connect", ({ statusCode = 0, headers }, socket) => {
      socket.destroy();
      resolve({ status: statusCode, headers, body: "" });
    });
    request.end(asked.body);
  });
}

/** The next code of a sign-in. */
export async function nextCode({ signIn }: Begun): Promise<string> {
  const { code } = await signIn.code(new AbortController().signal);
  return code.reveal();
}
