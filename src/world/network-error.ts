import { constants } from "node:os";
import type { CauseRow } from "../causes/cause.ts";
import { certificateRows, networkRows } from "../causes/connection-rows.ts";
import { causeOf, explained, fitting } from "../causes/diagnose.ts";
import { MxtokenError } from "../errors.ts";

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

/**
 * Says why a connection to `where` (host or host:port) could not be made or broke off, from
 * Node's, undici's or imapflow's error. A certificate's failure is named as such: it is never
 * retried without verification.
 *
 * @throws the error itself where its code is no network's: it is a defect of ours, and says nothing
 * about the server
 */
export function networkError(where: string, error: unknown): MxtokenError {
  const codes = [...codesOf(error)];
  const certificate = firstKnown(certificateRows, codes);
  if (certificate !== undefined) {
    const { code, row } = certificate;
    const facts = { host: where, code };
    const message = `the certificate of ${where} cannot be trusted: ${causeOf(row, facts)} (${code})`;
    return new MxtokenError("unreachable", message, { cause: error, ...explained(row.id, facts) });
  }
  const network = firstKnown(networkRows, codes);
  if (network !== undefined) {
    const { code, row } = network;
    const facts = { host: where, code, isInDoubt: row.id === "connection-dropped" };
    const message = `cannot reach ${where}: ${causeOf(row, facts)}`;
    return new MxtokenError("unreachable", message, { cause: error, ...explained(row.id, facts) });
  }
  const code = codes.find(
    (each) => !misuse.has(each) && (systemCodes.has(each) || networkCode.test(each)),
  );
  if (code === undefined) throw error;
  const message = `cannot reach ${where}: the connection failed (${code})`;
  return new MxtokenError("unreachable", message, { cause: error, facts: { host: where, code } });
}

function firstKnown<Row extends CauseRow>(rows: readonly Row[], codes: readonly string[]) {
  for (const code of codes) {
    const [row] = fitting(rows, { code });
    if (row !== undefined) return { code, row };
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
