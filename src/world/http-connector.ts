import type { Socket } from "node:net";
import type { buildConnector } from "undici";
import { diagnosed } from "../causes/diagnose.ts";
import { hostAndPort, proxyFor } from "../proxy.ts";
import { trustAlso } from "./builtins.ts";
import { connectTimeout, connectTo, tlsOptions, whenEnded } from "./connecting.ts";
import { withoutInterim } from "./http-answers.ts";
import { connectionError, networkError, ProxyFailure } from "./network-error.ts";
import { openTunnel } from "./tunnel.ts";
import { deadline } from "./waiting.ts";
import type { Environment } from "./world.ts";

/** Connections for undici that are ours. */
interface Connector {
  readonly connect: buildConnector.connector;
  /** gives up those that are being made */
  end(): void;
}

/**
 * Goes through the proxy where there is one, and takes off the interim responses that undici does not
 * take. What is not connected is an error of ours, and nobody has heard the request.
 */
export async function connectorFor(ca: string | undefined, env: Environment): Promise<Connector> {
  const { default: make } = await import("undici/lib/core/connect.js");
  const secureContext = trustAlso(ca, env["NODE_EXTRA_CA_CERTS"]);
  const beginTls = make({ ...tlsOptions({ secureContext }), timeout: 0 });
  const open = async (target: buildConnector.Options, stop: AbortSignal) => {
    const { hostname, protocol, host } = target;
    const isSecure = protocol === "https:";
    const listener = { host: hostname, port: Number(target.port || (isSecure ? 443 : 80)) };
    const proxy = proxyFor(new URL(`${protocol}//${host}`), env);
    const socket =
      proxy === undefined
        ? await connectTo(listener, stop)
        : await openTunnel(proxy, listener, { secureContext, stop });
    if (!isSecure) return socket;
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
  const waiting = new Set<AbortController>();
  return {
    end: () => {
      for (const each of waiting) each.abort("ended");
    },
    connect(target, callback) {
      const stop = new AbortController();
      const done = new AbortController();
      waiting.add(stop);
      whenEnded(deadline(connectTimeout, done.signal), () => stop.abort("late"));
      open(target, stop.signal)
        .finally(() => {
          done.abort("done");
          waiting.delete(stop);
        })
        .then(
          (socket) => callback(null, withoutInterim(socket)),
          (error) => callback(notConnected(target, env, { error, stop: stop.signal }), null),
        );
    },
  };
}

function notConnected(
  { protocol, host }: buildConnector.Options,
  env: Environment,
  { error, stop }: { readonly error: unknown; readonly stop: AbortSignal },
): Error {
  const where = placeOf(new URL(`${protocol}//${host}`), env);
  const isLate = stop.aborted && !(error instanceof ProxyFailure);
  try {
    const failure = networkError(where, isLate ? connectionError("CONNECT_TIMEOUT", error) : error);
    return failure.with(diagnosed({ ...failure.facts, isInDoubt: false }));
  } catch (defect) {
    return defect instanceof Error ? defect : new Error("not an error", { cause: defect });
  }
}

/** The server of a request, and the proxy on the way to it. */
export function placeOf(url: URL, env: Environment): string {
  const proxy = proxyFor(url, env);
  return proxy === undefined ? url.host : `${url.host} (HTTPS_PROXY is ${hostAndPort(proxy)})`;
}
