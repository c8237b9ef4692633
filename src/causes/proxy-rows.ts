import type { CauseRow, Facts } from "./cause.ts";

const connect = "RFC 9110 section 9.3.6";
const authentication = "RFC 9110 section 11.7.1";
const socks = "RFC 1928 section 6";

const noMethod = 255;

/** tinyproxy answers 401 to a wrong password. */
const loginStatuses = [407, 401];

/** How user and password stand in a proxy's address. */
export const withCredentials =
  "http://USER:PASSWORD@HOST:PORT, where # / ? @ % and \\ of the user and the password are written %23 %2F %3F %40 %25 and %5C";

/**
 * Proxies that open no tunnel. `EPROXY`: an answer to CONNECT (`status`); `ESOCKS`: a reply of SOCKS
 * (`socksReply`).
 */
export const proxyRows = [
  {
    id: "proxy-without-basic",
    matches: [{ code: "EPROXY", status: 407, schemes: /^(?!.*\bbasic\b)/i }],
    examples: [{ code: "EPROXY", status: 407, schemes: ["Negotiate", "NTLM"] }],
    who: "administrator",
    cause: (facts) =>
      `the proxy wants a login by ${facts.schemes?.join(" or ") || "a scheme of its own"} (${answered(facts)}), and mxtoken knows Basic alone`,
    remedy:
      "ask for a login by Basic, or name a proxy on this machine that logs in there for others, as cntlm and px do",
    source: authentication,
  },
  {
    id: "proxy-wants-login",
    matches: [
      ...loginStatuses.map((status) => ({ code: "EPROXY", status, isWithoutCredentials: true })),
      { code: "ESOCKS", socksReply: noMethod, isWithoutCredentials: true },
    ],
    who: "you",
    cause: (facts) => `the proxy wants a user and a password (${answered(facts)})`,
    remedy: ({ setting = "its address" }) => [`say them in ${setting}, as in ${withCredentials}`],
    source: authentication,
  },
  {
    id: "proxy-refuses-login",
    matches: [
      ...loginStatuses.map((status) => ({ code: "EPROXY", status })),
      { code: "ESOCKS", socksReply: noMethod },
      { code: "ESOCKSLOGIN" },
    ],
    who: "you",
    cause: (facts) => `the proxy does not take the user and the password (${answered(facts)})`,
    remedy: ({ setting = "its address" }) => [
      `look at what ${setting} says; it is written as in ${withCredentials}`,
    ],
    source: authentication,
  },
  {
    id: "proxy-forbids",
    matches: [
      { code: "EPROXY", status: 403 },
      { code: "ESOCKS", socksReply: 2 },
    ],
    who: "administrator",
    cause: (facts) => `the proxy does not allow this connection (${answered(facts)})`,
    remedy: "ask whoever runs the proxy to let it through; many let only port 443 through",
    source: connect,
  },
  {
    id: "proxy-does-not-get-there",
    matches: [
      ...[502, 503, 504].map((status) => ({ code: "EPROXY", status })),
      ...[1, 3, 4, 5, 6].map((socksReply) => ({ code: "ESOCKS", socksReply })),
    ],
    who: "provider",
    cause: (facts) => `the proxy could not connect to it (${answered(facts)})`,
    source: connect,
  },
  {
    id: "proxy-does-not-know-how",
    matches: [
      ...[400, 404, 405, 501].map((status) => ({ code: "EPROXY", status })),
      ...[7, 8].map((socksReply) => ({ code: "ESOCKS", socksReply })),
    ],
    who: "you",
    cause: (facts) =>
      `what answers there takes no such connections (${answered(facts)}); is it a proxy, and of this kind?`,
    source: connect,
  },
  {
    id: "proxy-of-socks-four-refused",
    matches: [91, 92, 93].map((socksReply) => ({ code: "ESOCKS", socksReply })),
    who: "administrator",
    cause: (facts) => `the proxy refused or could not connect to it (${answered(facts)})`,
    remedy:
      "ask whoever runs the proxy whether it lets this connection through, and for which user",
    source: "https://www.openssh.com/txt/socks4.protocol",
  },
  {
    id: "proxy-without-ip-six",
    matches: [{ code: "ESOCKSV6" }],
    who: "you",
    cause: "the proxy speaks SOCKS 4, which knows no IPv6 addresses",
    remedy: "name the server, or a proxy of SOCKS 5",
    source: "https://www.openssh.com/txt/socks4.protocol",
  },
  {
    id: "proxy-refused",
    matches: [{ code: "EPROXY" }, { code: "ESOCKS" }],
    who: "administrator",
    cause: (facts) => `the proxy refused (${answered(facts)})`,
    remedy: "ask whoever runs the proxy",
    source: connect,
  },
  {
    id: "proxy-is-none",
    matches: [{ code: "EPROXYPROTOCOL" }],
    who: "you",
    cause:
      "what answers there does not answer as a proxy of this kind does; are its port and its scheme right?",
    source: "RFC 9112 section 4",
  },
  {
    id: "proxy-hung-up",
    matches: [{ code: "EPROXYCLOSED" }],
    who: "you",
    cause:
      "the proxy ended the connection without an answer; are its port and its scheme right, and may this machine use it?",
    source: socks,
  },
  {
    id: "proxy-silent",
    matches: [{ code: "EPROXYSILENT" }],
    who: "you",
    cause:
      "the proxy took the connection and did not answer in time; are its port and its scheme right?",
    source: connect,
  },
] as const satisfies readonly CauseRow[];

/** Replies of SOCKS 5 (RFC 1928 section 6) and 4, and 255, which takes none of our methods (section 3). */
const socksReplies: Readonly<Record<number, string>> = {
  1: "general failure",
  2: "not allowed by the ruleset",
  3: "network unreachable",
  4: "host unreachable",
  5: "connection refused",
  6: "TTL expired",
  7: "command not supported",
  8: "address type not supported",
  91: "rejected or failed",
  92: "no identd on this machine",
  93: "another user by identd",
  255: "no acceptable method",
};

function answered({ status, said, socksReply, code }: Facts): string {
  if (status !== undefined) return said ? `${status} ${said}` : `status ${status}`;
  if (code === "ESOCKSLOGIN") return "SOCKS: wrong user or password";
  if (socksReply === undefined) return "without a reason";
  const words = socksReplies[socksReply];
  return words === undefined ? `SOCKS reply ${socksReply}` : `SOCKS: ${words}`;
}
