import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { quoteForShell } from "../../src/programs/commands-to-copy.ts";
import { listening, listeningIn } from "../scene/listening.ts";
import { loopbackAddresses } from "../scene/loopback.ts";
import { programPath, type Run, runProgram } from "../scene/program.ts";
import { rootCommand } from "../scene/root.ts";
import { type Scene, setScene, user } from "../scene/scene.ts";
import { callback, partsOf, visit } from "../scene/visit.ts";

let scene: Scene;
let answers: number;
beforeEach(async () => {
  scene = await setScene();
  answers = 0;
  scene.endpoint.answer = () => {
    answers += 1;
    const [access_token, refresh_token] = [`access-${answers}`, `refresh-${answers}`];
    return { status: 200, body: { access_token, refresh_token, token_type: "Bearer" } };
  };
});
const started: Run[] = [];
afterEach(async () => {
  // What a failed test has left behind.
  for (const run of started.splice(0)) run.child.kill("SIGKILL");
  await scene?.close();
});

function start(more: readonly string[] = [], env: Record<string, string> = {}): Run {
  const redirect = ["--redirect-uri", "https://localhost"];
  const run = runProgram([user, ...scene.options, ...redirect, ...more], {
    cwd: scene.directory,
    keepOpen: true,
    env,
  });
  started.push(run);
  return run;
}

async function addressOf(run: Run): Promise<string> {
  await run.shown("paste it here");
  return /^https:\/\/localhost\/authorize\S+$/m.exec(run.written.stderr)?.[0] ?? "";
}

function pidOf(run: Run): number {
  assert.ok(run.child.pid);
  return run.child.pid;
}

describe("the built program", () => {
  test("listens on 127.0.0.1 and ::1, with one port, and nowhere else", async () => {
    const run = start();
    const { port } = new URL(partsOf(await addressOf(run)).redirectUri);
    const expected = loopbackAddresses.map((address) => `${address} ${port}`);
    assert.deepEqual(listening(pidOf(run)).sort(), expected);
    run.child.kill("SIGINT");
    await run.ended;
  });

  test("listens on 127.0.0.1 alone where there is no IPv6, and says nothing of it", async () => {
    const words = [process.execPath, programPath, user, ...scene.options, "--timeout", "60"];
    // A network of its own, where IPv6 is switched off.
    const script = `
      ip link set lo up
      echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6
      echo 1 > /proc/sys/net/ipv6/conf/lo/disable_ipv6
      ${words.map(quoteForShell).join(" ")} </dev/null &
      read go
      cat /proc/net/tcp /proc/net/tcp6
      kill $!
      wait`;
    const child = spawn(...rootCommand("unshare", "--net", "sh", "-c", script), {
      cwd: scene.directory,
    });
    const written = { stdout: "", stderr: "" };
    child.stdout.on("data", (chunk) => {
      written.stdout += String(chunk);
    });
    child.stderr.on("data", (chunk) => {
      written.stderr += String(chunk);
      if (written.stderr.includes("paste it here")) child.stdin.end("go\n");
    });
    await new Promise((resolve) => child.once("close", resolve));
    const url = /^https:\/\/localhost\/authorize\S+$/m.exec(written.stderr)?.[0];
    assert.ok(url, written.stderr);
    const { port } = new URL(partsOf(url).redirectUri);
    assert.deepEqual(listeningIn(written.stdout), [`127.0.0.1 ${port}`]);
    assert.doesNotMatch(written.stderr, /cannot listen/);
  });

  test("signs in, stores, and ends by itself with standard input still open", async () => {
    const run = start();
    const page = await visit(scene.directory, callback(await addressOf(run), "the-code"));
    assert.match(page.text, /Signed in/);
    assert.equal((await run.ended).status, 0, run.written.stderr);
    assert.equal(scene.lines().refreshToken, "refresh-1");
    assert.ok(!run.written.stderr.includes("the-code"));
  });

  test("--remotebrowser: it listens nowhere", async () => {
    const run = start(["--remotebrowser"]);
    await addressOf(run);
    assert.deepEqual(listening(pidOf(run)), []);
    run.child.kill("SIGINT");
    await run.ended;
  });

  for (const [signal, status] of [
    ["SIGINT", 130],
    ["SIGTERM", 143],
    ["SIGHUP", 129],
  ] as const) {
    test(`${signal} while it listens: ${status}, and nothing stays behind`, async () => {
      const run = start();
      const url = await addressOf(run);
      run.child.kill(signal);
      assert.equal((await run.ended).status, status);
      assert.deepEqual(readdirSync(dirname(scene.tokenFile)), [`.oauth2_tokens_${user}.txt.lock`]);
      await assert.rejects(visit(scene.directory, callback(url, "late")), { code: "ECONNREFUSED" });
      // The lock is free: another run gets as far.
      const again = start();
      await addressOf(again);
      again.child.kill("SIGINT");
      await again.ended;
    });
  }

  test("kill -9 while it listens: the next run begins anew", async () => {
    const run = start();
    await addressOf(run);
    run.child.kill("SIGKILL");
    await run.ended;
    const next = start();
    await visit(scene.directory, callback(await addressOf(next), "the-code"));
    assert.equal((await next.ended).status, 0, next.written.stderr);
  });

  test("two terminals at the same time: each has its own listener, and both succeed", async () => {
    const runs = [start(), start()];
    const addresses = await Promise.all(runs.map(addressOf));
    const ports = new Set(addresses.map((url) => partsOf(url).redirectUri));
    assert.equal(ports.size, 2);
    const [first = "", second = ""] = addresses;
    const wrong = new URL(callback(first, "code"));
    wrong.port = new URL(partsOf(second).redirectUri).port;
    assert.equal((await visit(scene.directory, wrong.href)).status, 400);
    await Promise.all(
      addresses.map((url, index) => visit(scene.directory, callback(url, `${index}`))),
    );
    for (const run of runs) assert.equal((await run.ended).status, 0, run.written.stderr);
  });

  test("two terminals with the same --port: the second one pastes", async () => {
    const first = start();
    const url = await addressOf(first);
    const { port } = new URL(partsOf(url).redirectUri);
    const second = start(["--port", port]);
    const other = await addressOf(second);
    assert.match(second.written.stderr, /another program uses it: the answer must be pasted/);
    second.child.stdin?.write(`${callback(other, "pasted")}\n`);
    assert.equal((await second.ended).status, 0, second.written.stderr);
    await visit(scene.directory, callback(url, "first"));
    assert.equal((await first.ended).status, 0, first.written.stderr);
  });
});

describe("the browser that the built program opens", () => {
  /** A directory with an xdg-open that writes down what it was given. */
  function fakeOpener(end = "", name = "xdg-open"): { path: string; given: () => string[] } {
    const directory = join(scene.directory, "bin");
    const log = join(scene.directory, `opened by ${name}`);
    mkdirSync(directory, { recursive: true });
    writeFileSync(
      join(directory, name),
      `#!/bin/sh\nfor word in "$@"; do printf '%s\\n' "$word"; done > '${log}.part'\nmv '${log}.part' '${log}'\n${end}\n`,
    );
    chmodSync(join(directory, name), 0o755);
    return {
      path: `${directory}:${process.env["PATH"] ?? ""}`,
      given: () => (existsSync(log) ? readFileSync(log, "utf8").trimEnd().split("\n") : []),
    };
  }

  test("gets the whole address as one word, without a shell", async () => {
    const opener = fakeOpener();
    scene.options[scene.options.indexOf("mail")] = "mail $(touch pwned);b";
    const run = start([], { PATH: opener.path, DISPLAY: ":99" });
    const url = await addressOf(run);
    await visit(scene.directory, callback(url, "the-code"));
    assert.equal((await run.ended).status, 0);
    while (opener.given().length === 0) await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(opener.given(), [url]);
    assert.equal(existsSync(join(scene.directory, "pwned")), false);
  });

  test("is the one that BROWSER names, before the desktop's", async () => {
    const desktop = fakeOpener();
    const chosen = fakeOpener("", "my-browser");
    const BROWSER = "no-such-browser:my-browser --new-tab %s --private";
    const run = start([], { PATH: desktop.path, DISPLAY: ":99", BROWSER });
    const url = await addressOf(run);
    await visit(scene.directory, callback(url, "the-code"));
    assert.equal((await run.ended).status, 0);
    while (chosen.given().length === 0) await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(chosen.given(), ["--new-tab", url, "--private"]);
    assert.deepEqual(desktop.given(), []);
  });

  test("is the desktop's where none of BROWSER's can be started", async () => {
    const desktop = fakeOpener();
    const run = start([], { PATH: desktop.path, DISPLAY: ":99", BROWSER: "no-such-browser" });
    const url = await addressOf(run);
    while (desktop.given().length === 0) await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(desktop.given(), [url]);
    await visit(scene.directory, callback(url, "the-code"));
    assert.equal((await run.ended).status, 0);
  });

  test("that fails to open is told with its status", async () => {
    const { path } = fakeOpener("exit 3");
    const run = start([], { PATH: path, DISPLAY: ":99" });
    const url = await addressOf(run);
    await run.shown("no browser could be opened here (xdg-open ended with status 3)");
    await visit(scene.directory, callback(url, "the-code"));
    assert.equal((await run.ended).status, 0);
  });

  test("that lives on with its opener keeps nothing waiting", async () => {
    const { path } = fakeOpener("exec sleep 1000");
    const run = start([], { PATH: path, DISPLAY: ":99" });
    await visit(scene.directory, callback(await addressOf(run), "the-code"));
    assert.equal((await run.ended).status, 0);
    execFileSync("pkill", ["-f", "^sleep 1000$"]);
  });

  test("is left alone with --no-browser", async () => {
    const opener = fakeOpener();
    const run = start(["--no-browser"], { PATH: opener.path, DISPLAY: ":99" });
    await visit(scene.directory, callback(await addressOf(run), "the-code"));
    assert.equal((await run.ended).status, 0);
    assert.deepEqual(opener.given(), []);
  });

  test("is no error where there is none", async () => {
    const run = start([], { PATH: "/nonexistent", DISPLAY: ":99" });
    const url = await addressOf(run);
    await run.shown("no browser could be opened here (xdg-open is not installed)");
    await visit(scene.directory, callback(url, "the-code"));
    assert.equal((await run.ended).status, 0);
  });
});
