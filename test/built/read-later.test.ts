import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { afterEach, beforeEach, describe, test } from "node:test";
import { identityIn, readTokenFile } from "../../src/store/read.ts";
import { mayBeReadLater } from "../../src/system-error.ts";
import { putCrowd } from "../scene/crowd.ts";
import { accounts, toldIn } from "../scene/keeping.ts";
import { type Run, type RunOptions, runProgram } from "../scene/program.ts";
import { type Scene, setScene } from "../scene/scene.ts";

// A file that cannot be read now is nobody's refusal, and nobody has to see to it.

/** A file whose reading fails with EIO on every Linux: nothing is mapped at the address 0. */
const broken = "/proc/self/mem";

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

describe("a failure to read a file passes", () => {
  for (const [codes, passes] of [
    ["EMFILE ENFILE ENOMEM EIO EAGAIN ESTALE ETIMEDOUT EBUSY EINTR EREMOTEIO ENOLCK", true],
    ["ENOBUFS EHOSTDOWN ENETUNREACH ENOTCONN ENOKEY EUCLEAN EDQUOT ENOSPC", true],
    ["ENOENT ENOTDIR EACCES EPERM ELOOP ENAMETOOLONG EISDIR ENXIO ENODEV EINVAL", false],
    ["ERR_INVALID_ARG_VALUE ERR_FS_FILE_TOO_LARGE ERR_STRING_TOO_LONG", false],
  ] as const) {
    for (const code of codes.split(" ")) {
      test(`${code}: ${passes ? "" : "it does not"}`, () => {
        assert.equal(mayBeReadLater(Object.assign(new Error(code), { code })), passes);
      });
    }
  }

  test("what is no failure of the system does not", () => {
    for (const error of [new TypeError("defect"), "EIO", undefined]) {
      assert.equal(mayBeReadLater(error), false);
    }
  });

  test("a token file on a disk that fails: unreachable, and its identity is not guessed", async () => {
    for (const read of [readTokenFile, identityIn]) {
      await assert.rejects(read(broken), {
        code: "unreachable",
        message: `cannot read ${broken} now: the disk cannot read or write it (EIO)`,
      });
    }
  });
});

describe("75 for a disk that fails", () => {
  for (const [what, args] of [
    ["check", ["check", "foo@example.test", "--token-file", broken]],
    ["show", ["show", "foo@example.test", "--token-file", broken]],
    ["a turn", ["foo@example.test", "--token-file", broken]],
    ["--list", ["keep", "--list", broken]],
    ["--ca-file", ["show", "foo@example.test", "--ca-file", broken]],
    ["--client-secret-file", ["show", "foo@example.test", "--client-secret-file", broken]],
    ["--service-account-key", ["show", "foo@example.test", "--service-account-key", broken]],
  ] as const) {
    test(what, async () => {
      scene.write("an-access-token-that-has-ended\na-refresh-token\n");
      const options =
        what === "--service-account-key"
          ? ["--provider", "google", "--home", scene.directory]
          : scene.options;
      const run = start([...args, ...options.filter((_, index) => !isTwice(args, options, index))]);
      assert.equal((await run.ended).status, 75, run.written.stderr);
      assert.match(run.written.stderr, /cannot read .*: the disk cannot read or write it/);
    });
  }

  /** Whether it is an option that the arguments have already, or its value. */
  function isTwice(args: readonly string[], options: readonly string[], index: number): boolean {
    const name = options[index]?.startsWith("--") ? options[index] : options[index - 1];
    return args.includes(name ?? "");
  }
});

describe("keep", () => {
  test("is refused nothing by a disk that fails, and goes on", async () => {
    const crowd = putCrowd(scene, accounts(1), Date.now);
    writeFileSync(crowd.list, `user0@example.test --token-file ${broken}\n`);
    const run = start(["keep", "--list", crowd.list, ...scene.options, "--json"]);
    await run.shown("no new token now: cannot read /proc/self/mem now");
    run.child.kill("SIGTERM");
    assert.equal((await run.ended).status, 143, run.written.stderr);
    const told = toldIn(run.written.stdout);
    assert.ok(told.some(({ event }) => event === "unreachable"));
    assert.ok(told.every(({ event }) => event !== "refused" && event !== "nothingAlive"));
  });

  test("is refused nothing by a process that may open no more files", async () => {
    const crowd = putCrowd(scene, accounts(3, 2), Date.now);
    scene.imap.login = () => "accept";
    const run = start(["keep", "--list", crowd.list, ...scene.options, "--json"]);
    await run.shown("good until");
    const { pid } = run.child;
    // Not one more: how many are open now, in the middle of a turn, may be enough for the next.
    limitFiles(pid, 3);
    await run.shown(/no new token now: .*too many files open/);
    assert.equal(run.child.exitCode, null);
    limitFiles(pid, 1024);
    await run.shown("that works again; a new token");
    run.child.kill("SIGTERM");
    assert.equal((await run.ended).status, 143, run.written.stderr);
    for (const { event, message } of toldIn(run.written.stdout)) {
      assert.ok(event !== "refused" && event !== "triedAgain", message);
    }
    for (const { account } of crowd.members) assert.ok(account.isAlive);
  });

  function limitFiles(pid: number | undefined, count: number): void {
    execFileSync("prlimit", [`--pid=${pid}`, `--nofile=${count}:`]);
  }
});
