import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import {
  type AuthorizationServer,
  startAuthorizationServer,
} from "../scene/authorization-server.ts";
import { type Certificates, issueCertificates, temporaryDirectory } from "../scene/certificates.ts";
import { type Dovecot, startDovecot } from "../scene/dovecot.ts";
import { type Run, runProgram } from "../scene/program.ts";
import { outcome, source, target } from "../scene/run-scene.ts";
import { testWorld } from "../scene/world.ts";

// Real mbsync (package isync), which reads the token from the file for every login, with XOAUTH2 from
// libsasl2-modules-kdexoauth2, against a real Dovecot and oidc-provider.

/** What isync says of a token that is refused; then 1.4 waits for ever, and 1.5 fails an assertion. */
const refusal = "Error: IMAP wants more steps despite successful SASL authentication";

let directory: string;
let certificates: Certificates;
let server: AuthorizationServer;
let dovecot: Dovecot;
let options: string[];

before(async () => {
  directory = temporaryDirectory();
  certificates = await issueCertificates(directory);
  server = await startAuthorizationServer(certificates, { accessTokenLife: 100 });
  dovecot = await startDovecot(directory, certificates, server, [source, target]);
  options = [
    ...["--provider", "office365", "--client-id", server.clientId],
    ...["--scope", "mail offline_access", "--redirect-uri", "https://localhost"],
    ...["--authorize-uri", server.authorizeUri, "--token-uri", server.tokenUri],
    ...["--imap-server", `localhost:${dovecot.imaps}`, "--ca-file", certificates.caFile],
    ...["--home", join(directory, "home")],
  ];
  for (const address of [source, target]) await signIn(address);
});
after(async () => {
  await dovecot?.close();
  await server?.close();
});

async function signIn(address: string): Promise<void> {
  const world = testWorld({ cwd: directory, now: Date.now() });
  const { main } = await import("../../src/cli/main.ts");
  const signingIn = main([address, ...options, "--remotebrowser"], world);
  const url = /^https:\/\/\S+code_challenge\S+$/m;
  await world.shown(url);
  world.stdin.end(`${await server.signIn(url.exec(world.written.stderr)?.[0] ?? "")}\n`);
  assert.equal(await signingIn, 0, world.written.stderr);
}

/** An IMAP store, whose token is line 1 of the file that `mxtoken run` names. */
function store(name: string, user: string, number: number, file?: string): string {
  const path = file ?? `$MXTOKEN_TOKEN_FILE_${number}`;
  return `
IMAPAccount ${name}
Host localhost
Port ${dovecot.imaps}
User ${user}
PassCmd "head -n 1 \\"${path}\\""
AuthMechs XOAUTH2
SSLType IMAPS
SystemCertificates no
CertificateFile "${certificates.caFile}"

IMAPStore ${name}
Account ${name}
`;
}

/** Writes a configuration that copies a mailbox into a Maildir. */
function toMaildir(name: string, file?: string): { config: string; maildir: string } {
  const maildir = join(directory, name);
  mkdirSync(maildir);
  const config = join(directory, `${name}.mbsyncrc`);
  const text = `${store("remote", source, 1, file)}
MaildirStore local
Path "${maildir}/"
Inbox "${maildir}/INBOX"
SubFolders Verbatim

Channel all
Far :remote:
Near :local:
Patterns *
Create Near
Sync Pull
SyncState *
`;
  writeFileSync(config, text);
  return { config, maildir };
}

function messages(maildir: string): string[] {
  return ["new", "cur"].flatMap((name) => {
    const path = join(maildir, "INBOX", name);
    if (!existsSync(path)) return [];
    return readdirSync(path).map((file) => {
      const text = readFileSync(join(path, file), "utf8");
      return /^Subject: (.*)$/m.exec(text)?.[1]?.trim() ?? "";
    });
  });
}

function start(words: readonly string[], command: readonly string[]): Run {
  return runProgram(["run", ...words, ...options, "--", ...command], { cwd: directory });
}

describe("mbsync as the command", () => {
  test("copies a mailbox with the token from the file", async () => {
    const { config, maildir } = toMaildir("once");
    const run = start([source], ["mbsync", "-c", config, "-a"]);
    const { status, stdout, stderr } = await outcome(run);
    assert.equal(status, 0, stdout + stderr);
    assert.deepEqual(messages(maildir).sort(), ["message 1", "message 2"]);
    assert.deepEqual(readdirSync(maildir).sort(), ["Archive", "INBOX", "Sent"]);
    assert.match(dovecot.log(), new RegExp(`user=<${source}>, method=XOAUTH2`));
  });

  test("copies from one mailbox to another, each with a token of its own", async () => {
    const config = join(directory, "both.mbsyncrc");
    const state = join(directory, "state");
    mkdirSync(state);
    const text = `${store("old", source, 1)}${store("new", target, 2)}
Channel move
Far :old:
Near :new:Moved
Create Near
Sync Pull New
SyncState ${state}/
`;
    writeFileSync(config, text);
    const run = start([source, target], ["mbsync", "-c", config, "-a"]);
    const { status, stdout, stderr } = await outcome(run);
    assert.equal(status, 0, stdout + stderr);
    const moved = join(directory, "dovecot", "mail", target, ".Moved", "cur");
    assert.equal(readdirSync(moved).length + readdirSync(join(moved, "../new")).length, 2);
    const logins = dovecot.log();
    for (const user of [source, target]) {
      assert.match(logins, new RegExp(`Log(ged )?in: user=<${user}>, method=XOAUTH2`));
    }
  });

  test("a token that is refused is mbsync's to tell, and it can be ended", async () => {
    const dead = join(directory, "dead.txt");
    writeFileSync(dead, "no-token-of-this-server\n");
    const { config } = toMaildir("refused", dead);
    const run = start([source], ["mbsync", "-c", config, "-a"]);
    await run.shown(refusal);
    const waits = execFileSync("mbsync", ["--version"], { encoding: "utf8" }).includes(" 1.4.");
    if (waits) run.child.kill("SIGTERM");
    const { status, stdout, stderr } = await outcome(run);
    assert.equal(status, waits ? 143 : 134, stdout + stderr);
  });
});

test("mbsync again and again inside one run, with one token after the other: all succeed", async () => {
  const { config, maildir } = toMaildir("loop");
  const log = join(directory, "tokens.log");
  const script = join(directory, "loop.sh");
  writeFileSync(log, "");
  writeFileSync(
    script,
    `while [ "$(sort -u ${log} | wc -l)" -lt 5 ]; do
  head -n 1 "$MXTOKEN_TOKEN_FILE_1" >> ${log}
  mbsync -c ${config} -a || exit 1
done
`,
  );
  const refreshes = () => server.seen.filter(({ grantType }) => grantType === "refresh_token");
  const before = refreshes().length;
  server.beforeAnswer = async () => {
    if (refreshes().length - before === 3) deliver("message 3");
  };
  // A token is replaced after a second, and lives long enough for a slow machine.
  const run = start([source, "--refresh-at", "1%"], ["sh", script]);
  run.shown(refusal).then(
    () => run.child.kill("SIGTERM"),
    () => undefined,
  );
  const { status, stdout, stderr } = await outcome(run);
  server.beforeAnswer = async () => undefined;
  assert.equal(status, 0, stdout + stderr);
  const tokens = [...new Set(readFileSync(log, "utf8").trim().split("\n"))];
  assert.equal(tokens.length, 5);
  for (const token of tokens) assert.ok(server.secrets.includes(token));
  assert.ok(refreshes().every(({ refused }) => !refused));
  assert.deepEqual(messages(maildir).sort(), ["message 1", "message 2", "message 3"]);
});

/** As if a message came in. */
function deliver(subject: string): void {
  const path = join(
    directory,
    "dovecot",
    "mail",
    source,
    "new",
    `${subject.replace(" ", "-")}.test`,
  );
  if (existsSync(path)) return;
  writeFileSync(path, `From: a@example.test\r\nSubject: ${subject}\r\n\r\nText\r\n`, {
    mode: 0o644,
  });
}
