import type { Socket } from "node:net";
import type { buildConnector } from "undici";
import { diagnosed } from "../causes/diagnose.ts";
import { hostAndPort, proxyFor } from "../proxy.ts";
import { trustAlso } from "./builtins.ts";
import {
  connectTimeout,
  connectTo,
  startTls,
  type TlsTrust,
  tlsOptions,
  whenEnded,
} from "./connecting.ts";
import { withoutInterim } from "./http-answers.ts";
import { connectionError, networkError, ProxyFailure } from "./network-error.ts";
import { openTunnel } from "./tunnel.ts";
import { deadline } from "./waiting.ts";
import type { Environment } from "./world.ts";

/** What a connection for requests is made with. */
interface Way extends TlsTrust {
  readonly env: Environment;
  /** ends it */
  readonly stop: AbortSignal;
}

/** Through the proxy where there is one; TLS is not begun. */
function open(url: URL, { env, stop, secureContext }: Way): Promise<Socket> {
  const port = Number(url.port || (url.protocol === "https:" ? 443 : 80));
  const listener = { host: hostOf(url), port };
  const proxy = proxyFor(url, env);
  return proxy === undefined
    ? connectTo(listener, stop)
    : openTunnel(proxy, listener, { secureContext, stop });
}

/** Without the brackets of an IPv6 address. */
function hostOf({ hostname }: URL): string {
  return hostname.replace(/^\[(.*)\]$/, "$1");
}

/**
 * Connects for one request; where this fails, nobody has heard it.
 *
 * @throws MxtokenError `unreachable`, `configuration`
 */
export async function connectFor(
  url: URL,
  {
    ca,
    env,
    signal,
  }: { readonly ca: string | undefined; readonly env: Environment; readonly signal: AbortSignal },
): Promise<Socket> {
  const secureContext = trustAlso(ca, env["NODE_EXTRA_CA_CERTS"]);
  return inTime(url, env, [signal], async (stop) => {
    const socket = await open(url, { env, stop, secureContext });
    if (url.protocol !== "https:") return socket;
    return startTls(socket, { host: hostOf(url), secureContext, protocols: ["http/1.1"] }, stop);
  });
}

/** Connections for undici that are ours. */
interface Connector {
  readonly connect: buildConnector.connector;
  /** gives up those that are being made */
  end(): void;
}

/**
 * The same for undici, which resumes TLS sessions; interim responses, which it does not take, are taken off.
 */
export async function connectorFor(ca: string | undefined, env: Environment): Promise<Connector> {
  const { default: make } = await import("undici/lib/core/connect.js");
  const secureContext = trustAlso(ca, env["NODE_EXTRA_CA_CERTS"]);
  const beginTls = make({ ...tlsOptions({ secureContext }), timeout: 0 });
  const begin = async (url: URL, target: buildConnector.Options, stop: AbortSignal) => {
    const socket = await open(url, { env, stop, secureContext });
    if (url.protocol !== "https:") return socket;
    return new Promise<Socket>((resolve, reject) => {
      whenEnded(stop, () => {
        socket.destroy();
        // Of a socket that ends without an error, undici's connector says nothing.
        reject(connectionError("CONNECT_TIMEOUT"));
      });
      const options = { ...target, httpSocket: socket };
      beginTls(options, (...[error, secure]) => (error === null ? resolve(secure) : reject(error)));
    });
  };
  const ended = new AbortController();
  return {
    end: () => ended.abort("ended"),
    connect(target, callback) {
      const url = new URL(`${target.protocol}//${target.host}`);
      inTime(url, env, [ended.signal], (stop) => begin(url, target, stop)).then(
        (socket) => callback(null, withoutInterim(socket)),
        (error) => callback(error instanceof Error ? error : new Error(String(error)), null),
      );
    },
  };
}

/** @throws MxtokenError `unreachable`, also where it takes too long; a defect as it is */
async function inTime(
  url: URL,
  env: Environment,
  ends: readonly AbortSignal[],
  connect: (stop: AbortSignal) => Promise<Socket>,
): Promise<Socket> {
  const done = new AbortController();
  const stop = AbortSignal.any([...ends, deadline(connectTimeout, done.signal)]);
  try {
    return await connect(stop);
  } catch (error) {
    const isLate = stop.aborted && !(error instanceof ProxyFailure);
    const cause = isLate ? connectionError("CONNECT_TIMEOUT", error) : error;
    const failure = networkError(placeOf(url, env), cause);
    throw failure.with(diagnosed({ ...failure.facts, isInDoubt: false }));
  } finally {
    // With a reason of our own: Node's would hold a stack trace.
    done.abort("done");
  }
}

/** The server of a request, and the proxy on the way to it. */
export function placeOf(url: URL, env: Environment): string {
  const proxy = proxyFor(url, env);
  return proxy === undefined ? url.host : `${url.host} (HTTPS_PROXY is ${hostAndPort(proxy)})`;
}
