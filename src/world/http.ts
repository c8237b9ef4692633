import { type IncomingMessage, request as startRequest } from "node:http";
import { explained } from "../causes/diagnose.ts";
import { MxtokenError } from "../errors.ts";
import { unlessStopped } from "./connecting.ts";
import { decode, upTo } from "./http-answers.ts";
import { connectFor, connectorFor, placeOf } from "./http-connector.ts";
import { connectionError, networkError } from "./network-error.ts";
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
 * Sends one request over a connection of its own, by Node's own client: undici takes longer to load than
 * such a request takes.
 *
 * @throws MxtokenError `unreachable`, `configuration`
 */
export async function sendRequest(request: HttpRequest, env: Environment): Promise<HttpReply> {
  const url = new URL(request.url);
  const { method, signal, body } = request;
  return replyTo(request, env, async () => {
    const socket = await connectFor(url, { ca: request.ca, env, signal });
    try {
      const answer = await new Promise<IncomingMessage>((resolve, reject) => {
        const sent = startRequest({
          createConnection: () => socket,
          ...{ method, signal, path: `${url.pathname}${url.search}`, maxHeaderSize: headerLimit },
          headers: { host: url.host, connection: "close", ...headersOf(request) },
        });
        sent.on("response", resolve);
        // RFC 9110 section 15.2.2: nobody has asked for another protocol.
        sent.on("upgrade", () => reject(connectionError("HPE_INVALID_STATUS")));
        sent.on("error", reject);
        sent.end(body);
      });
      return await replyOf(answer.statusCode ?? 0, answer.headers, answer, signal);
    } finally {
      socket.destroy();
    }
  });
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

function sendThrough(
  { dispatcher }: Awaited<ReturnType<typeof dispatcherFor>>,
  request: HttpRequest,
  env: Environment,
): Promise<HttpReply> {
  const url = new URL(request.url);
  const { method, signal, body = null } = request;
  return replyTo(request, env, async () => {
    sender ??= import("undici/lib/api/api-request.js");
    const { default: send } = await sender;
    // While it connects, undici does not look at the signal.
    const sent = send.call(dispatcher, {
      ...{ origin: url.origin, path: `${url.pathname}${url.search}`, method, signal, body },
      headers: headersOf(request),
    });
    const { statusCode, headers, body: answer } = await unlessStopped(sent, signal);
    return replyOf(statusCode, headers, answer, signal);
  });
}

/** RFC 9110 section 12.5.3; what is coded is decoded all the same. */
function headersOf({ headers }: HttpRequest): Record<string, string> {
  return { "accept-encoding": "identity", ...headers };
}

async function replyOf(
  status: number,
  fields: Readonly<Record<string, string | readonly string[] | undefined>>,
  stream: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): Promise<HttpReply> {
  const raw = await upTo(bodyLimit, stream, signal);
  const headers = {
    get(name: string) {
      const value = fields[name];
      return value === undefined ? null : [value].flat().join(", ");
    },
  };
  const codings = headers.get("content-encoding");
  const { bytes, truncated, undecoded } = await decode(raw, codings, bodyLimit);
  const body = bytes.toString(undecoded === undefined ? "utf8" : "base64");
  return { status, headers, body, truncated, undecoded };
}

/** Says what went wrong while a request was sent and its answer read. */
async function replyTo(
  { url, signal }: HttpRequest,
  env: Environment,
  send: () => Promise<HttpReply>,
): Promise<HttpReply> {
  const where = placeOf(new URL(url), env);
  try {
    return await send();
  } catch (error) {
    if (error instanceof MxtokenError) throw error;
    if (signal.aborted) {
      const facts = { host: where, code: "ETIMEDOUT", isInDoubt: true };
      throw new MxtokenError("unreachable", `cannot reach ${where}: nobody answered in time`, {
        cause: error,
        ...explained("no-answer-in-time", facts),
      });
    }
    throw networkError(where, error);
  }
}
