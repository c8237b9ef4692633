import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readFileSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import type { Certificates } from "./certificates.ts";
import { freePort } from "./loopback.ts";
import { isRoot } from "./root.ts";
import { startServer } from "./server-process.ts";

/** A real Postfix that asks Dovecot about every login. */
export interface Postfix {
  /** TLS at once */
  readonly smtps: number;
  /** STARTTLS */
  readonly submission: number;
  log(): string;
  close(): Promise<void>;
}

const master = "/usr/lib/postfix/sbin/master";

/**
 * Starts Postfix on loopback with a queue of its own; it takes AUTH over TLS only. It can be
 * started by root alone. `line_length_limit` is what Postfix has by itself: it cuts the line of an
 * AUTH command with a long token.
 *
 * @param directory others must be able to walk to it
 * @param authSocket a Dovecot's
 */
export async function startPostfix(
  directory: string,
  certificates: Certificates,
  authSocket: string,
): Promise<Postfix> {
  if (!existsSync(master)) {
    throw new Error("Postfix is not installed: scripts/test installs it (package postfix)");
  }
  if (!isRoot) throw new Error("Postfix can be started by root only");
  const root = join(directory, "postfix");
  const [smtps, submission] = [await freePort(), await freePort()];
  makeQueue(root);
  const log = join(root, "log", "postfix.log");
  const file = (name: string, text: string, mode = 0o644) => {
    writeFileSync(join(root, "etc", name), text);
    chmodSync(join(root, "etc", name), mode);
    return join(root, "etc", name);
  };
  const cert = file("cert.pem", certificates.cert);
  const key = file("key.pem", certificates.key, 0o600);
  const main = file("main.cf", mainSettings({ root, cert, key, log, authSocket }));
  file("master.cf", masterSettings(smtps, submission));
  // Postfix waits until main.cf is two seconds old.
  utimesSync(main, 1_000_000_000, 1_000_000_000);
  const { words, close } = await startServer({
    name: "Postfix",
    program: master,
    args: ["-s", "-c", join(root, "etc")],
    env: { PATH: process.env["PATH"], MAIL_CONFIG: join(root, "etc"), MAIL_LOGTAG: "postfix" },
    // It ends its whole process group when it ends.
    isGroupLeader: true,
    stderrFile: join(root, "stderr"),
    log: () => (existsSync(log) ? readFileSync(log, "utf8") : undefined),
    port: submission,
    greeting: "220 ",
  });
  return { smtps, submission, log: words, close };
}

/** What `postfix set-permissions` would make. */
function makeQueue(root: string): void {
  const [uid = 0, gid = 0] = idsOf("postfix");
  for (const name of ["", "etc", "log", "queue", "queue/pid"]) {
    mkdirSync(join(root, name), { recursive: true });
    chmodSync(join(root, name), 0o755);
  }
  const own = ["active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming"];
  for (const name of [...own, "private", "public", "maildrop", "saved", "trace"]) {
    mkdirSync(join(root, "queue", name));
    chownSync(join(root, "queue", name), uid, gid);
  }
  mkdirSync(join(root, "data"), { mode: 0o700 });
  chownSync(join(root, "data"), uid, gid);
}

function idsOf(name: string): number[] {
  const line = readFileSync("/etc/passwd", "utf8")
    .split("\n")
    .find((text) => text.startsWith(`${name}:`));
  return (line ?? "").split(":").slice(2, 4).map(Number);
}

function mainSettings(place: {
  root: string;
  cert: string;
  key: string;
  log: string;
  authSocket: string;
}): string {
  return `
compatibility_level = 3.6
queue_directory = ${place.root}/queue
data_directory = ${place.root}/data
maillog_file = ${place.log}
maillog_file_prefixes = ${place.root}
myhostname = mail.example.test
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
alias_maps =
alias_database =
smtpd_tls_cert_file = ${place.cert}
smtpd_tls_key_file = ${place.key}
smtpd_tls_security_level = may
smtpd_tls_auth_only = yes
smtpd_tls_session_cache_database =
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = ${place.authSocket}
smtpd_relay_restrictions = reject
smtpd_recipient_restrictions = reject
smtpd_peername_lookup = no
`;
}

function masterSettings(smtps: number, submission: number): string {
  return `
127.0.0.1:${smtps} inet n - n - - smtpd -o smtpd_tls_wrappermode=yes
127.0.0.1:${submission} inet n - n - - smtpd -o smtpd_tls_security_level=encrypt
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
anvil unix - - n - 1 anvil
proxymap unix - - n - - proxymap
postlog unix-dgram n - n - 1 postlogd
`;
}
