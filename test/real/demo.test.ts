import assert from "node:assert/strict";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { signInOn, startBrowser } from "../scene/browser.ts";
import { temporaryDirectory } from "../scene/certificates.ts";
import { type Run, runCommand, signInAddresses } from "../scene/program.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

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

/** The ports of the demo's servers, as it has told them. */
function portsOf(stdout: string): number[] {
  const servers = stdout.slice(0, stdout.indexOf("== 2."));
  const ports = [...servers.matchAll(/(?:localhost|127\.0\.0\.1):(\d+)/g)];
  assert.equal(ports.length, 3, stdout);
  return ports.map(([, port]) => Number(port));
}

async function assertNothingLeft(temporary: string, stdout: string): Promise<void> {
  for (const port of portsOf(stdout)) assert.equal(await isListening(port), false, `port ${port}`);
  assert.deepEqual(readdirSync(temporary), []);
  // It runs with the project as home directory.
  assert.ok(!existsSync(join(root, ".local")));
}

/** As {@link assertNothingLeft}, where the demo cannot be waited for. */
async function untilNothingIsLeft(temporary: string, stdout: string): Promise<void> {
  const isLeft = async () => {
    const listening = await Promise.all(portsOf(stdout).map(isListening));
    return listening.includes(true) || readdirSync(temporary).length > 0;
  };
  while (await isLeft()) await new Promise((resolve) => setTimeout(resolve, 20));
}

function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
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
    assert.match(stdout, /^(\S{6})… \(43 characters\)\n(?!\1)\S{6}… \(43 characters\)\n# Line 1/m);
    assert.match(stdout, /^node dist\/cli\.js foo@example\.com/m);
    assert.doesNotMatch(stdout, /^[\w-]{43}$/m, "no whole token");
    await assertNothingLeft(temporary, stdout);
  });

  test("opens a browser where one would be seen, and a person signs in there", async () => {
    const temporary = emptyDirectory();
    const opened = join(temporaryDirectory(), "opened");
    const bin = temporaryDirectory();
    const xdgOpen = `#!/bin/sh\necho "$1" > ${opened}\n`;
    writeFileSync(join(bin, "xdg-open"), xdgOpen, { mode: 0o755 });
    const words = `stty cols 300; ${process.execPath} --import tsx scripts/demo.ts`;
    const run = runCommand("script", ["-qefc", words, "/dev/null"], {
      cwd: root,
      env: {
        TMPDIR: temporary,
        TSX_DISABLE_CACHE: "1",
        DISPLAY: ":0",
        PATH: `${bin}:${process.env["PATH"]}`,
      },
      keepOpen: true,
    });
    const address = await new Promise<string>((resolve) => {
      run.child.stdout?.on("data", () => {
        const [shown] = signInAddresses(run.written.stdout);
        if (shown !== undefined) resolve(shown.trim());
      });
    });
    const [home = ""] = readdirSync(temporary);
    const files = join(temporary, home);
    const browser = await startBrowser([
      { file: join(files, "ca-localhost.pem"), trust: "C,," },
      { file: join(files, "certs", "localhost.crt"), trust: "P,," },
    ]);
    try {
      const page = await (await browser.newContext()).newPage();
      await signInOn(page, address, "you@demo.example");
      await page.waitForSelector("text=Signed in");
    } finally {
      await browser.close();
    }
    assert.equal((await run.ended).status, 0, run.written.stdout);
    assert.equal(readFileSync(opened, "utf8").trim(), address);
    await assertNothingLeft(temporary, run.written.stdout);
  });

  test("leaves nothing when nobody reads its output any more", async () => {
    const temporary = emptyDirectory();
    const run = runDemo(temporary, ["--auto"]);
    await run.shown("sign-in is needed");
    run.child.stdout?.destroy();
    run.child.stderr?.destroy();
    assert.equal((await run.ended).status, 73);
    await assertNothingLeft(temporary, run.written.stdout);
  });

  test("leaves nothing when its terminal is gone", async () => {
    const temporary = emptyDirectory();
    const words = `${process.execPath} --import tsx scripts/demo.ts --auto`;
    const run = runCommand("script", ["-qefc", words, "/dev/null"], {
      cwd: root,
      env: { TMPDIR: temporary, TSX_DISABLE_CACHE: "1" },
      keepOpen: true,
    });
    await new Promise<void>((resolve) => {
      run.child.stdout?.on("data", () => {
        if (run.written.stdout.includes("sign-in is needed")) resolve();
      });
    });
    run.child.kill("SIGKILL");
    await run.ended;
    await untilNothingIsLeft(temporary, run.written.stdout);
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
      await assertNothingLeft(temporary, run.written.stdout);
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
