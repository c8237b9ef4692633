import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { afterEach, beforeEach, describe, test } from "node:test";
import { type Run, runProgram } from "../scene/program.ts";
import { type Judge, judgeByLife, readerProgram } from "../scene/reader.ts";
import { outcome, type RunScene, type Side, setRunScene } from "../scene/run-scene.ts";
import type { Answer } from "../scene/token-endpoint.ts";

// `mxtoken run` by the real clock, at an endpoint with rotation and reuse detection. Time passes by itself
// here; it is events that are waited for. A token is replaced after a second, 1 % of its life: so a
// machine may be slow.

let place: RunScene;
beforeEach(async () => {
  place = await setRunScene();
});
afterEach(() => place?.close());

/** seconds */
const life = 100;
const oftener = ["--refresh-at", "1%"];

function startReader(sides: readonly Side[]): Run {
  place.script("reader.cjs", readerProgram);
  const { imap, certificates, options } = place.scene;
  const users = sides.map(({ address }) => address);
  return place.run([process.execPath, "reader.cjs", ...users], {
    words: [...users, ...options, ...oftener],
    env: { IMAP_PORT: String(imap.port), CA_FILE: certificates.caFile },
  });
}

function stop(): void {
  writeFileSync(place.path("stop"), "");
}

/** Its end must not be waited for in vain. */
async function orEnd(run: Run, event: Promise<void>): Promise<void> {
  const ended = outcome(run).then(({ stdout, stderr }) =>
    Promise.reject(new Error(`it ended before: ${stdout}${stderr}`)),
  );
  await Promise.race([event, ended]);
}

function checkAll(judge: Judge, sides: readonly Side[]): void {
  assert.deepEqual(judge.refused, []);
  for (const { account, lines } of sides) {
    assert.ok(account.isAlive, "a refresh token was used twice");
    assert.equal(lines().refreshToken, account.current);
    assert.ok(account.secrets.includes(lines().accessToken));
  }
}

describe("a command that reads the token files again and again", () => {
  test("two accounts, 4 new tokens for each: every login is accepted, and no line is ever half", async () => {
    for (const side of place.sides) side.life = life;
    const judge = judgeByLife(place);
    const run = startReader(place.sides);
    // The first one is that of the start.
    await orEnd(
      run,
      Promise.all(place.sides.map((side) => judge.seen(side, 5))).then(() => {}),
    );
    stop();
    const { status, stdout, stderr } = await outcome(run);
    assert.equal(status, 3, stdout + stderr);
    checkAll(judge, place.sides);
    // One refresh for each token, and none for nothing.
    const handedOut = place.sides.flatMap(({ account }) =>
      account.secrets.filter((secret) => secret.startsWith("access-")),
    );
    assert.equal(place.scene.endpoint.requests.length, handedOut.length);
  });

  test("beside mxtoken show and mxtoken <address> for the same file, at the same time", async () => {
    const [side] = place.sides;
    side.life = life;
    const judge = judgeByLife(place);
    const run = startReader([side]);
    for (let round = 1; round < 3; round += 1) {
      await orEnd(run, judge.seen(side, round * 2));
      const args = [side.address, ...place.scene.options];
      const options = { cwd: place.scene.directory };
      const others = [
        runProgram(["show", ...args], options),
        runProgram(args, options),
        runProgram(["show", ...args], options),
      ];
      for (const { status, stderr } of await Promise.all(others.map(outcome))) {
        assert.equal(status, 0, stderr);
      }
      assert.ok(side.account.isAlive, "a refresh token was used twice");
    }
    await orEnd(run, judge.next());
    stop();
    const { status, stdout, stderr } = await outcome(run);
    assert.equal(status, 3, stdout + stderr);
    checkAll(judge, [side]);
  });

  test("beside another run for the same file", async () => {
    const [side] = place.sides;
    side.life = life;
    const judge = judgeByLife(place);
    const runs = [startReader([side]), startReader([side])];
    for (const run of runs) await orEnd(run, judge.seen(side, 4));
    stop();
    for (const { status, stdout, stderr } of await Promise.all(runs.map(outcome))) {
      assert.equal(status, 3, stdout + stderr);
    }
    checkAll(judge, [side]);
  });
});

describe("when the command ends", () => {
  test("a refresh that is in flight is saved, and the status is the command's", async () => {
    const [side] = place.sides;
    side.life = life;
    const { answer } = side;
    let count = 0;
    let arrive = () => {};
    const arrived = new Promise<void>((resolve) => {
      arrive = resolve;
    });
    let release = () => {};
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    side.answer = async (request): Promise<Answer> => {
      count += 1;
      if (count === 1) return answer(request);
      arrive();
      await released;
      return answer(request);
    };
    const text = "until [ -e stop ]; do sleep 0.02; done; exit 9";
    const run = place.run(["sh", "-c", text], {
      words: place.one,
      more: ["--verbose", ...oftener],
    });
    await arrived;
    const before = side.lines();
    stop();
    await run.shown("waiting up to 10 seconds");
    assert.deepEqual(side.lines(), before);
    release();
    const { status, stderr } = await outcome(run);
    assert.equal(status, 9, stderr);
    const { accessToken, refreshToken } = side.lines();
    assert.equal(refreshToken, side.account.current);
    assert.notEqual(accessToken, before.accessToken);
    assert.ok(side.account.secrets.includes(accessToken));
    assert.equal(count, 2);
  });

  test("a refresh that is due at once does not keep it, and what was handed out is in the file", async () => {
    const [side] = place.sides;
    side.life = 1;
    const { status, stderr } = await outcome(place.run(["true"], { words: place.one }));
    assert.equal(status, 0, stderr);
    assert.ok(side.account.isAlive, "a refresh token was used twice");
    assert.equal(side.lines().refreshToken, side.account.current);
  });
});
