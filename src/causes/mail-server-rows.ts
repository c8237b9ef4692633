import type { CauseRow, Facts } from "./cause.ts";

/** Mail servers that could not be asked whether they take the token, by whoever has met it. */
export const mailServerRows = [
  {
    id: "no-starttls",
    who: "you",
    cause: "the server begins no TLS, and a token is never sent without it",
    remedy: ({ port }) => [`is there a port with TLS at once, usually ${port}?`],
    source: "RFC 8314 section 3",
  },
  {
    id: "token-too-long",
    matches: [
      {
        said: /\b(?:line|response|argument|command|exchange|token|input|literal|string|buffer|data)\b.{0,40}\b(?:too (?:long|large|big)|length|overflow)|\btoo (?:long|large|big)\b.{0,40}\b(?:line|response|argument|command|exchange|token|input|literal|string|data)\b/i,
        // Shorter ones fit into the lines of any server.
        tokenLength: /^\d{4,}$/,
      },
    ],
    examples: [
      { said: "500 5.5.6 Authentication exchange line too long", tokenLength: 13_000 },
      { said: "Authentication response too large", tokenLength: 9000 },
      { said: "500 Line too long", tokenLength: 2500 },
      { said: "BAD Command line too long", tokenLength: 2500 },
      { said: "-ERR Too long argument", tokenLength: 2500 },
    ],
    who: "administrator",
    cause: "the token may be too long for the server",
    remedy: ({ tokenLength }) => [
      `the token has ${tokenLength} characters, which may be too long for this server: its administrator can allow longer lines (Postfix: line_length_limit and smtpd_sasl_response_limit), or the authorization server can put less into its tokens, such as the groups of the person`,
    ],
    source: "RFC 4954 section 4.1, RFC 9051 section 4",
  },
  {
    id: "mail-server-hung-up",
    who: "provider",
    cause: "the server ended the connection",
    remedy: ({ said = "" }) => [
      said === ""
        ? "if it goes on, the log of the server tells why"
        : "if it goes on, ask whoever runs the server what it means",
    ],
    source: "RFC 9051 section 7.1.5",
  },
  {
    id: "another-protocol",
    who: "you",
    cause: "another kind of server listens there",
    remedy: ({ protocol = "imap" }: Facts) => {
      const { option, implicit, starttls } = usualPorts[protocol];
      return [
        `is the port right? ${protocol.toUpperCase()} with TLS at once usually has ${implicit}, with STARTTLS ${starttls} (${option})`,
      ];
    },
    source: "RFC 8314 section 3",
  },
] as const satisfies readonly CauseRow[];

const usualPorts = {
  imap: { option: "--imap-server", implicit: 993, starttls: 143 },
  pop: { option: "--pop-server", implicit: 995, starttls: 110 },
  smtp: { option: "--smtp-server", implicit: 465, starttls: 587 },
} as const;
