import { constants } from "node:os";
import { MxtokenError } from "../errors.ts";

const certificateProblems: Readonly<Record<string, string>> = {
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "its issuer is not trusted here",
  UNABLE_TO_GET_ISSUER_CERT: "its issuer is not trusted here",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "its issuer is not trusted here",
  SELF_SIGNED_CERT_IN_CHAIN: "its issuer is not trusted here",
  DEPTH_ZERO_SELF_SIGNED_CERT: "it is self-signed",
  CERT_HAS_EXPIRED: "it has expired",
  CERT_NOT_YET_VALID: "it is not valid yet; is the clock right?",
  CERT_REVOKED: "it was revoked",
  ERR_TLS_CERT_ALTNAME_INVALID: "it was issued for another name",
  HOSTNAME_MISMATCH: "it was issued for another name",
};

const networkProblems: Readonly<Record<string, string>> = {
  ECONNREFUSED: "the connection was refused",
  ECONNRESET: "the connection was dropped",
  EPIPE: "the connection was dropped",
  UND_ERR_SOCKET: "the connection was dropped",
  ENOTFOUND: "its name could not be looked up; is it right, and do the network and DNS work?",
  EAI_AGAIN: "its name could not be looked up; do the network and DNS work?",
  ENETUNREACH: "the network is unreachable",
  EHOSTUNREACH: "the host is unreachable",
  ETIMEDOUT: "nobody answered in time",
  CONNECT_TIMEOUT: "nobody answered in time",
  GREETING_TIMEOUT: "the server did not say anything",
  UND_ERR_CONNECT_TIMEOUT: "nobody answered in time",
  ERR_SSL_WRONG_VERSION_NUMBER: "the server does not speak TLS on this port",
  ERR_SSL_PACKET_LENGTH_TOO_LONG: "the server does not speak TLS on this port",
  EPROXY: "the proxy refused",
  ProxyError: "the proxy could not be used",
  HTTPParserError: "what it answered is not HTTP",
};

/** A broken connection does not tell whether the other side had read the request. */
export const mayHaveArrived =
  "the request may have arrived all the same: if the server has replaced the refresh token, the next run will ask for a sign-in";

const droppedCodes: ReadonlySet<string> = new Set(["ECONNRESET", "EPIPE", "UND_ERR_SOCKET"]);

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

function isOfNetwork(code: string): boolean {
  if (misuse.has(code)) return false;
  return code in networkProblems || systemCodes.has(code) || networkCode.test(code);
}

/**
 * Says why a connection to `where` (host or host:port) could not be made or broke off, from
 * Node's, undici's or imapflow's error. A certificate's failure is named as such: it is never
 * retried without verification.
 *
 * @throws the error itself where its code is no network's: it is a defect of ours, and says nothing
 * about the server
 */
export function networkError(where: string, error: unknown): MxtokenError {
  const chain = [...causes(error)];
  for (const { code } of chain) {
    const problem = code === undefined ? undefined : certificateProblems[code];
    if (problem !== undefined) {
      return new MxtokenError(
        "unreachable",
        `the certificate of ${where} cannot be trusted: ${problem} (${code})`,
        {
          cause: error,
          hint:
            problem.startsWith("its issuer") || problem.startsWith("it is self-signed")
              ? "if this certificate authority is yours, pass it with --ca-file; otherwise somebody stands between you and the server"
              : undefined,
        },
      );
    }
  }
  for (const { code } of chain) {
    const problem = code === undefined ? undefined : networkProblems[code];
    if (problem !== undefined) {
      return new MxtokenError("unreachable", `cannot reach ${where}: ${problem}`, {
        cause: error,
        hint: droppedCodes.has(code ?? "") ? mayHaveArrived : undefined,
      });
    }
  }
  const code = chain
    .map((link) => link.code)
    .find((name) => name !== undefined && isOfNetwork(name));
  if (code === undefined) throw error;
  return new MxtokenError("unreachable", `cannot reach ${where}: the connection failed (${code})`, {
    cause: error,
  });
}

function* causes(error: unknown): Generator<{ code: string | undefined }> {
  let link = error;
  for (let depth = 0; link instanceof Error && depth < 8; depth += 1) {
    const code = "code" in link && typeof link.code === "string" ? link.code : undefined;
    // undici's has no code where llhttp's number has no name.
    yield { code: link.name === "HTTPParserError" ? link.name : code };
    if (link instanceof AggregateError) for (const inner of link.errors) yield* causes(inner);
    link = "_err" in link ? link._err : link.cause;
  }
}
