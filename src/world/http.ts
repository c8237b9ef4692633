import { MxtokenError } from "../errors.ts";
import { certificateAuthorities } from "./certificate-authorities.ts";
import { networkError } from "./network-error.ts";
import type { HttpReply, HttpRequest } from "./world.ts";

const bodyLimit = 1024 * 1024;

/**
 * Sends one request through undici: its own fetch takes a certificate authority and the proxy of
 * the environment (HTTPS_PROXY, NO_PROXY) on every Node version, and refuses redirects.
 *
 * @throws MxtokenError `unreachable`
 */
export async function sendRequest(
  request: HttpRequest,
  env: Readonly<Record<string, string | undefined>>,
): Promise<HttpReply> {
  // A bundled CommonJS package has its members only in its default export.
  const { EnvHttpProxyAgent, fetch } = (await import("undici")).default;
  const ca = certificateAuthorities(request.ca, env["NODE_EXTRA_CA_CERTS"]);
  const tls = ca === undefined ? {} : { ca };
  const httpsProxy = proxyOf(env);
  const dispatcher = new EnvHttpProxyAgent({
    connect: tls,
    requestTls: tls,
    proxyTls: tls,
    // Empty strings switch the agent's own look into the environment off.
    httpProxy: "",
    httpsProxy: httpsProxy ?? "",
    noProxy: env["no_proxy"] ?? env["NO_PROXY"] ?? "",
  });
  const { host } = new URL(request.url);
  const where =
    httpsProxy === undefined ? host : `${host} (HTTPS_PROXY is ${new URL(httpsProxy).host})`;
  try {
    const response = await fetch(request.url, {
      method: request.method,
      headers: { ...request.headers },
      redirect: "manual",
      dispatcher,
      signal: request.signal,
      ...(request.body === undefined ? {} : { body: request.body }),
    });
    const { body, truncated } = await readBody(response.body, request.signal);
    return {
      status: response.status,
      headers: new Headers([...response.headers]),
      body,
      truncated,
    };
  } catch (error) {
    if (request.signal.aborted) {
      throw new MxtokenError("unreachable", `cannot reach ${where}: nobody answered in time`, {
        cause: error,
      });
    }
    throw networkError(where, error);
  } finally {
    await dispatcher.destroy();
  }
}

/**
 * The proxy that the environment names for HTTPS; `host:port` without a scheme is a common way to
 * write it.
 *
 * @throws MxtokenError `configuration`
 */
export function proxyOf(env: Readonly<Record<string, string | undefined>>): string | undefined {
  const text = (env["https_proxy"] ?? env["HTTPS_PROXY"])?.trim();
  if (text === undefined || text === "") return undefined;
  const url = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`;
  if (URL.canParse(url) && ["http:", "https:"].includes(new URL(url).protocol)) return url;
  // The text is not shown: it may hold a password.
  throw new MxtokenError("configuration", "HTTPS_PROXY must look like http://host:3128");
}

async function readBody(
  stream: AsyncIterable<Uint8Array> | null,
  signal: AbortSignal,
): Promise<{ body: string; truncated: boolean }> {
  if (stream === null) return { body: "", truncated: false };
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of stream) {
    signal.throwIfAborted();
    chunks.push(chunk);
    size += chunk.length;
    if (size > bodyLimit) return { body: Buffer.concat(chunks).toString("utf8"), truncated: true };
  }
  return { body: Buffer.concat(chunks).toString("utf8"), truncated: false };
}
