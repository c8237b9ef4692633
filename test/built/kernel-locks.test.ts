import assert from "node:assert/strict";
import { cpSync, linkSync, statSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { afterEach, before, beforeEach, describe, test } from "node:test";
import { otherNode } from "../scene/other-node.ts";
import { programPath, type Run, runCommand, runProgram } from "../scene/program.ts";
import { type Scene, setScene, tokenFileText, user } from "../scene/scene.ts";

// Where the package of locks has no binary for a platform: the program without its packages is as good as there.

let scene: Scene;
let node: string;
const runs: Run[] = [];
before(() => {
  node = otherNode(22);
});
beforeEach(async () => {
  scene = await setScene();
  scene.write(tokenFileText("old-access-token", scene.account.current));
  cpSync(dirname(programPath), join(scene.directory, "bare"), { recursive: true });
});
afterEach(async () => {
  for (const run of runs.splice(0)) {
    run.child.kill("SIGKILL");
    await run.ended;
  }
  await scene.close();
});

function bare(by = node): Run {
  const program = join(scene.directory, "bare", basename(programPath));
  const run = runCommand(by, [program, user, ...scene.options], { cwd: scene.directory });
  runs.push(run);
  return run;
}

function usual(): Run {
  const run = runProgram([user, ...scene.options], { cwd: scene.directory });
  runs.push(run);
  return run;
}

/** Keeps the token endpoint waiting, and so the first process its lock. */
function holdEndpoint(): () => void {
  let resolve = () => {};
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  scene.endpoint.answer = async (request) => {
    await promise;
    return scene.account.answer(request);
  };
  return resolve;
}

const lockFile = () => join(dirname(scene.tokenFile), `.${basename(scene.tokenFile)}.lock`);

describe("without the package's binary", () => {
  test("a refresh goes on under SQLite's lock, and nothing is said of it", async () => {
    const run = bare();
    assert.equal((await run.ended).status, 0, run.written.stderr);
    assert.doesNotMatch(run.written.stderr, /sqlite|experimental|warning/i);
    assert.equal(scene.lines().refreshToken, scene.account.current);
    const { size, mode } = statSync(lockFile());
    assert.deepEqual([size, mode & 0o777], [0, 0o600]);
  });

  for (const [what, first, second] of [
    ["two of them", bare, bare],
    ["one of them after one with it", usual, bare],
    ["one with it after one of them", bare, usual],
  ] as const) {
    test(`${what}: one waits for the other, and uses its result`, async () => {
      const release = holdEndpoint();
      const holder = first();
      await holder.shown("asking for a new access token");
      const waiter = second();
      await waiter.shown("waiting for another process");
      release();
      for (const run of [holder, waiter]) {
        assert.equal((await run.ended).status, 0, run.written.stderr);
      }
      assert.equal(scene.endpoint.requests.length, 1);
      assert.ok(scene.account.isAlive);
    });
  }

  test("the lock is free at once after kill -9", async () => {
    const release = holdEndpoint();
    const holder = bare();
    await holder.shown("asking for a new access token");
    holder.child.kill("SIGKILL");
    await holder.ended;
    release();
    const next = bare();
    assert.notEqual((await next.ended).status, null);
    assert.doesNotMatch(next.written.stderr, /waiting for another process/);
  });

  test("a lock file that is another file's name is not taken", async () => {
    writeFileSync(join(scene.directory, "mine"), "");
    linkSync(join(scene.directory, "mine"), lockFile());
    const run = bare();
    assert.equal((await run.ended).status, 73, run.written.stderr);
    assert.match(run.written.stderr, /is not a lock file of ours/);
  });

  test("a Node without SQLite says what to do", async () => {
    const run = bare(otherNode(20));
    assert.equal((await run.ended).status, 73, run.written.stderr);
    const words = run.written.stderr.replace(/\s+/g, " ");
    assert.match(words, /there are no file locks here: .*hint: use Node 22\.13 or newer/);
    assert.equal(scene.endpoint.requests.length, 0);
  });
});
