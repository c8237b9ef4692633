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
  log(): string;
  close(): Promise<void>;
}

/**
 * Starts Dovecot on loopback with `passdb oauth2` (XOAUTH2 and OAUTHBEARER). Every mailbox has
 * INBOX with two messages, Sent and Archive.
 *
 * @param options `isGroupLeader` keeps the terminal's signals from it: it would not survive a hangup
 * in good order, but ends slowly
 */
export async function startDovecot(
  directory: string,
  certificates: Certificates,
  authorizationServer: AuthorizationServer,
  users: readonly string[],
  options: { isGroupLeader?: boolean } = {},
): Promise<Dovecot> {
  const root = join(directory, "dovecot");
  mkdirSync(root);
  chmodSync(directory, 0o755);
  checkThatOthersCanWalk(directory);
  const [imaps, imap] = await freePorts();
  for (const user of users) fillMailbox(root, user);
  const file = (name: string, text: string) => {
    writeFileSync(join(root, name), text);
    return join(root, name);
  };
  const cert = file("cert.pem", certificates.cert);
  const key = file("key.pem", certificates.key);
  const oauth2 = file("oauth2.conf", oauth2Settings(certificates, authorizationServer));
  const log = file("log", "");
  const config = file("dovecot.conf", settings({ root, cert, key, oauth2, log, imaps, imap }));
  const complaints = openSync(join(root, "stderr"), "w");
  const child = spawn(program(), ["-F", "-c", config], {
    stdio: ["ignore", "ignore", complaints],
    detached: options.isGroupLeader ?? false,
  });
  closeSync(complaints);
  const end = () => child.kill("SIGTERM");
  process.once("exit", end);
  const exited = new Promise((resolve) => child.once("exit", resolve));
  await listening(child, imaps, () =>
    [join(root, "stderr"), log].map((path) => readFileSync(path, "utf8")).join(""),
  );
  return {
    imaps,
    imap,
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

function settings(place: {
  root: string;
  cert: string;
  key: string;
  oauth2: string;
  log: string;
  imaps: number;
  imap: number;
}): string {
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
protocols = imap
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
${own}
`;
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

/** Dovecot cannot say which port it got, so two free ones are looked for. */
async function freePorts(): Promise<[number, number]> {
  const ports: number[] = [];
  const servers = [createServer(), createServer()];
  for (const server of servers) {
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    if (typeof address === "object" && address !== null) ports.push(address.port);
  }
  for (const server of servers) await new Promise((resolve) => server.close(resolve));
  const [first = 0, second = 0] = ports;
  return [first, second];
}

async function listening(child: ChildProcess, port: number, log: () => string): Promise<void> {
  const end = Date.now() + 20_000;
  while (Date.now() < end) {
    if (child.exitCode !== null) throw new Error(`Dovecot ended at once: ${log()}`);
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
  throw new Error(`Dovecot does not listen: ${log()}`);
}
