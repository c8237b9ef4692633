import { constants } from "node:os";
import type { CauseRow, Facts } from "../causes/cause.ts";
import { certificateRows, networkRows } from "../causes/connection-rows.ts";
import { causeOf, explained, fitting } from "../causes/diagnose.ts";
import { proxyRows } from "../causes/proxy-rows.ts";
import { MxtokenError } from "../errors.ts";
import { hostAndPort, type ProxyServer } from "../proxy.ts";

/** Codes of undici that say it was not asked as it wants to be. */
const misuse: ReadonlySet<string> = new Set([
  "UND_ERR_INVALID_ARG",
  "UND_ERR_INVALID_RETURN_VALUE",
  "UND_ERR_NOT_SUPPORTED",
  "UND_ERR_REQ_CONTENT_LENGTH_MISMATCH",
  "UND_ERR_DESTROYED",
  "UND_ERR_CLOSED",
]);

/**
 * Names of Node's for TLS and for the resolver, of OpenSSL for certificates, of llhttp for what is no
 * HTTP, of undici.
 */
const networkCode =
  /^(?:ERR_TLS_|ERR_SSL_|ERR_SOCKET_C|ERR_STREAM_PREMATURE_CLOSE|EAI_|HPE_|UND_ERR_|UNABLE_TO_|CERT_|CRL_|ERROR_IN_C|SELF_SIGNED_|DEPTH_ZERO_|INVALID_CA|INVALID_PURPOSE|PATH_LENGTH_|HOSTNAME_|UNSPECIFIED)/;

/** Names of system errors, and of the resolver's that are none. */
const systemCodes: ReadonlySet<string> = new Set([
  ...Object.keys(constants.errno),
  ...["ENOTFOUND", "ENODATA", "EREFUSED", "ESERVFAIL", "EBADRESP", "ECANCELLED"],
]);

/** A failure in Node's form, for {@link networkError}. */
export function connectionError(code: string, cause?: unknown): Error {
  return Object.assign(new Error(code, { cause }), { code });
}

/** The way to a server ends at the proxy. */
export class ProxyFailure extends Error {
  readonly proxy: ProxyServer;
  /** what the proxy answered; without a code, it was not reached, and the error's cause says why */
  readonly facts: Facts;

  constructor(proxy: ProxyServer, facts: Facts, cause?: unknown) {
    super("the proxy opens no tunnel", { cause });
    this.proxy = proxy;
    this.facts = {
      ...{ proxy: hostAndPort(proxy), setting: proxy.setting },
      ...{ isWithoutCredentials: proxy.credentials === undefined, isInDoubt: false },
      ...facts,
    };
  }
}

/**
 * Says why a connection to `where` (host or host:port) could not be made or broke off, from
 * Node's, undici's or imapflow's error. A certificate's failure is named as such: it is never
 * retried without verification. Where a proxy was not reached, it is the proxy's.
 *
 * @throws the error itself where its code is no network's: it is a defect of ours, and says nothing
 * about the server
 */
export function networkError(where: string, error: unknown): MxtokenError {
  const failure = error instanceof ProxyFailure ? error : undefined;
  const known = { host: where, ...failure?.facts };
  const isProxyReached = failure === undefined || failure.facts.code !== undefined;
  const place = isProxyReached ? where : `the proxy ${known.proxy} (${known.setting})`;
  const codes = failure?.facts.code === undefined ? [...codesOf(error)] : [failure.facts.code];
  const certificate = firstKnown(certificateRows, codes, known);
  if (certificate !== undefined) {
    const { row, facts } = certificate;
    const message = `the certificate of ${place} cannot be trusted: ${causeOf(row, facts)} (${facts.code})`;
    return new MxtokenError("unreachable", message, { cause: error, ...explained(row.id, facts) });
  }
  const network = firstKnown([...networkRows, ...proxyRows], codes, known);
  if (network !== undefined) {
    const { row } = network;
    const isInDoubt = row.id === "connection-dropped" && failure === undefined;
    const facts = { ...network.facts, isInDoubt };
    const message = `cannot reach ${place}: ${causeOf(row, facts)}`;
    return new MxtokenError("unreachable", message, { cause: error, ...explained(row.id, facts) });
  }
  const code = codes.find(
    (each) => !misuse.has(each) && (systemCodes.has(each) || networkCode.test(each)),
  );
  if (code === undefined) throw error;
  const message = `cannot reach ${place}: the connection failed (${code})`;
  return new MxtokenError("unreachable", message, { cause: error, facts: { ...known, code } });
}

function firstKnown<Row extends CauseRow>(
  rows: readonly Row[],
  codes: readonly string[],
  known: Facts,
) {
  for (const code of codes) {
    const facts = { ...known, code };
    const [row] = fitting(rows, facts);
    if (row !== undefined) return { facts, row };
  }
  return undefined;
}

function* codesOf(error: unknown): Generator<string> {
  let link = error;
  for (let depth = 0; link instanceof Error && depth < 8; depth += 1) {
    // undici's has no code where llhttp's number has no name.
    if (link.name === "HTTPParserError") yield link.name;
    else if ("code" in link && typeof link.code === "string") yield link.code;
    if (link instanceof AggregateError) for (const inner of link.errors) yield* codesOf(inner);
    link = "_err" in link ? link._err : link.cause;
  }
}
