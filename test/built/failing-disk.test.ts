import assert from "node:assert/strict";
import { chmodSync, existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { readSealedTokens } from "../../src/store/restore.ts";
import { type FaultRule, faultEnvironment, loggedCalls } from "../scene/faults.ts";
import { type Run, runProgram } from "../scene/program.ts";
import { type Scene, setScene, tokenFileText, user } from "../scene/scene.ts";

// The server has replaced the refresh token, and the disk fails at this very moment.

let scene: Scene;
beforeEach(async () => {
  scene = await setScene();
  scene.write(tokenFileText("old-access-token", scene.account.current));
});
afterEach(() => scene.close());

const temporary = () => join(dirname(scene.tokenFile), `.${basename(scene.tokenFile)}.tmp`);
const kept = () => join(dirname(scene.tokenFile), ".*.kept-*");
const log = () => join(scene.directory, "calls");

const commands = [
  ["the whole job", [user]],
  ["show", ["show", user, "--nocache"]],
] as const;

function start(args: readonly string[], rules: readonly FaultRule[]): Run {
  return runProgram([...args, ...scene.options], {
    cwd: scene.directory,
    env: {
      ...faultEnvironment(rules, { log: log() }),
      XDG_DATA_HOME: join(scene.directory, "data"),
      TMPDIR: join(scene.directory, "tmp"),
    },
  });
}

/** Every file below the scene that holds the refresh token that the server wants next. */
function holders(directory = scene.directory): string[] {
  return readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) return holders(path);
    const isText = entry.isFile() && entry.name !== "calls";
    return isText && readFileSync(path, "utf8").includes(scene.account.current) ? [path] : [];
  });
}

/** A later run, with a disk that works. */
async function runAgain(): Promise<void> {
  const env = {
    XDG_DATA_HOME: join(scene.directory, "data"),
    TMPDIR: join(scene.directory, "tmp"),
  };
  const world = Object.assign(scene.world(env), {
    dataDirectory: join(scene.directory, "data", "mxtoken"),
  });
  const again = await scene.run([user, ...scene.options], world);
  assert.equal(again.status, 0, again.stderr);
  assert.ok(!scene.account.isReused, "a spent refresh token was sent");
  assert.equal(scene.lines().refreshToken, scene.account.current);
}

function assertQuiet(run: Run): void {
  for (const secret of scene.account.secrets) {
    assert.ok(!run.written.stderr.includes(secret), "a secret was printed");
  }
}

describe("a file system that lacks something: 73 before anybody is asked, with a way out", () => {
  const lockFile = () => join(dirname(scene.tokenFile), `.${basename(scene.tokenFile)}.lock`);
  const assertTold = async (run: Run, words: RegExp) => {
    assert.equal((await run.ended).status, 73, run.written.stderr);
    assert.match(run.written.stderr.replace(/\s+/g, " "), words);
    assert.equal(scene.endpoint.requests.length, 0);
    assert.equal(scene.lines().accessToken, "old-access-token");
  };

  for (const [error, words] of [
    ["ENOLCK", "the file system has no lock to give"],
    ["EOPNOTSUPP", "the file system cannot do that"],
    ["ESTALE", "the network file system does not find it now"],
    ["ENOSYS", "the system cannot do that"],
    ["EIO", "the disk cannot read or write it"],
  ] as const) {
    for (const [what, args] of commands) {
      test(`${error} at the lock, ${what}`, async () => {
        const run = start(args, [{ call: "lock", path: lockFile(), action: error }]);
        await assertTold(run, new RegExp(`cannot lock .*: ${words} .*--home DIRECTORY`));
      });
    }
  }

  for (const error of ["EPERM", "EACCES", "ENOSYS", "EOPNOTSUPP"] as const) {
    test(`${error} at chmod, as on a drive without permissions`, async () => {
      chmodSync(scene.tokenFile, 0o400);
      const run = start([user], [{ call: "chmod", path: temporary(), action: error }]);
      await assertTold(run, /keeps no permissions, so others may read .*--home DIRECTORY/);
    });
  }

  test("another failure at chmod is told as what it is", async () => {
    chmodSync(scene.tokenFile, 0o400);
    const run = start([user], [{ call: "chmod", path: temporary(), action: "EIO" }]);
    await assertTold(run, /cannot write .*: the disk cannot read or write it/);
  });
});

describe("a write that fails when the only copy of a refresh token is in memory", () => {
  for (const [call, error, reserved] of [
    ["sync", "EIO", 1],
    ["write", "ENOSPC", 1],
    ["write", "EDQUOT", 1],
    ["truncate", "EIO", 0],
    ["write", "EROFS", 1],
  ] as const) {
    for (const [what, args] of commands) {
      test(`${error} at ${call}, ${what}: the tokens are kept, named, and come into their place`, async () => {
        // Before it asks, it tries out whether the file can be replaced, and reserves its place.
        const rule = { call, path: temporary(), action: error, after: 2 * reserved } as const;
        const run = start(args, [rule]);
        const { status } = await run.ended;
        assert.equal(status, 73, run.written.stderr);
        const [place = "nowhere"] = holders().filter((path) => path !== temporary());
        assert.ok(run.written.stderr.includes(place), run.written.stderr);
        assert.equal(scene.lines().accessToken, "old-access-token");
        assertQuiet(run);
        await runAgain();
      });
    }
  }

  test("EIO at close: what was synced is there, and nothing is amiss", async () => {
    const run = start([user], [{ call: "close", path: temporary(), action: "EIO-after" }]);
    assert.equal((await run.ended).status, 0, run.written.stderr);
    assert.equal(scene.lines().refreshToken, scene.account.current);
  });

  test("where nothing can be written beside it either: in another directory of ours", async () => {
    const rules: FaultRule[] = [
      { call: "write", path: temporary(), action: "ENOSPC", after: 2 },
      { call: "open", path: kept(), action: "ENOSPC" },
    ];
    const run = start([user], rules);
    const { status } = await run.ended;
    assert.equal(status, 73, run.written.stderr);
    const [place = "nowhere"] = holders();
    assert.ok(place.startsWith(join(scene.directory, "data", "mxtoken", "kept")), place);
    assert.ok(run.written.stderr.includes(place), run.written.stderr);
    await runAgain();
  });

  test("where that disk is full as well: in the temporary directory", async () => {
    const rules: FaultRule[] = [
      { call: "write", path: temporary(), action: "EIO", after: 2 },
      { call: "open", path: kept(), action: "EIO" },
      { call: "*", path: join(scene.directory, "data", "*"), action: "ENOSPC" },
    ];
    const run = start([user], rules);
    assert.equal((await run.ended).status, 73, run.written.stderr);
    const [place = "nowhere"] = holders();
    assert.ok(place.startsWith(join(scene.directory, "tmp")), place);
    assert.ok(run.written.stderr.includes(place), run.written.stderr);
    await runAgain();
  });
});

describe("killed at every call that is made after the answer", () => {
  // To be killed before a call is to be killed after the one before it.
  for (const action of ["kill-within", "kill-after"] as const) {
    for (const [what, args] of commands) {
      test(`${action}, ${what}: nothing is lost that had come to the disk`, async () => {
        const all = join(scene.directory, "tokens", "*");
        const calls = await callsAfterAnswer(args, all);
        // Write, truncate, sync, rename.
        assert.ok(calls.length >= 4);
        for (const [index, { call }] of calls.entries()) {
          if (action === "kill-within" && call !== "write") continue;
          scene.write(tokenFileText("old-access-token", scene.account.current));
          const spent = scene.account.current;
          const earlier = calls.slice(0, index).filter((one) => one.call === call).length;
          const before = calls.before(call);
          const rule = { call, path: all, action, after: before + earlier, times: 1 } as const;
          const run = start(args, [rule]);
          await run.ended;
          assert.notEqual(scene.account.current, spent, "it was killed before it asked");
          const isSaved = holders().some((path) => readSealedTokens(readFileSync(path, "utf8")));
          if (isSaved) await runAgain();
          // Between the answer and the end of the first write there is nothing yet that could be kept.
          else
            assert.ok(
              calls.slice(0, index).every((one) => one.call !== "write"),
              call,
            );
        }
      });
    }
  }
});

/** Calls after which something is another than before. */
const changes: ReadonlySet<FaultRule["call"]> = new Set([
  ...(["open", "write", "truncate", "sync", "rename", "unlink", "chmod"] as const),
]);

interface CallsAfterAnswer extends Array<{ readonly call: FaultRule["call"] }> {
  /** how many such calls are made before the answer */
  before(call: FaultRule["call"]): number;
}

/** What the program does to the files in the directory of tokens, before and after the answer. */
async function callsAfterAnswer(args: readonly string[], path: string): Promise<CallsAfterAnswer> {
  let answeredAt = 0n;
  const { answer } = scene.endpoint;
  scene.endpoint.answer = (request, sent) => {
    answeredAt = process.hrtime.bigint();
    return answer(request, sent);
  };
  const run = start(args, [{ call: "*", path, action: "log" }]);
  assert.equal((await run.ended).status, 0, run.written.stderr);
  scene.endpoint.answer = answer;
  const calls = loggedCalls(log())
    .map(({ at, call }) => ({ at, call: call as FaultRule["call"] }))
    .filter(({ call }) => changes.has(call));
  const after = calls.filter(({ at }) => at > answeredAt);
  assert.ok(!existsSync(temporary()));
  return Object.assign(after, {
    before: (call: FaultRule["call"]) =>
      calls.filter((one) => one.at <= answeredAt && one.call === call).length,
  });
}
