import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { type Meaning, meaningOf, meaningOfWords } from "../../src/proof/server-words.ts";

/** What servers say, or may say in the same manner, without the codes before it. */
const sentences: Readonly<Record<Meaning, readonly string[]>> = {
  refusal: [
    // Gmail
    "Invalid credentials (Failure)",
    "Username and Password not accepted. For more information, go to https://support.google.com/mail/?p=BadCredentials 5b1f17b1804b1-gsmtp",
    "Application-specific password required: https://support.google.com/accounts/answer/185833 (Failure)",
    "Please log in via your web browser: https://support.google.com/mail/accounts/answer/78754 (Failure)",
    "<https://accounts.google.com/signin/continue?sarp=1> Please log in via your web browser and then try again. Learn more at https://support.google.com/mail/answer/78754 - gsmtp",
    "Web login required: https://support.google.com/mail/answer/78754",
    "Your account is not enabled for IMAP use. Please visit your Gmail settings page and enable your account for IMAP access. (Failure)",
    "Your account is not enabled for POP access. Please visit your Gmail settings page and enable your account for POP access.",
    "Unknown Mailbox: INBOX (Failure)",
    // Exchange and Outlook.com
    "AUTHENTICATE failed.",
    "LOGIN failed.",
    "Authentication failed.",
    "Authentication unsuccessful [DB6P18901CA0015.EURP189.PROD.OUTLOOK.COM]",
    "Authentication unsuccessful, the user credentials were incorrect. [AM0PR06CA0126.eurprd06.prod.outlook.com]",
    "Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant. Visit https://aka.ms/smtp_auth_disabled for more information.",
    "Authentication unsuccessful, basic authentication is disabled. [PR0P264CA0093.FRAP264.PROD.OUTLOOK.COM]",
    "Logon failure: unknown user name or bad password.",
    "Authentication failure: unknown user name or bad password.",
    "Client not authenticated to send mail. Error: 535 5.7.3 Authentication unsuccessful",
    "User not allowed to log on",
    "The user account is disabled",
    // Dovecot
    "Authentication failed.",
    "Authorization failed",
    "Password expired",
    "Plaintext authentication disallowed on non-secure (SSL/TLS) connections.",
    "Permission denied",
    "Mailbox doesn't exist: INBOX",
    "User is disabled",
    // Cyrus
    "authentication failure",
    "Login failed: authentication failure",
    "Login failed: user not found",
    "user not found",
    "Mailbox does not exist",
    "not authorized",
    "no mechanism available: password incorrect",
    // Courier
    "Login failed.",
    "Access denied.",
    "Account has been disabled",
    // Zimbra, Carbonio
    "AUTHENTICATE failed",
    "LOGIN failed: account is not active",
    "must authenticate with a valid account; invalid credentials",
    // Yahoo, AOL
    "LOGIN Invalid credentials",
    "(#AUTH012) Incorrect username or password.",
    "(#MBR1212) Incorrect username or password.",
    "AUTHENTICATE Invalid credentials",
    "Too bad: invalid login or password",
    // Yandex, Mail.ru
    "LOGIN invalid credentials or IMAP is disabled sc=cYXlpv732Cg1_010534_2-1e59ad28a72c",
    "Error: authentication failed: Invalid user or password!",
    "Error: authentication failed: This user does not have access rights to this service",
    "AUTHENTICATE This user does not have access rights to this service",
    "Authentication failed. Please verify your account by going to https://e.mail.ru/login?email=x",
    "NEOBHODIM parol prilozheniya / Application password is REQUIRED",
    // hMailServer, Kerio, MDaemon, MailEnable
    "Invalid user name or password.",
    "Authentication failed. Restarting authentication process.",
    "Bad username or password",
    "Access to this account is not permitted",
    // Postfix, Exim, OpenSMTPD, qmail, Stalwart, James
    "Error: authentication failed: another step is needed in authentication",
    "Error: authentication failed: bad protocol / cancel, invalid token",
    "Incorrect authentication data: invalid user",
    "authorization failed (#5.7.0)",
    "Authentication credentials invalid",
    "AUTHENTICATE failed. Authentication failed.",
    "The token has expired",
    "token revoked",
    "Insufficient OAuth scopes",
    "Login rejected",
    // NetEase
    "LOGIN Login error or password error",
    "SELECT Unsafe Login. Please contact kefu@188.com for help",
  ],
  trouble: [
    // Gmail
    "Too many simultaneous connections. (Failure)",
    "Account exceeded command or bandwidth limits. (Failure)",
    "System Error (Failure)",
    "Temporary System Error",
    "Temporary system problem. Please try again later. (Failure)",
    "Lookup failed 5b1f17b1804b1",
    "Server error - Please try again later",
    "Too many login attempts, please try again later. - gsmtp",
    "Cannot authenticate due to temporary system problem. Try again later. - gsmtp",
    // Exchange and Outlook.com
    "Server Unavailable. 15",
    "Server Unavailable. 21",
    "Request is throttled. Suggested Backoff Time: 92415 milliseconds",
    "Temporary server error. Please try again later. PRX4 [AM5PR0701CA0008.eurprd07.prod.outlook.com]",
    "Concurrent connections limit exceeded. Visit https://aka.ms/concurrent_sending for more information.",
    "STOREDRV.ClientSubmit; sender thread limit exceeded",
    "Service not available",
    "The mailbox database is temporarily unavailable",
    "Connection is closed. 10",
    "Microsoft Exchange service is busy",
    // Dovecot
    "Temporary authentication failure.",
    "Temporary authentication failure. [mail.example.test:2026-11-20 12:00:00]",
    "Internal error occurred. Refer to server log for more information. [2026-11-20 12:00:00]",
    "Account is temporarily unavailable.",
    "Maximum number of connections from user+IP exceeded (mail_max_userip_connections=10)",
    "Timeout while waiting for lock",
    "Mailbox is locked by another POP3 session",
    "Authentication service is away: connection to auth server lost",
    "Auth process broken: server failure",
    // Cyrus
    "Login failed: generic failure",
    "generic failure",
    "System I/O error",
    "Mailbox is locked by POP server",
    "Login failed: temporary failure",
    // Courier
    "Temporary problem, please try again later",
    "Maximum connection limit reached from ::ffff:192.0.2.1",
    "Unable to open this mailbox: system error",
    // Zimbra
    "AUTHENTICATE failed: account in maintenance mode",
    "internal server error",
    // Yahoo, AOL
    "AUTHENTICATE Server error - Please try again later",
    "LOGIN Temporary failure on server [CODE: WBL]",
    "EXAMINE Server error - Please try again later",
    "Service temporarily unavailable",
    // Yandex, Mail.ru
    "AUTHENTICATE internal server error sc=cYXlpv732Cg1",
    "LOGIN Backend error, try later",
    "Too many connections",
    "Account is temporarily blocked",
    // hMailServer, Kerio, MDaemon
    "Your mailbox is already locked",
    "Too many invalid logon attempts.",
    "Server is too busy, login denied",
    // Postfix, Exim, others
    "Temporary authentication failure: Connection lost to authentication server",
    "Unable to authenticate at present",
    "Error: too many errors",
    "Server is starting up, authentication refused",
    "Authentication failed: LDAP server down",
    "Could not connect to the authentication backend: login refused",
    "Authentication timed out",
    "Login rate exceeded: access denied",
    "Service shutting down",
    // QQ says all of it at once
    "Login fail. Account is abnormal, service is not open, password is incorrect, login frequency limited, or system is busy. More information at https://service.mail.qq.com/",
  ],
  neither: [
    "",
    "no",
    "Failure",
    "(Failure)",
    "Command Argument Error. 12",
    "Command received in Invalid state.",
    "Command is not valid in this state",
    "AUTH command is not permitted during a mail transaction",
    "Invalid SASL argument",
    "Invalid XOAUTH2 auth data [smtp-hve.office365.com]",
    "Unrecognized authentication type [AM0PR06CA0126.eurprd06.prod.outlook.com]",
    "Error in IMAP command AUTHENTICATE: Unknown command",
    "Syntax error, parameters in command unrecognized",
    "Must issue a STARTTLS command first",
    "Cannot decode response",
    "Protocol error",
    "Line too long",
    "not implemented",
    "Please try again",
    "Something went wrong",
    "Mailbox has an invalid format",
    "EXAMINE failed",
    "no route for disabled.user@denied.example",
    "see https://example.test/login/failed?reason=invalid_credentials",
    "wrong side of bed",
    "Unable to open this mailbox.",
  ],
};

for (const [meaning, texts] of Object.entries(sentences)) {
  describe(`${meaning}:`, () => {
    for (const text of texts) {
      test(JSON.stringify(text), () => {
        assert.equal(meaningOfWords(text), meaning);
        assert.equal(meaningOfWords(text.toUpperCase()), meaning);
      });
    }
  });
}

test("the tables hold over 60 sentences in both directions", () => {
  const { refusal, trouble } = sentences;
  assert.ok(refusal.length + trouble.length > 100);
});

describe("codes, challenge and words together", () => {
  const no = { words: "", status: undefined, code: undefined } as const;
  for (const [answer, meaning] of [
    [no, "neither"],
    [{ ...no, code: "refusal", words: "please try again later" }, "refusal"],
    [{ ...no, code: "trouble", words: "Authentication failed" }, "trouble"],
    [{ ...no, code: "likelyRefusal" }, "refusal"],
    [{ ...no, code: "likelyRefusal", words: "internal server error" }, "trouble"],
    [{ ...no, status: "400" }, "refusal"],
    [{ ...no, status: "401" }, "refusal"],
    [{ ...no, status: "403" }, "refusal"],
    [{ ...no, status: "invalid_token" }, "refusal"],
    [{ ...no, status: "insufficient_scope" }, "refusal"],
    [{ ...no, status: "500" }, "trouble"],
    [{ ...no, status: "503", words: "Authentication failed" }, "trouble"],
    [{ ...no, status: "429", words: "Authentication failed" }, "trouble"],
    [{ ...no, status: "temporarily_unavailable" }, "trouble"],
    // Dovecot 2.4, where it could not ask whether the token is good.
    [{ ...no, status: "500", code: "refusal", words: "Authentication failed." }, "trouble"],
    [{ ...no, status: "internal_failure", code: "refusal" }, "trouble"],
    [{ ...no, status: "expired_token", code: "refusal" }, "refusal"],
    [{ ...no, status: "" }, "neither"],
    [{ ...no, status: "200" }, "neither"],
    [{ ...no, status: "400", words: "System Error (Failure)" }, "trouble"],
    [{ ...no, status: "400", words: "authentication failed: (reason unavailable)" }, "refusal"],
    [{ ...no, status: "401", words: "Protocol error" }, "refusal"],
  ] as const) {
    test(`${JSON.stringify(answer)}: ${meaning}`, () => {
      assert.equal(meaningOf(answer), meaning);
    });
  }
});

test("no text takes long, however a server chooses it", () => {
  const pieces = ["login ", "a ", "_", "invalid ", "not ", "@", "://", "'", "\u0000", "user "];
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...pieces), { maxLength: 20 }), (parts) => {
      const text = parts.join("").repeat(20_000).slice(0, 400_000);
      assert.ok(["refusal", "trouble", "neither"].includes(meaningOfWords(text)));
    }),
    { numRuns: 100 },
  );
});
