import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { MxtokenError } from "../../src/errors.ts";
import type { Protocol } from "../../src/mail-server.ts";
import { Answered, judge } from "../../src/proof/judge.ts";
import { read } from "../../src/proof/reading.ts";
import type { Heard, Line } from "../../src/proof/transcript.ts";
import { connectionError } from "../../src/world/network-error.ts";

/** How a conversation ended: by the last answer, or by a connection that did. */
type End = "answered" | "closed" | "broken pipe";

const where = "mail.example:993";

/** A conversation, a line each; `C ` and `S ` say whose. */
function heard(protocol: Protocol, conversation: readonly string[], tokenLength = 1200): Heard {
  const lines = conversation.map((line): Line => {
    const by = line.startsWith("C ") ? "client" : "server";
    return { by, text: line.slice(2) };
  });
  return { protocol, where, login: "foo@a.example", tokenLength, say: String, lines };
}

function judged(conversation: Heard, end: End) {
  if (end === "answered") return judge(conversation, new Answered());
  return judge(conversation, connectionError(end === "closed" ? "ECONNRESET" : "EPIPE"));
}

function challenge(words: object): string {
  return Buffer.from(JSON.stringify(words)).toString("base64");
}

const imap = ["S * OK IMAP4rev1 ready", "C 1 CAPABILITY", "S * CAPABILITY AUTH=XOAUTH2"];
const imapLogin = [...imap, "S 1 OK done", "C 2 AUTHENTICATE XOAUTH2", "S + ", "C (* value *)"];
const imapBox = [...imapLogin, "S 2 OK logged in", 'C 3 LIST "" *'];
const pop = ["S +OK ready", "C CAPA", "S +OK", "S SASL XOAUTH2", "S ."];
const popLogin = [...pop, "C AUTH XOAUTH2", "S + ", "C (* value *)"];
const smtp = ["S 220 mx ESMTP", "C EHLO [127.0.0.1]", "S 250-mx\n250 AUTH XOAUTH2"];
const smtpLogin = [...smtp, "C AUTH XOAUTH2", "S 334 ", "C (* value *)"];
const refusal = challenge({ status: "401", schemes: "bearer mac", scope: "mail" });
const invalid = challenge({ status: "invalid_token", scope: "mail" });
const broken = challenge({ status: "500" });

interface Transcript {
  readonly what: string;
  readonly lines: readonly string[];
  readonly end?: End;
  readonly tokenLength?: number;
  readonly result?: "refused" | "unreachable";
  readonly reason: RegExp;
  readonly cause?: string;
}

const transcripts: Readonly<Record<Protocol, readonly Transcript[]>> = {
  imap: [
    {
      what: "Gmail refuses",
      lines: [
        ...imapLogin,
        `S + ${refusal}`,
        "C ",
        "S 2 NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)",
      ],
      result: "refused",
      reason:
        /^mail\.example:993 refused the token: \[AUTHENTICATIONFAILED\] Invalid credentials \(Failure\) \(status 401, schemes bearer mac, scope mail\)$/,
      cause: "imap-login-refused",
    },
    {
      what: "Gmail wants a person in a browser",
      lines: [
        ...imapLogin,
        "S * NO [WEBALERT https://accounts.google.com/signin/continue?sarp=1] Web login required.",
        `S + ${refusal}`,
        "C ",
        "S 2 NO [ALERT] Please log in via your web browser: https://support.google.com/mail/accounts/answer/78754 (Failure)",
      ],
      result: "refused",
      reason:
        /refused the token: \[ALERT\] Please log in via .*; the server's alert: Web login required\. https:\/\/accounts\.google\.com\/signin\/continue\?sarp=1$/,
    },
    {
      what: "Gmail has trouble",
      lines: [
        ...imapLogin,
        "S 2 NO [UNAVAILABLE] Temporary authentication failure. Try again later.",
      ],
      reason: /could not answer now: \[UNAVAILABLE\]/,
    },
    {
      what: "a code that refuses, with words that sound like trouble",
      lines: [...imapLogin, "S 2 NO [AUTHORIZATIONFAILED] please try again later"],
      result: "refused",
      reason: /refused the token/,
    },
    {
      what: "no code, and words that sound like trouble",
      lines: [...imapLogin, "S 2 NO please try again later"],
      reason: /could not answer now/,
    },
    {
      what: "Exchange refuses",
      lines: [...imapLogin, "S 2 NO AUTHENTICATE failed."],
      result: "refused",
      reason: /refused the token: AUTHENTICATE failed\.$/,
    },
    {
      what: "Exchange opens no mailbox",
      lines: [...imapBox, "S 3 BAD User is authenticated but not connected."],
      result: "refused",
      reason: /accepted the token but not the mailbox: User is authenticated but not connected\.$/,
      cause: "token-of-another-mailbox",
    },
    {
      what: "Exchange opens no mailbox, and says so at the login",
      lines: [...imapLogin, "S 2 BAD User is authenticated but not connected."],
      result: "refused",
      reason: /refused the token: User is authenticated/,
      cause: "token-of-another-mailbox",
    },
    {
      what: "Exchange is throttling",
      lines: [
        ...imapBox,
        "S 3 BAD Request is throttled. Suggested Backoff Time: 92415 milliseconds",
      ],
      reason: /could not answer now: Request is throttled/,
    },
    {
      what: "Exchange's back end is away",
      lines: [...imapLogin, "S 2 NO Server Unavailable. 15"],
      reason: /could not answer now: Server Unavailable\. 15$/,
    },
    {
      what: "Dovecot refuses",
      lines: [
        ...imapLogin,
        `S + ${invalid}`,
        "C ",
        "S 2 NO [AUTHENTICATIONFAILED] Authentication failed.",
      ],
      result: "refused",
      reason: /\(status invalid_token, scope mail\)$/,
    },
    {
      what: "Dovecot could not ask the authorization server",
      lines: [
        ...imapLogin,
        `S + ${broken}`,
        "C ",
        "S 2 NO [AUTHENTICATIONFAILED] Authentication failed.",
      ],
      reason: /could not answer now/,
    },
    {
      what: "Dovecot's limit on responses",
      lines: [...imapLogin, "S * BYE Authentication response too large"],
      tokenLength: 9000,
      reason: /hung up during the login: Authentication response too large$/,
      cause: "token-too-long",
    },
    {
      what: "a hang-up in place of an answer to a long token",
      lines: imapLogin,
      end: "closed",
      tokenLength: 9000,
      reason: /hung up during the login without a word$/,
      cause: "token-too-long",
    },
    {
      what: "a hang-up in place of an answer to a short token",
      lines: imapLogin,
      end: "broken pipe",
      reason: /hung up during the login without a word$/,
      cause: "mail-server-hung-up",
    },
    {
      what: "a hang-up after an error challenge",
      lines: [...imapLogin, `S + ${invalid}`, "C "],
      end: "closed",
      reason: /hung up during the login: status invalid_token, scope mail$/,
      cause: "mail-server-hung-up",
    },
    {
      what: "a hang-up before the login",
      lines: imap,
      end: "closed",
      reason: /mail\.example:993 hung up without a word$/,
    },
    {
      what: "a hang-up in the mailbox",
      lines: imapBox,
      end: "closed",
      reason: /hung up after the login without a word$/,
    },
    {
      what: "a BYE that sounds like a refusal",
      lines: [...imapLogin, "S * BYE Authentication failed"],
      reason: /hung up during the login: Authentication failed$/,
    },
    {
      what: "a BYE after a refusal",
      lines: [
        ...imapLogin,
        "S 2 NO [AUTHENTICATIONFAILED] no",
        "S * BYE Too many invalid login attempts",
      ],
      result: "refused",
      reason: /refused the token: \[AUTHENTICATIONFAILED\] no$/,
    },
    {
      what: "a warning before a hang-up",
      lines: [...imapLogin, "S * NO the database is down"],
      end: "closed",
      reason: /hung up during the login: the database is down$/,
    },
    {
      what: "a BYE for a greeting",
      lines: ["S * BYE Too many connections from your address"],
      reason: /hung up: Too many connections/,
    },
    ...["NO", "BAD"].map((status) => ({
      what: `${status} for a greeting`,
      lines: [`S * ${status} not from your network`],
      reason: /hung up: not from your network$/,
    })),
    ...[
      ["220 mx.example ESMTP Postfix", "SMTP"],
      ["220-ProFTPD ready", "FTP"],
      ["+OK Dovecot ready.", "POP3"],
      ["SSH-2.0-OpenSSH_9.2p1", "SSH"],
      ["HTTP/1.1 400 Bad Request", "HTTP"],
      ["<!DOCTYPE html>", "HTTP"],
      ["200 news.example ready", "NNTP"],
      ['"IMPLEMENTATION" "Dovecot Pigeonhole"', "ManageSieve"],
    ].map(([greeting = "", name = ""]) => ({
      what: `${name}'s greeting`,
      lines: [`S ${greeting}`],
      end: "closed" as const,
      reason: new RegExp(`does not speak IMAP but ${name}: `),
      cause: "another-protocol",
    })),
    {
      what: "a greeting that nobody knows",
      lines: ["S @RSYNCD: 31.0"],
      end: "closed",
      reason: /does not speak IMAP: @RSYNCD: 31\.0$/,
      cause: "another-protocol",
    },
    {
      what: "STARTTLS is refused",
      lines: [
        "S * OK ready",
        "C 1 CAPABILITY",
        "S 1 OK",
        "C 2 STARTTLS",
        "S 2 NO TLS is not configured",
      ],
      reason: /refuses STARTTLS: TLS is not configured, and a token is never sent without TLS$/,
      cause: "no-starttls",
    },
    {
      what: "STARTTLS is answered by a BYE",
      lines: ["S * OK ready", "C 1 CAPABILITY", "S 1 OK", "C 2 STARTTLS", "S * BYE bye"],
      reason: /hung up when TLS was to begin: bye$/,
    },
    {
      what: "an alert before TLS is anybody's",
      lines: [
        "S * OK [ALERT] call 555",
        "C 1 STARTTLS",
        "S 1 OK",
        "C 2 AUTHENTICATE XOAUTH2",
        "S 2 NO [AUTHENTICATIONFAILED] no",
      ],
      result: "refused",
      reason: /refused the token: \[AUTHENTICATIONFAILED\] no$/,
    },
    {
      what: "Cyrus",
      lines: [...imapLogin, "S 2 NO authentication failure"],
      result: "refused",
      reason: /refused the token/,
    },
    {
      what: "Yahoo has trouble",
      lines: [...imapLogin, "S 2 NO [TEMPFAIL] (#YAM012) Server error - Please try again later"],
      reason: /could not answer now/,
    },
    {
      what: "Courier cuts a line off",
      lines: [...imapLogin, "S 2 BAD Error in IMAP command received by server."],
      tokenLength: 9000,
      reason: /did not take the token, and does not say that it refuses it/,
      cause: "token-too-long",
    },
    {
      what: "an answer without a tag",
      lines: [...imapLogin, "S NO [AUTHENTICATIONFAILED] no"],
      result: "refused",
      reason: /refused the token/,
    },
    {
      what: "an answer with another tag",
      lines: [...imapLogin, "S 7 NO [AUTHENTICATIONFAILED] no"],
      end: "closed",
      reason: /hung up during the login without a word$/,
    },
    { what: "no word at all", lines: [], end: "closed", reason: /the connection was dropped$/ },
  ],
  pop: [
    {
      what: "Gmail refuses",
      lines: [
        ...popLogin,
        `S + ${refusal}`,
        "C ",
        "S -ERR [AUTH] Username and password not accepted.",
      ],
      result: "refused",
      reason: /refused the token: \[AUTH\] Username and password not accepted\. \(status 401/,
      cause: "pop-login-refused",
    },
    {
      what: "Exchange refuses",
      lines: [...popLogin, "S -ERR Authentication failure: unknown user name or bad password."],
      result: "refused",
      reason: /refused the token: Authentication failure/,
      cause: "pop-login-refused",
    },
    {
      what: "POP is switched off",
      lines: [...popLogin, "S -ERR [SYS/PERM] Your account is not enabled for POP access."],
      result: "refused",
      reason: /refused the token: \[SYS\/PERM\]/,
    },
    {
      what: "trouble",
      lines: [...popLogin, "S -ERR [SYS/TEMP] Temporary system problem"],
      reason: /could not answer now/,
    },
    {
      what: "another session has the maildrop",
      lines: [...popLogin, "S +OK", "C STAT", "S -ERR [IN-USE] locked"],
      reason: /could not answer now: \[IN-USE\] locked$/,
    },
    {
      what: "a maildrop that is denied",
      lines: [...popLogin, "S +OK", "C STAT", "S -ERR access denied"],
      result: "refused",
      reason: /accepted the token but not the mailbox: access denied$/,
    },
    {
      what: "a greeting that lets nobody in",
      lines: ["S -ERR not from your network"],
      reason: /hung up: not from your network$/,
    },
    {
      what: "IMAP's greeting",
      lines: ["S * OK IMAP4rev1 ready"],
      reason: /does not speak POP3 but IMAP: \* OK IMAP4rev1 ready$/,
      cause: "another-protocol",
    },
    {
      what: "STLS is refused",
      lines: ["S +OK", "C STLS", "S -ERR unknown command"],
      reason: /refuses STARTTLS: unknown command/,
      cause: "no-starttls",
    },
    {
      what: "a line that is too long for it",
      lines: [...popLogin, "S -ERR Input line too long"],
      tokenLength: 3000,
      reason: /does not say that it refuses it: Input line too long$/,
      cause: "token-too-long",
    },
    {
      what: "a hang-up",
      lines: popLogin,
      end: "closed",
      reason: /hung up during the login without a word$/,
      cause: "mail-server-hung-up",
    },
    {
      what: "an answer of another protocol",
      lines: [...popLogin, "S HTTP/1.1 400 Bad Request"],
      reason: /does not speak POP3: HTTP\/1\.1 400 Bad Request$/,
    },
    {
      what: "no end of challenges",
      lines: [...popLogin, "S + bm8=", "C ", "S + bm8="],
      reason: /does not speak POP3: \+ bm8=$/,
    },
  ],
  smtp: [
    {
      what: "Gmail refuses",
      lines: [
        ...smtpLogin,
        `S 334 ${refusal}`,
        "C ",
        "S 535-5.7.8 Username and Password not accepted. For more information, go to\n535 5.7.8  https://support.google.com/mail/?p=BadCredentials",
      ],
      result: "refused",
      reason:
        /refused the token: 535 5\.7\.8 Username and Password not accepted\. For more information, go to +https:\/\/support\.google\.com\/mail\/\?p=BadCredentials \(status 401/,
      cause: "smtp-login-refused",
    },
    {
      what: "SMTP AUTH is switched off for everybody",
      lines: [
        ...smtpLogin,
        "S 535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant. Visit https://aka.ms/smtp_auth_disabled for more information.",
      ],
      result: "refused",
      reason: /refused the token: 535 5\.7\.139/,
      cause: "smtp-switched-off-for-tenant",
    },
    {
      what: "Exchange has trouble",
      lines: [...smtpLogin, "S 451 4.7.0 Temporary server error. Please try again later. PRX5"],
      reason: /could not answer now: 451 4\.7\.0/,
    },
    {
      what: "Postfix refuses",
      lines: [
        ...smtpLogin,
        `S 334 ${invalid}`,
        "C ",
        "S 535 5.7.8 Error: authentication failed: (reason unavailable)",
      ],
      result: "refused",
      reason: /refused the token: 535 5\.7\.8/,
    },
    {
      what: "Postfix's Dovecot could not ask",
      lines: [...smtpLogin, "S 535 5.7.8 Error: authentication failed: (reason unavailable)"],
      reason: /could not answer now/,
    },
    {
      what: "Postfix's limit on lines",
      lines: [...smtpLogin, "S 500 5.5.6 Authentication exchange line too long"],
      tokenLength: 13_000,
      reason: /does not say that it refuses it: 500 5\.5\.6 Authentication exchange line too long$/,
      cause: "token-too-long",
    },
    {
      what: "a line that was cut off",
      lines: [...smtpLogin, "S 500 5.5.2 Error: bad syntax"],
      tokenLength: 4000,
      reason: /does not say that it refuses it: 500 5\.5\.2/,
      cause: "token-too-long",
    },
    {
      what: "another code that refuses",
      lines: [...smtpLogin, "S 525 5.7.13 User account disabled"],
      result: "refused",
      reason: /refused the token: 525/,
      cause: "smtp-login-refused",
    },
    {
      what: "421 in place of an answer",
      lines: [...smtpLogin, "S 421 4.7.0 Too many errors"],
      reason: /hung up during the login: 421 4\.7\.0 Too many errors$/,
    },
    {
      what: "421 for a greeting",
      lines: ["S 421 4.3.2 Service not available"],
      reason: /hung up: 421 4\.3\.2/,
    },
    {
      what: "554 for a greeting",
      lines: ["S 554 5.7.1 not from your network"],
      reason: /hung up: 554 5\.7\.1 not from your network$/,
    },
    {
      what: "EHLO and HELO are refused",
      lines: [
        "S 220 mx",
        "C EHLO [127.0.0.1]",
        "S 550 no",
        "C HELO [127.0.0.1]",
        "S 550 5.7.1 go away",
      ],
      reason: /could not answer now: 550 5\.7\.1 go away$/,
    },
    {
      what: "STARTTLS is refused",
      lines: [...smtp, "C STARTTLS", "S 454 TLS not available due to temporary reason"],
      reason: /refuses STARTTLS: 454 TLS not available/,
      cause: "no-starttls",
    },
    {
      what: "IMAP's greeting",
      lines: ["S * OK [CAPABILITY IMAP4rev1] ready"],
      reason: /does not speak SMTP but IMAP/,
    },
    {
      what: "a hang-up",
      lines: smtpLogin,
      end: "closed",
      reason: /hung up during the login without/,
    },
  ],
};

for (const protocol of ["imap", "pop", "smtp"] as const) {
  describe(protocol, () => {
    for (const transcript of transcripts[protocol]) {
      const { what, lines, end = "answered", tokenLength, reason, cause } = transcript;
      test(what, () => {
        const verdict = judged(heard(protocol, lines, tokenLength), end);
        assert.equal(verdict.result, transcript.result ?? "unreachable", verdict.reason);
        assert.match(verdict.reason, reason);
        if (cause !== undefined) assert.equal(verdict.causeId, cause);
      });
    }
  });
}

test("a server that offers nothing because it is in trouble has refused nothing", () => {
  const error = new MxtokenError("mailboxRefused", "offers no mechanism at all", {
    causeId: "no-token-taken-here",
  });
  for (const [protocol, lines] of [
    ["imap", ["S * OK ready", "C 1 CAPABILITY", "S 1 NO busy"]],
    ["imap", ["S * OK ready", "C 1 CAPABILITY", "S * BYE Temporary problem"]],
    ["smtp", ["S 220 mx", "C EHLO [127.0.0.1]", "S 451 4.3.0 trouble", "C HELO x", "S 250 mx"]],
  ] as const) {
    const verdict = judge(heard(protocol, lines), error);
    assert.equal(verdict.result, "unreachable", verdict.reason);
    assert.match(verdict.reason, /could not answer now|hung up/);
  }
  const whole = judge(heard("imap", ["S * OK ready", "C 1 CAPABILITY", "S 1 OK"]), error);
  assert.equal(whole.result, "refused");
});

test("how long a server asks to wait is read wherever it says it", () => {
  const words = "Request is throttled. Suggested Backoff Time: 92415 milliseconds";
  for (const line of [`S 2 BAD ${words}`, `S * BYE ${words}`]) {
    assert.equal(judged(heard("imap", [...imapLogin, line]), "answered").retryAfter, 93);
  }
});

test("alerts are there whatever the result is, each once, and only what came with TLS", () => {
  const lines = [
    ...["S * OK [ALERT] before TLS", "C 1 STARTTLS", "S 1 OK", "C 2 CAPABILITY"],
    ...["S * OK [ALERT] The disk is nearly full", "S 2 OK", "C 3 AUTHENTICATE XOAUTH2", "S 3 OK"],
    ...[
      "C 4 LIST",
      "S * NO [ALERT] The disk is nearly full",
      "S * ok [alert] Mind the gap",
      "S 4 OK",
    ],
  ];
  const { alerts } = read(heard("imap", lines));
  assert.deepEqual(alerts, ["The disk is nearly full", "Mind the gap"]);
});

test("an error of ours is told as it is, and a defect is thrown", () => {
  const conversation = heard("imap", imapLogin);
  const error = new MxtokenError("mailboxRefused", "takes no token");
  assert.equal(judge(conversation, error).reason, "takes no token");
  assert.throws(() => judge(heard("imap", ["S 220 no"]), new TypeError("a defect")), TypeError);
});

test("whatever is said: there is a verdict, and no refusal without words or codes that refuse", () => {
  const word = fc.constantFrom(..."* + 2 NO BAD BYE OK 535 -ERR +OK 334 hello x".split(" "));
  const line = fc.array(word, { maxLength: 6 }).map((words) => `S ${words.join(" ")}`);
  const protocols = fc.constantFrom<Protocol>("imap", "pop", "smtp");
  fc.assert(
    fc.property(
      protocols,
      fc.array(line),
      fc.constantFrom<End>("answered", "closed"),
      (protocol, said, end) => {
        const begin = { imap: imapLogin, pop: popLogin, smtp: smtpLogin }[protocol];
        const verdict = judged(heard(protocol, [...begin, ...said]), end);
        assert.ok(verdict.reason.startsWith(where), verdict.reason);
        if (verdict.result === "refused") assert.match(said.join("\n"), /^S 535/m);
      },
    ),
  );
});
