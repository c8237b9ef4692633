import { setFlagsFromString } from "node:v8";
import { explained } from "../causes/diagnose.ts";
import { MxtokenError } from "../errors.ts";
import { unlessStopped } from "./connecting.ts";
import { decode, upTo } from "./http-answers.ts";
import { connectorFor, placeOf } from "./http-connector.ts";
import { networkError } from "./network-error.ts";
import type { Environment, HttpPool, HttpReply, HttpRequest } from "./world.ts";

/** Octets, as they come and decoded. */
const bodyLimit = 1024 * 1024;

/** Octets; Node's own limit of 16 KiB is less than some sign-in servers send. */
const headerLimit = 64 * 1024;

/**
 * An idle connection is only used again within this time. A server that closes one at the very moment
 * when a request leaves would leave it in doubt whether that request has arrived.
 */
const idleLimit = 1000;

/**
 * The client's parser is WebAssembly. V8 would optimise that in the background, for hundreds of requests
 * that never come, and the program would wait for it at its end. It is a flag of the whole process.
 */
export function compileOnlyOnce(): void {
  setFlagsFromString("--no-wasm-tier-up");
  setFlagsFromString("--no-wasm-dynamic-tiering");
}

/**
 * Sends one request over a connection of its own.
 *
 * @throws MxtokenError `unreachable`, `configuration`
 */
export async function sendRequest(request: HttpRequest, env: Environment): Promise<HttpReply> {
  const dispatcher = await dispatcherFor(request.ca, env);
  try {
    return await sendThrough(dispatcher, request, env);
  } finally {
    await dispatcher.destroy();
  }
}

/** Requests that share connections, for a program that sends many in a row. */
export function httpPool(env: Environment): HttpPool {
  const dispatchers = new Map<string | undefined, ReturnType<typeof dispatcherFor>>();
  return {
    async http(request) {
      const dispatcher = dispatchers.get(request.ca) ?? dispatcherFor(request.ca, env);
      dispatchers.set(request.ca, dispatcher);
      return sendThrough(await dispatcher, request, env);
    },
    async close() {
      await Promise.all([...dispatchers.values()].map(async (each) => (await each).destroy()));
    },
  };
}

/**
 * undici's own client: it takes a certificate authority and connections of ours on every Node version,
 * follows no redirect, and never sends a request again, which its fetch does after a status 421.
 */
async function dispatcherFor(ca: string | undefined, env: Environment) {
  const { default: Agent } = await import("undici/lib/dispatcher/agent.js");
  const { connect, end } = await connectorFor(ca, env);
  const dispatcher = new Agent({
    // How long an answer may take, the request's signal says.
    headersTimeout: 0,
    bodyTimeout: 0,
    keepAliveTimeout: idleLimit,
    keepAliveMaxTimeout: idleLimit,
    maxHeaderSize: headerLimit,
    connect,
  });
  return {
    dispatcher,
    async destroy() {
      end();
      await dispatcher.destroy();
    },
  };
}

/** Loaded once: even to find out that it is loaded already takes its time. */
let sender: Promise<typeof import("undici/lib/api/api-request.js")> | undefined;

async function sendThrough(
  { dispatcher }: Awaited<ReturnType<typeof dispatcherFor>>,
  request: HttpRequest,
  env: Environment,
): Promise<HttpReply> {
  sender ??= import("undici/lib/api/api-request.js");
  const { default: send } = await sender;
  const url = new URL(request.url);
  const where = placeOf(url, env);
  try {
    // While it connects, undici does not look at the signal.
    const sent = send.call(dispatcher, {
      origin: url.origin,
      path: `${url.pathname}${url.search}`,
      method: request.method,
      // RFC 9110 section 12.5.3; it is decoded all the same.
      headers: { "accept-encoding": "identity", ...request.headers },
      body: request.body ?? null,
      signal: request.signal,
    });
    const response = await unlessStopped(sent, request.signal);
    const raw = await upTo(bodyLimit, response.body, request.signal);
    const headers = new Headers();
    for (const [name, value] of Object.entries(response.headers)) {
      for (const one of [value].flat()) if (one !== undefined) headers.append(name, one);
    }
    const codings = headers.get("content-encoding");
    const { bytes, truncated, undecoded } = await decode(raw, codings, bodyLimit);
    const body = bytes.toString(undecoded === undefined ? "utf8" : "base64");
    return { status: response.statusCode, headers, body, truncated, undecoded };
  } catch (error) {
    if (error instanceof MxtokenError) throw error;
    if (request.signal.aborted) {
      const facts = { host: where, code: "ETIMEDOUT", isInDoubt: true };
      throw new MxtokenError("unreachable", `cannot reach ${where}: nobody answered in time`, {
        cause: error,
        ...explained("no-answer-in-time", facts),
      });
    }
    throw networkError(where, error);
  }
}
