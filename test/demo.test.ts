import assert from "node:assert/strict";
import { chmodSync, mkdirSync, readdirSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { temporaryDirectory } from "./peers/certificates.ts";
import { type Run, runCommand } from "./peers/program.ts";

const root = fileURLToPath(new URL("..", import.meta.url));

/** One that Dovecot's users can walk through. */
function emptyDirectory(): string {
  const directory = temporaryDirectory();
  chmodSync(directory, 0o755);
  const path = join(directory, "tmp");
  mkdirSync(path);
  return path;
}

/** What scripts/demo runs once everything is installed and built. */
function runDemo(
  temporary: string,
  args: readonly string[],
  env: Record<string, string> = {},
): Run {
  return runCommand(process.execPath, ["--import", "tsx", "scripts/demo.ts", ...args], {
    cwd: root,
    env: { TMPDIR: temporary, TSX_DISABLE_CACHE: "1", ...env },
    isGroupLeader: true,
  });
}

function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    socket.once("close", () => socket.destroy());
  });
}

describe("the demo", () => {
  test("signs in by itself, refreshes, and leaves nothing", async () => {
    const temporary = emptyDirectory();
    const run = runDemo(temporary, ["--auto"], {
      MXTOKEN_PROVIDER: "nobody",
      HTTPS_PROXY: "http://127.0.0.1:1",
    });
    await run.shown("waiting 5 minutes");
    const { status } = await run.ended;
    const { stdout, stderr } = run.written;
    assert.equal(status, 0, stderr);
    assert.match(stderr, /provider office365: MX demo-example\.mail\.protection\.outlook\.com/);
    assert.match(stderr, /the browser came back/);
    assert.match(stderr, /stored token: proven by IMAP login/);
    assert.match(stderr, /asking for a new access token with the refresh token/);
    assert.match(stdout, /^IMAP server .*, Dovecot, which asks the authorization server$/m);
    assert.match(stdout, /^\S{6}… \(43 characters\)\n\S{6}… \(43 characters\)\n# Line 1/m);
    assert.match(stdout, /^node dist\/cli\.js foo@example\.com/m);
    assert.doesNotMatch(stdout, /^[\w-]{43}$/m, "no whole token");
    assert.deepEqual(readdirSync(temporary), []);
    const ports = [...stdout.matchAll(/(?:localhost|127\.0\.0\.1):(\d+)/g)].map(([, port]) => port);
    assert.ok(ports.length >= 3, stdout);
    for (const port of ports) assert.equal(await isListening(Number(port)), false, port);
  });

  for (const [signal, status] of [
    ["SIGINT", 130],
    ["SIGTERM", 143],
    ["SIGHUP", 129],
  ] as const) {
    test(`leaves nothing after ${signal} to it and to its program: ${status}`, async () => {
      const temporary = emptyDirectory();
      const run = runDemo(temporary, ["--auto"]);
      await run.shown("sign-in is needed");
      process.kill(-Number(run.child.pid), signal);
      assert.equal((await run.ended).status, status, run.written.stderr);
      assert.deepEqual(readdirSync(temporary), []);
    });
  }

  test("takes the tests' own IMAP server where Dovecot does not start, and says why", async () => {
    const temporary = emptyDirectory();
    // Dovecot's sockets have paths of at most 108 bytes.
    const deep = join(temporary, "x".repeat(100));
    mkdirSync(deep);
    const run = runDemo(deep, ["--auto"]);
    assert.equal((await run.ended).status, 0, run.written.stderr);
    assert.match(
      run.written.stdout,
      /^IMAP server .*, the tests' own, because Dovecot does not start: \w+/m,
    );
  });

  test("knows no other option: 64", async () => {
    const temporary = emptyDirectory();
    const run = runDemo(temporary, ["--fast"]);
    assert.equal((await run.ended).status, 64);
    assert.match(run.written.stderr, /usage: scripts\/demo \[--auto\]/);
  });
});
