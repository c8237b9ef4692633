import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { constants } from "node:os";
import { join } from "node:path";
import { beforeEach, describe, test } from "node:test";
import { temporaryDirectory } from "../scene/certificates.ts";
import {
  type FaultOptions,
  type FaultRule,
  faultEnvironment,
  hasStopped,
  loggedCalls,
  MovedClock,
  standStill,
} from "../scene/faults.ts";
import { type Run, runCommand, runProgram } from "../scene/program.ts";
import { type Scene, setScene, tokenFileText, user } from "../scene/scene.ts";

let directory: string;
let log: string;

beforeEach(() => {
  directory = temporaryDirectory();
  log = join(directory, "log");
  mkdirSync(join(directory, "ruled"));
});

const ruled = (name: string) => join(directory, "ruled", name);
const all = () => join(directory, "ruled", "*");

function start(code: string, rules: readonly FaultRule[], options: FaultOptions = {}): Run {
  const env = faultEnvironment(rules, { log, ...options });
  const script = `const fs = require("node:fs"); const at = (name) => ${JSON.stringify(join(directory, "ruled"))} + "/" + name;
    const code = (work) => { try { work(); return "none"; } catch (error) { return error.code; } };
    const file = () => fs.openSync(at("file"), "w+"); ${code}`;
  return runCommand(process.execPath, ["-e", script], { cwd: directory, env });
}

async function said(code: string, rules: readonly FaultRule[]): Promise<string> {
  const run = start(`console.log(${code});`, rules);
  const { status } = await run.ended;
  assert.equal(status, 0, run.written.stderr);
  return run.written.stdout.trim();
}

describe("a call that fails", () => {
  for (const [call, code] of [
    ["open", "fs.openSync(at('file'), 'w')"],
    ["read", "fs.readSync(fs.openSync(at('old')), Buffer.alloc(9), 0, 9)"],
    ["read", "fs.readSync(fs.openSync(at('old')), Buffer.alloc(9), 0, 9, 1)"],
    ["read", "fs.readFileSync(at('old'))"],
    ["write", "fs.writeSync(file(), 'text')"],
    ["write", "fs.writeSync(file(), 'text', 0)"],
    ["write", "fs.writevSync(file(), [Buffer.from('a'), Buffer.from('b')])"],
    ["write", "fs.writevSync(file(), [Buffer.from('a'), Buffer.from('b')], 0)"],
    ["truncate", "fs.ftruncateSync(file(), 1)"],
    ["sync", "fs.fsyncSync(file())"],
    ["sync", "fs.fdatasyncSync(file())"],
    ["rename", "fs.renameSync(at('old'), '../elsewhere')"],
    ["link", "fs.linkSync(at('old'), at('new'))"],
    ["unlink", "fs.unlinkSync(at('old'))"],
    ["mkdir", "fs.mkdirSync(at('made'))"],
    ["close", "fs.closeSync(file())"],
    ["chmod", "fs.fchmodSync(file(), 0o600)"],
    ["chown", "fs.fchownSync(file(), 0, 0)"],
    ["stat", "fs.statSync(at('old'))"],
    ["access", "fs.accessSync(at('old'))"],
  ] as const) {
    test(`${call}: ${code}`, async () => {
      writeFileSync(ruled("old"), "old");
      const rule = { call, path: all(), action: "EIO" } as const;
      assert.equal(await said(`code(() => ${code})`, [rule]), "EIO");
      const [first, ...more] = loggedCalls(log);
      assert.deepEqual([first?.call, first?.result, first?.error], [call, -1, constants.errno.EIO]);
      assert.equal(more.length, 0);
      assert.equal(readFileSync(ruled("old"), "utf8"), "old");
    });
  }

  test("of a lock", async () => {
    const code = `code(() => require("${process.cwd()}/node_modules/fs-native-extensions").tryLock(file()))`;
    const rule = { call: "lock", path: all(), action: "EIO" } as const;
    assert.equal(await said(code, [rule]), "EIO");
  });

  test("by a path of any kind: relative, and of the old name or the new one", async () => {
    writeFileSync(ruled("old"), "old");
    const code = (to: string) => `code(() => fs.renameSync("ruled/old", "${to}"))`;
    const rule = (path: string) => ({ call: "rename", path, action: "EXDEV" }) as const;
    assert.equal(await said(code("new"), [rule(ruled("o*"))]), "EXDEV");
    assert.equal(await said(code("new"), [rule(`${directory}/new`)]), "EXDEV");
    assert.equal(await said(code("new"), [rule(ruled("new"))]), "none");
  });

  test("in another thread, as everything that waits for the disk is called", async () => {
    const code = "fs.promises.writeFile(at('file'), 'text').catch(({ code }) => console.log(code))";
    const run = start(code, [{ call: "write", path: all(), action: "ENOSPC" }]);
    await run.ended;
    assert.equal(run.written.stdout, "ENOSPC\n");
  });

  test("and has been made all the same", async () => {
    writeFileSync(ruled("old"), "old");
    const code = "code(() => fs.unlinkSync(at('old')))";
    const rule = { call: "unlink", path: all(), action: "EIO-after" } as const;
    assert.equal(await said(code, [rule]), "EIO");
    assert.ok(!existsSync(ruled("old")));
  });

  test("once, after two that do not; and another call or another path never does", async () => {
    const code = "[1, 2, 3, 4].map(() => code(() => fs.fsyncSync(1 && file())))";
    const rule = { call: "sync", path: all(), action: "ENOSPC", after: 2, times: 1 } as const;
    const wide = { call: "write", path: all(), action: "EIO" } as const;
    const apart = { call: "sync", path: "/elsewhere/*", action: "EIO" } as const;
    const answers = await said(`${code}.join()`, [apart, wide, rule]);
    assert.equal(answers, "none,none,ENOSPC,none");
  });
});

test("half is read and written, where less than all is done", async () => {
  writeFileSync(ruled("old"), "12345678");
  const written = "fs.writeSync(file(), '12345678')";
  const read = "fs.readSync(fs.openSync(at('old')), Buffer.alloc(8), 0, 8)";
  const rules = (["read", "write"] as const).map(
    (call) => ({ call, path: all(), action: "short" }) as const,
  );
  // Node goes on with what is left, and it is halved again.
  assert.equal(await said(`[${written}, ${read}].join()`, rules), "8,4");
  assert.deepEqual(
    loggedCalls(log).map(({ call, result }) => `${call} ${result}`),
    ["write 4", "write 2", "write 1", "write 1", "read 4"],
  );
});

describe("a process that", () => {
  for (const [action, left] of [
    ["kill", ""],
    ["kill-within", "1234"],
    ["kill-after", "12345678"],
  ] as const) {
    test(`is killed: ${action}`, async () => {
      const code = "fs.writeSync(file(), '12345678'); fs.writeSync(file(), 'more');";
      const { signal } = await start(code, [{ call: "write", path: all(), action }]).ended;
      assert.equal(signal, "SIGKILL");
      assert.equal(readFileSync(ruled("file"), "utf8"), left);
      const [{ result, ...told } = { action: "", result: 0 }] = loggedCalls(log);
      assert.deepEqual([told.action, result], [action, undefined]);
    });
  }

  for (const [action, left] of [
    ["stop", ""],
    ["stop-after", "12345678"],
  ] as const) {
    test(`stands still: ${action}`, async () => {
      const code = "fs.writeSync(file(), '12345678'); console.log('done');";
      const run = start(code, [{ call: "write", path: all(), action }]);
      const { pid = 0 } = run.child;
      await hasStopped(pid);
      assert.equal(readFileSync(ruled("file"), "utf8"), left);
      process.kill(pid, "SIGCONT");
      assert.equal((await run.ended).status, 0);
      assert.equal(run.written.stdout, "done\n");
      assert.equal(readFileSync(ruled("file"), "utf8"), "12345678");
    });
  }
});

test("calls are told in order, with the machine's monotonic time", async () => {
  const before = process.hrtime.bigint();
  const code = "const fd = file(); fs.writeSync(fd, 'text'); fs.fsyncSync(fd); fs.closeSync(fd);";
  await start(code, [{ call: "*", path: all(), action: "log" }]).ended;
  const after = process.hrtime.bigint();
  const calls = loggedCalls(log);
  assert.deepEqual(
    calls.map(({ call, result }) => (call === "write" ? `write ${result}` : call)),
    ["open", "write 4", "sync", "close"],
  );
  const times = [before, ...calls.map(({ at }) => at), after];
  assert.deepEqual(
    times,
    times.toSorted((a, b) => Number(a - b)),
  );
});

describe("a clock", () => {
  const code = "setInterval(() => console.log(Date.now(), process.hrtime.bigint()), 1)";

  test("is ahead from the start, and jumps", async () => {
    const clock = new MovedClock(join(directory, "clock"));
    clock.set({ realTime: 3600, monotonic: 0 });
    const run = start(code, [], { clock });
    const first = await nextLine(run);
    const hour = 3_600_000;
    const isAbout = (ms: number, expected: number) =>
      assert.ok(ms >= expected && ms < expected + hour / 2, `${ms} ms for ${expected}`);
    isAbout(first.realTime - Date.now() + 60_000, hour);
    clock.set({ realTime: -3600, monotonic: 7200 });
    const second = await nextLine(run);
    isAbout(Date.now() - second.realTime + 60_000, hour);
    isAbout(second.monotonic - first.monotonic, 2 * hour);
    run.child.kill();
    await run.ended;
  });

  test("has gone on when a process goes on that stood still, and a deadline has passed", async () => {
    const clock = new MovedClock(join(directory, "clock"));
    const run = start(`setTimeout(() => {}, 900_000); console.error("waiting");`, [], { clock });
    await run.shown("waiting");
    await standStill(run.child.pid ?? 0, clock, 901);
    assert.equal((await run.ended).status, 0);
  });

  /** What it says from now on. */
  async function nextLine(run: Run): Promise<{ realTime: number; monotonic: number }> {
    const length = run.written.stdout.length;
    await new Promise<void>((resolve) => {
      const onData = () => {
        if (run.written.stdout.length < length + 200) return;
        run.child.stdout?.off("data", onData);
        resolve();
      };
      run.child.stdout?.on("data", onData);
    });
    const [realTime, monotonic = ""] =
      run.written.stdout.trim().split("\n").at(-1)?.split(" ") ?? [];
    return {
      realTime: Number(realTime),
      monotonic: Number(BigInt(monotonic.replace("n", "")) / 1_000_000n),
    };
  }
});

describe("refuses", () => {
  for (const [what, rule] of [
    ["an unknown call", "openly\t/\tE5\t0\t1"],
    ["an unknown action", "open\t/\tkilled\t0\t1"],
    ["an error without a number", "open\t/\tEIO\t0\t1"],
    ["an action with a part too much", "open\t/\tE5-before\t0\t1"],
    ["no path", "open\t\tE5\t0\t1"],
    ["a field too few", "open\t/\tE5\t0"],
    ["a field too much", "open\t/\tE5\t0\t1\t1"],
  ] as const) {
    test(what, async () => {
      const env = { ...faultEnvironment([]), FAULT_RULES: rule };
      const run = runCommand("true", [], { cwd: directory, env });
      assert.equal((await run.ended).status, 99);
      assert.match(run.written.stderr, /a rule that cannot be understood/);
    });
  }

  test("a log and a clock that cannot be opened", async () => {
    const env = { ...faultEnvironment([]), FAULT_LOG: ruled("none/log") };
    const run = runCommand("true", [], { cwd: directory, env });
    assert.equal((await run.ended).status, 99);
    const other = { ...faultEnvironment([]), FAULT_CLOCK: ruled("none") };
    const second = runCommand("true", [], { cwd: directory, env: other });
    assert.equal((await second.ended).status, 99);
  });
});

describe("the built program", () => {
  let scene: Scene;
  beforeEach(async () => {
    scene = await setScene();
    scene.write(tokenFileText("old-access-token", scene.account.current));
  });

  test("runs as ever where no rule acts, and fails where one does", async () => {
    const path = join(scene.directory, "tokens", "*");
    const run = (rule: FaultRule) =>
      runProgram([user, ...scene.options], {
        cwd: scene.directory,
        env: faultEnvironment([rule], { log }),
      });
    const first = run({ call: "*", path, action: "log" });
    assert.equal((await first.ended).status, 0, first.written.stderr);
    const second = run({ call: "sync", path, action: "EIO", times: 1 });
    assert.equal((await second.ended).status, 73, second.written.stderr);
    assert.match(second.written.stderr, /EIO|input\/output/i);
    assert.equal(scene.endpoint.requests.length, 1);
    const names = new Set(loggedCalls(log).map(({ call }) => call));
    for (const call of ["open", "write", "truncate", "sync", "rename", "lock", "stat", "close"]) {
      assert.ok(names.has(call), call);
    }
    await scene.close();
  });
});
