import { execFileSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { userInfo } from "node:os";
import { dirname, join } from "node:path";
import type { AuthorizationServer } from "./authorization-server.ts";
import type { Certificates } from "./certificates.ts";
import { dovecotSettings } from "./dovecot-settings.ts";
import { freePort } from "./loopback.ts";
import { startServer } from "./server-process.ts";

/** A real Dovecot that asks the authorization server about every token. */
export interface Dovecot {
  /** TLS at once */
  readonly imaps: number;
  /** STARTTLS */
  readonly imap: number;
  /** TLS at once, where POP3 was asked for */
  readonly pop3s: number;
  /** STLS, where POP3 was asked for */
  readonly pop3: number;
  /** where Postfix asks about logins (smtpd_sasl_type=dovecot) */
  readonly authSocket: string;
  log(): string;
  close(): Promise<void>;
}

/**
 * Starts Dovecot on loopback with `passdb oauth2` (XOAUTH2 and OAUTHBEARER). Every mailbox has
 * INBOX with two messages, Sent and Archive.
 *
 * @param options `isGroupLeader` keeps the terminal's signals from it: it would not survive a hangup
 * in good order, but ends slowly; `pop3` serves the same mailboxes by POP3 too
 */
export async function startDovecot(
  directory: string,
  certificates: Certificates,
  authorizationServer: AuthorizationServer,
  users: readonly string[],
  options: { isGroupLeader?: boolean; pop3?: boolean } = {},
): Promise<Dovecot> {
  const root = join(directory, "dovecot");
  mkdirSync(root);
  chmodSync(directory, 0o755);
  checkThatOthersCanWalk(directory);
  const pop = options.pop3 ?? false;
  if (pop && !existsSync(popLogin)) {
    throw new Error("Dovecot has no POP3: scripts/test installs it (package dovecot-pop3d)");
  }
  const [imaps, imap, pop3s, pop3] = [
    await freePort(),
    await freePort(),
    await freePort(),
    await freePort(),
  ];
  const place = (name: string) => join(root, name);
  for (const user of users) fillMailbox(root, user);
  const settings = dovecotSettings(version(), {
    ...{ root, imaps, imap, authSocket: "postfix-auth", mail: mailUser(), starter: starter() },
    ...{ certFile: place("cert.pem"), keyFile: place("key.pem"), caFile: certificates.caFile },
    ...{ oauth2File: place("oauth2.conf"), logFile: place("log") },
    pop: pop ? { pop3s, pop3 } : undefined,
    introspectionUri: authorizationServer.introspectionUri,
    issuer: authorizationServer.issuer,
  });
  writeFileSync(place("cert.pem"), certificates.cert);
  writeFileSync(place("key.pem"), certificates.key);
  writeFileSync(place("dovecot.conf"), settings.main);
  if (settings.oauth2 !== undefined) writeFileSync(place("oauth2.conf"), settings.oauth2);
  const log = () => (existsSync(place("log")) ? readFileSync(place("log"), "utf8") : "");
  const server = await startServer({
    name: "Dovecot",
    program: program(),
    args: ["-F", "-c", place("dovecot.conf")],
    isGroupLeader: options.isGroupLeader ?? false,
    stderrFile: place("stderr"),
    log,
    port: imap,
    // It says so when its processes that authenticate are there.
    greeting: "* OK",
  });
  const authSocket = place("run/postfix-auth");
  return { imaps, imap, pop3s, pop3, authSocket, log, close: server.close };
}

/** As it prints it itself. */
function version(): string {
  return execFileSync(program(), ["--version"], { encoding: "utf8" });
}

/** Started by root, Dovecot reads its files as users of its own. */
function checkThatOthersCanWalk(directory: string): void {
  if (process.geteuid?.() !== 0) return;
  for (let path = directory; path !== dirname(path); path = dirname(path)) {
    if ((statSync(path).mode & 0o001) === 0) {
      throw new Error(`Dovecot's users cannot walk through ${path}`);
    }
  }
}

const popLogin = "/usr/lib/dovecot/pop3-login";

/** Where Dovecot is installed, or undefined. */
export function findDovecot(): string | undefined {
  return ["/usr/sbin/dovecot", "/usr/local/sbin/dovecot"].find((path) => existsSync(path));
}

function program(): string {
  const found = findDovecot();
  if (found === undefined) {
    throw new Error("Dovecot is not installed: scripts/test installs it (package dovecot-imapd)");
  }
  return found;
}

function starter(): { user: string; group: string } | undefined {
  if (process.geteuid?.() === 0) return undefined;
  const group = execFileSync("id", ["-gn"], { encoding: "utf8" }).trim();
  return { user: userInfo().username, group };
}

/** Dovecot opens no mailbox as root. */
function mailUser(): { uid: number; gid: number } {
  if (process.geteuid?.() === 0) return { uid: 65534, gid: 65534 };
  return { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 };
}

function fillMailbox(root: string, user: string): void {
  const { uid, gid } = mailUser();
  const mail = join(root, "mail");
  for (const path of [
    mail,
    join(mail, user),
    ...["new", "cur", "tmp"].map((name) => join(mail, user, name)),
  ]) {
    mkdirSync(path, { recursive: true });
    chownSync(path, uid, gid);
  }
  for (const number of [1, 2]) {
    const path = join(mail, user, "new", `${number}.test`);
    writeFileSync(path, `From: a@example.test\r\nSubject: message ${number}\r\n\r\nText\r\n`);
    chownSync(path, uid, gid);
  }
}
