import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import {
  chmodSync,
  chownSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { connect, createServer } from "node:net";
import { userInfo } from "node:os";
import { dirname, join } from "node:path";
import type { AuthorizationServer } from "./authorization-server.ts";
import type { Certificates } from "./certificates.ts";

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
  const [imaps = 0, imap = 0, pop3s = 0, pop3 = 0] = await freePorts(4);
  const authSocket = join(root, "run", "postfix-auth");
  for (const user of users) fillMailbox(root, user);
  const file = (name: string, text: string) => {
    writeFileSync(join(root, name), text);
    return join(root, name);
  };
  const cert = file("cert.pem", certificates.cert);
  const key = file("key.pem", certificates.key);
  const oauth2 = file("oauth2.conf", oauth2Settings(certificates, authorizationServer));
  const log = file("log", "");
  const config = file(
    "dovecot.conf",
    settings(
      { root, cert, key, oauth2, log, imaps, imap, authSocket },
      pop ? { pop3s, pop3 } : undefined,
    ),
  );
  const complaints = openSync(join(root, "stderr"), "w");
  const child = spawn(program(), ["-F", "-c", config], {
    stdio: ["ignore", "ignore", complaints],
    detached: options.isGroupLeader ?? false,
  });
  closeSync(complaints);
  const end = () => child.kill("SIGTERM");
  process.once("exit", end);
  const exited = new Promise((resolve) => child.once("exit", resolve));
  await listening("Dovecot", child, imaps, () =>
    [join(root, "stderr"), log].map((path) => readFileSync(path, "utf8")).join(""),
  );
  return {
    imaps,
    imap,
    pop3s,
    pop3,
    authSocket,
    log: () => readFileSync(log, "utf8"),
    async close() {
      end();
      await exited;
      process.off("exit", end);
    },
  };
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

function settings(
  place: {
    root: string;
    cert: string;
    key: string;
    oauth2: string;
    log: string;
    imaps: number;
    imap: number;
    authSocket: string;
  },
  pop: { pop3s: number; pop3: number } | undefined,
): string {
  const { uid, gid } = mailUser();
  const own =
    process.geteuid?.() === 0
      ? ""
      : `
default_internal_user = ${userInfo().username}
default_internal_group = ${execFileSync("id", ["-gn"], { encoding: "utf8" }).trim()}
default_login_user = ${userInfo().username}
service imap-login {
  chroot =
}
service anvil {
  chroot =
}`;
  return `
protocols = imap${pop === undefined ? "" : " pop3"}
listen = 127.0.0.1
base_dir = ${place.root}/run
state_dir = ${place.root}/state
log_path = ${place.log}
ssl = required
ssl_cert = <${place.cert}
ssl_key = <${place.key}
first_valid_uid = 1
mail_location = maildir:${place.root}/mail/%u
auth_mechanisms = xoauth2 oauthbearer
auth_failure_delay = 0
passdb {
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = ${place.oauth2}
}
userdb {
  driver = static
  args = uid=${uid} gid=${gid} home=${place.root}/mail/%u
}
namespace inbox {
  inbox = yes
  mailbox Sent {
    auto = create
  }
  mailbox Archive {
    auto = create
  }
}
service imap-login {
  inet_listener imap {
    port = ${place.imap}
  }
  inet_listener imaps {
    port = ${place.imaps}
    ssl = yes
  }
}
service anvil {
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
service auth {
  unix_listener ${place.authSocket} {
    mode = 0666
  }
}
${pop === undefined ? "" : popListeners(pop)}
${own}
`;
}

function popListeners({ pop3s, pop3 }: { pop3s: number; pop3: number }): string {
  return `
service pop3-login {
  inet_listener pop3 {
    port = ${pop3}
  }
  inet_listener pop3s {
    port = ${pop3s}
    ssl = yes
  }
}`;
}

function oauth2Settings(certificates: Certificates, server: AuthorizationServer): string {
  return `
introspection_mode = post
introspection_url = ${server.introspectionUri}
username_attribute = email
active_attribute = active
active_value = true
tls_ca_cert_file = ${certificates.caFile}
openid_configuration_url = ${server.issuer}/.well-known/openid-configuration
`;
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

/** Free ports for servers that cannot say which port they got. */
export async function freePorts(count: number): Promise<number[]> {
  const ports: number[] = [];
  const servers = Array.from({ length: count }, () => createServer());
  for (const server of servers) {
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    if (typeof address === "object" && address !== null) ports.push(address.port);
  }
  for (const server of servers) await new Promise((resolve) => server.close(resolve));
  return ports;
}

/** Waits until a server that was just started takes connections. */
export async function listening(
  name: string,
  child: ChildProcess,
  port: number,
  log: () => string,
): Promise<void> {
  const end = Date.now() + 20_000;
  while (Date.now() < end) {
    if (child.exitCode !== null) throw new Error(`${name} ended at once: ${log()}`);
    const answered = await new Promise<boolean>((resolve) => {
      const socket = connect(port, "127.0.0.1", () => {
        socket.destroy();
        resolve(true);
      });
      socket.on("error", () => resolve(false));
    });
    if (answered) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  child.kill("SIGKILL");
  throw new Error(`${name} does not listen: ${log()}`);
}
