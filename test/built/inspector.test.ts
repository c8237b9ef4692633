import assert from "node:assert/strict";
import { readdirSync, readFileSync, readlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { putCrowd } from "../scene/crowd.ts";
import { accounts } from "../scene/keeping.ts";
import { type Run, type RunOptions, runProgram } from "../scene/program.ts";
import { type Scene, setScene } from "../scene/scene.ts";

// SIGUSR1 opens Node's inspector, on a port that every user of the machine can reach.

let scene: Scene;
const runs: Run[] = [];
beforeEach(async () => {
  scene = await setScene();
});
afterEach(async () => {
  for (const run of runs.splice(0)) {
    run.child.kill("SIGKILL");
    await run.ended;
  }
  await scene.close();
});

function start(args: readonly string[], options: Partial<RunOptions> = {}): Run {
  const run = runProgram(args, { cwd: scene.directory, ...options });
  runs.push(run);
  return run;
}

/** A module that is loaded before the program's first statement. */
function preload(text: string): Record<string, string> {
  const path = join(scene.directory, "preload.cjs");
  writeFileSync(path, text);
  return { NODE_OPTIONS: `--require ${path}` };
}

/** The ports at which a process listens (proc(5)). */
function listeningPorts(pid: number | undefined): number[] {
  const fds = `/proc/${pid}/fd`;
  const links = readdirSync(fds).map((fd) => {
    try {
      return readlinkSync(join(fds, fd));
    } catch {
      return "";
    }
  });
  const own = new Set(links.flatMap((link) => /^socket:\[(\d+)\]$/.exec(link)?.[1] ?? []));
  return ["tcp", "tcp6"].flatMap((name) =>
    readFileSync(`/proc/${pid}/net/${name}`, "utf8")
      .split("\n")
      .map((line) => line.trim().split(/\s+/))
      .filter(([, , , state, , , , , , inode]) => state === "0A" && own.has(inode ?? ""))
      .map(([, local = ""]) => Number.parseInt(local.split(":").at(-1) ?? "", 16)),
  );
}

/** Sends the signal, and gives Node the time that it takes to open a port. */
async function signal(run: Run, times = 3): Promise<void> {
  for (let count = 0; count < times; count += 1) {
    assert.ok(run.child.kill("SIGUSR1"));
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
}

function assertShut(run: Run): void {
  assert.deepEqual(listeningPorts(run.child.pid), []);
  assert.doesNotMatch(run.written.stderr, /Debugger|inspector/i);
}

test("what is looked for is seen where Node is left to itself", async () => {
  const env = preload("process.on = new Proxy(process.on, { apply: () => process });");
  const run = start(["foo@example.test", ...scene.options, "--remotebrowser"], {
    env,
    keepOpen: true,
  });
  await run.shown("https://");
  run.child.kill("SIGUSR1");
  await run.shown("Debugger listening");
  assert.equal(listeningPorts(run.child.pid).length, 1);
});

describe("SIGUSR1 opens nothing, and ends nothing", () => {
  test("while keep makes its first round, and while it naps", async () => {
    const crowd = putCrowd(scene, accounts(20, 1), Date.now);
    scene.imap.login = () => "accept";
    const run = start(["keep", "--list", crowd.list, ...scene.options]);
    await run.shown("keeping 20 accounts fresh");
    await signal(run);
    await run.shown("a new token");
    await signal(run);
    assertShut(run);
    run.child.kill("SIGTERM");
    assert.equal((await run.ended).status, 143, run.written.stderr);
  });

  for (const flow of ["--remotebrowser", "--no-browser"]) {
    test(`while a sign-in is waited for, ${flow}`, async () => {
      const run = start(["foo@example.test", ...scene.options, flow], { keepOpen: true });
      await run.shown("https://");
      const before = listeningPorts(run.child.pid);
      await signal(run);
      assert.deepEqual(listeningPorts(run.child.pid), before);
      assert.doesNotMatch(run.written.stderr, /Debugger|inspector/i);
      run.child.kill("SIGTERM");
      assert.equal((await run.ended).status, 143, run.written.stderr);
    });
  }

  for (const [when, text] of [
    ["before the first statement of the program", "process.kill(process.pid, 'SIGUSR1');"],
    ["right behind it", "setImmediate(() => process.kill(process.pid, 'SIGUSR1'));"],
    ["a little later", "setTimeout(() => process.kill(process.pid, 'SIGUSR1'), 20);"],
  ] as const) {
    test(`${when}`, async () => {
      const crowd = putCrowd(scene, accounts(1), Date.now);
      const run = start(["keep", "--list", crowd.list, ...scene.options], { env: preload(text) });
      await run.shown("good until");
      assert.deepEqual(listeningPorts(run.child.pid), []);
      run.child.kill("SIGTERM");
      assert.equal((await run.ended).status, 143, run.written.stderr);
    });
  }

  test("while a fresh token is shown", async () => {
    const [member] = putCrowd(scene, accounts(1), Date.now).members;
    const env = preload("setImmediate(() => process.kill(process.pid, 'SIGUSR1'));");
    const run = start(["show", member?.address ?? "", ...scene.options], { env });
    assert.equal((await run.ended).status, 0, run.written.stderr);
    assert.equal(run.written.stdout, `${member?.accessToken()}\n`);
    assert.equal(run.written.stderr, "");
  });
});

test("--inspect is a person's own word", async () => {
  const crowd = putCrowd(scene, accounts(1), Date.now);
  const env = { NODE_OPTIONS: "--inspect=127.0.0.1:0" };
  const run = start(["keep", "--list", crowd.list, ...scene.options], { env });
  await run.shown("good until");
  assert.equal(listeningPorts(run.child.pid).length, 1);
});
