import type { CauseRow, Facts, Who } from "./cause.ts";

const paths = "RFC 5280 section 6.1";
const validity = "RFC 5280 section 4.1.2.5";
const ownAuthority =
  "if this certificate authority is yours, pass it with --ca-file; otherwise somebody stands between you and the server";
const connecting = "POSIX, connect and getaddrinfo";

/** Certificates that cannot be trusted, by the names of OpenSSL and of Node. */
export const certificateRows = [
  coded(
    "certificate-issuer-not-trusted",
    [
      ...["UNABLE_TO_VERIFY_LEAF_SIGNATURE", "UNABLE_TO_GET_ISSUER_CERT"],
      ...["UNABLE_TO_GET_ISSUER_CERT_LOCALLY", "SELF_SIGNED_CERT_IN_CHAIN"],
    ],
    "its issuer is not trusted here",
    { who: "you", remedy: ownAuthority, source: paths },
  ),
  coded("certificate-self-signed", ["DEPTH_ZERO_SELF_SIGNED_CERT"], "it is self-signed", {
    ...{ who: "you", remedy: ownAuthority, source: paths },
  }),
  coded("certificate-expired", ["CERT_HAS_EXPIRED"], "it has expired", { source: validity }),
  coded(
    "certificate-not-yet-valid",
    ["CERT_NOT_YET_VALID"],
    "it is not valid yet; is the clock right?",
    { who: "you", source: validity },
  ),
  coded("certificate-revoked", ["CERT_REVOKED"], "it was revoked", {
    source: "RFC 5280 section 6.3",
  }),
  coded(
    "certificate-of-another-name",
    ["ERR_TLS_CERT_ALTNAME_INVALID", "HOSTNAME_MISMATCH"],
    "it was issued for another name",
    { source: "RFC 9525 section 6" },
  ),
] as const;

/** Connections that could not be made or broke off, by the names of Node, undici and llhttp. */
export const networkRows = [
  coded("connection-refused", ["ECONNREFUSED"], "the connection was refused", {
    source: connecting,
  }),
  coded(
    "connection-dropped",
    ["ECONNRESET", "EPIPE", "UND_ERR_SOCKET"],
    "the connection was dropped",
    { remedy: doubt, source: connecting },
  ),
  coded(
    "name-not-found",
    ["ENOTFOUND"],
    "its name could not be looked up; is it right, and do the network and DNS work?",
    { who: "you", source: connecting },
  ),
  coded(
    "name-not-looked-up-now",
    ["EAI_AGAIN"],
    "its name could not be looked up; do the network and DNS work?",
    { who: "you", source: connecting },
  ),
  coded("network-unreachable", ["ENETUNREACH"], "the network is unreachable", {
    source: connecting,
  }),
  coded("host-unreachable", ["EHOSTUNREACH"], "the host is unreachable", { source: connecting }),
  coded(
    "no-answer-in-time",
    ["ETIMEDOUT", "CONNECT_TIMEOUT", "UND_ERR_CONNECT_TIMEOUT"],
    "nobody answered in time",
    { remedy: doubt, source: connecting },
  ),
  coded("no-greeting", ["GREETING_TIMEOUT"], "the server did not say anything", {
    source: "RFC 9051 section 2.2",
  }),
  coded(
    "no-tls-here",
    ["ERR_SSL_WRONG_VERSION_NUMBER", "ERR_SSL_PACKET_LENGTH_TOO_LONG"],
    "the server does not speak TLS on this port",
    { source: "RFC 8446 section 5.1" },
  ),
  coded("not-http", ["HTTPParserError"], "what it answered is not HTTP", {
    source: "RFC 9112 section 2.1",
  }),
] as const;

/** A failure that is known by a code alone; where nothing else is said, the other side's own. */
function coded<const Id extends string>(
  id: Id,
  codes: readonly string[],
  cause: string,
  more: Pick<CauseRow, "remedy" | "source"> & { readonly who?: Who },
) {
  const matches = codes.map((code) => ({ code }));
  return { id, matches, cause, who: "provider", ...more } as const satisfies CauseRow;
}

/** A broken connection does not tell whether the other side had read the request. */
function doubt({ isInDoubt }: Facts): readonly string[] {
  if (isInDoubt !== true) return [];
  return [
    "the request may have arrived all the same: if the server has replaced the refresh token, the next run will ask for a sign-in",
  ];
}

/** What is wrong here, and with nobody else. */
export const localRows = [
  {
    id: "nothing-stored",
    who: "you",
    cause: "nobody has signed in here, or what was stored is gone",
    remedy: "somebody must sign in",
    source: "RFC 6749 section 4.1",
  },
  {
    id: "no-refresh-token",
    who: "you",
    cause: "no refresh token is stored, so a token that has ended has no successor",
    remedy: "somebody must sign in again",
    source: "RFC 6749 section 1.5",
  },
  {
    id: "tokens-elsewhere",
    who: "you",
    cause: ({ elsewhere }) => `the tokens are in ${elsewhere}, and are looked for in another place`,
    remedy: ({ option }) => [`pass ${option}`],
    source: "https://specifications.freedesktop.org/basedir-spec/latest/",
  },
] as const satisfies readonly CauseRow[];
