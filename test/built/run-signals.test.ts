import assert from "node:assert/strict";
import { chmodSync, cpSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { quoteForShell } from "../../src/programs/commands-to-copy.ts";
import { temporaryDirectory } from "../scene/certificates.ts";
import { programPath, type Run, runCommand } from "../scene/program.ts";
import { judgeByLife, readerProgram } from "../scene/reader.ts";
import { outcome, type RunScene, setRunScene } from "../scene/run-scene.ts";
import type { Answer } from "../scene/token-endpoint.ts";

// Signals to `mxtoken run`, the built program, and real children.

let place: RunScene;
beforeEach(async () => {
  place = await setRunScene();
});
afterEach(() => place?.close());

/**
 * Says its own number and its parent's, then every signal that it gets; `ends` says with which status
 * it ends at which; it also ends with 5 when there is a file `stop`.
 */
function listener(ends: Record<string, number> = {}): string[] {
  const file = place.script(
    "listener.cjs",
    `
const { existsSync } = require("node:fs");
const ends = JSON.parse(process.argv[2]);
for (const name of ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGWINCH"]) {
  let count = 0;
  process.on(name, () => {
    count += 1;
    console.error("got " + name + " " + count);
    if (name in ends) process.exit(ends[name]);
  });
}
setInterval(() => { if (existsSync("stop")) process.exit(5); }, 20);
console.error("child " + process.pid + " of " + process.ppid + ".");
`,
  );
  return [process.execPath, file, JSON.stringify(ends)];
}

function stop(): void {
  writeFileSync(place.path("stop"), "");
}

const signals = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2"] as const;

/** Started, and known by its number. */
async function started(run: Run): Promise<{ pid: number }> {
  await run.shown(/child \d+ of \d+\./);
  return { pid: Number(/child (\d+) of/.exec(run.written.stderr)?.[1]) };
}

/** Copies the built program, and the packages beside it that it needs. */
function copyProgram(project: string): void {
  const checkout = dirname(dirname(programPath));
  const copy = (path: string) =>
    cpSync(join(checkout, path), join(project, path), { recursive: true });
  const copyPackage = (name: string) => {
    const path = join("node_modules", name);
    if (existsSync(join(project, path))) return;
    copy(path);
    const { dependencies = {} } = JSON.parse(
      readFileSync(join(checkout, path, "package.json"), "utf8"),
    );
    for (const other of Object.keys(dependencies)) copyPackage(other);
  };
  copy("package.json");
  copy("dist");
  copyPackage("fs-native-extensions");
}

describe("a signal to mxtoken alone", () => {
  test("each reaches the command, which goes on, as often as it is sent", async () => {
    const run = place.run(listener(), { words: place.one });
    await started(run);
    for (const count of [1, 2]) {
      for (const signal of signals) {
        run.child.kill(signal);
        await run.shown(`got ${signal} ${count}`);
      }
    }
    stop();
    const { status, stderr } = await outcome(run);
    assert.equal(status, 5, stderr);
    assert.equal(stderr.match(/^got /gm)?.length, 2 * signals.length, stderr);
  });

  for (const [signal, status] of [
    ["SIGTERM", 42],
    ["SIGINT", 0],
    ["SIGHUP", 255],
  ] as const) {
    test(`a command that ends by itself at ${signal}: its own status, ${status}`, async () => {
      const run = place.run(listener({ [signal]: status }), { words: place.one });
      await started(run);
      run.child.kill(signal);
      assert.deepEqual(await run.ended, { status, signal: null });
    });
  }

  for (const [signal, status] of [
    ["SIGINT", 130],
    ["SIGTERM", 143],
    ["SIGUSR2", 140],
  ] as const) {
    test(`a command that does not care is ended by ${signal}: ${status}`, async () => {
      const text = "ulimit -c 0; echo here >&2; exec sleep 1000";
      const run = place.run(["sh", "-c", text], { words: place.one });
      await run.shown("here");
      run.child.kill(signal);
      assert.deepEqual(await run.ended, { status, signal: null });
    });
  }

  test("a command that ignores SIGTERM goes on, and its token is still refreshed", async () => {
    const [side] = place.sides;
    // A second is 1 % of it: so a machine may be slow.
    side.life = 100;
    const judge = judgeByLife(place);
    place.script("reader.cjs", readerProgram);
    const { imap, certificates } = place.scene;
    const run = place.run([process.execPath, "reader.cjs", side.address], {
      words: place.one,
      more: ["--refresh-at", "1%"],
      env: {
        IMAP_PORT: String(imap.port),
        CA_FILE: certificates.caFile,
        IGNORED: "SIGTERM",
      },
    });
    await run.shown("ready");
    await judge.seen(side, 2);
    run.child.kill("SIGTERM");
    await run.shown("ignored SIGTERM");
    await judge.seen(side, 4);
    stop();
    const { status, stdout, stderr } = await outcome(run);
    assert.equal(status, 3, stdout + stderr);
    assert.deepEqual(judge.refused, []);
    assert.ok(side.account.isAlive);
  });

  test("kill -9 of the command: 137", async () => {
    const run = place.run(listener(), { words: place.one });
    const { pid } = await started(run);
    process.kill(pid, "SIGKILL");
    assert.deepEqual(await run.ended, { status: 137, signal: null });
  });

  test("a command that may not be signalled goes on, and so does mxtoken", async (context) => {
    // As `sudo` is for whoever is not root. A copy of setpriv(1) with root's rights stands for it.
    if (process.geteuid?.() !== 0) {
      context.skip("needs root");
      return;
    }
    const text = `
chown -R 65534:65534 . && chmod 755 .
install -o root -g root -m 4755 "$(command -v setpriv)" ./as-root
[ -u as-root ] || exit 99
exec setpriv --reuid 65534 --regid 65534 --clear-groups "$@"`;
    // Where only root may look, nobody else finds the program.
    const project = temporaryDirectory();
    chmodSync(project, 0o755);
    copyProgram(project);
    const program = join(project, "dist", basename(programPath));
    const words = [process.execPath, program, "run", ...place.one, "--"];
    const command = ["./as-root", "--reuid", "0", ...listener()];
    const run = runCommand("sh", ["-c", text, "sh", ...words, ...command], {
      cwd: place.scene.directory,
    });
    const { pid } = await started(run);
    // Twice: what nobody waits for any more must not be a defect in the background either.
    for (const signal of ["SIGTERM", "SIGTERM", "SIGUSR1"] as const) run.child.kill(signal);
    process.kill(pid, "SIGUSR2");
    await run.shown("got SIGUSR2 1");
    stop();
    const { status, stderr } = await outcome(run);
    assert.doesNotMatch(stderr, /got SIGTERM/, "it could be signalled after all");
    assert.equal(status, 5, stderr);
    assert.doesNotMatch(stderr, /defect/);
  });
});

describe("Ctrl-C in a terminal", () => {
  /** As two that come at the same moment may be one. */
  const times = 5;

  /** Types Ctrl-C a few times, and looks afterwards how often it has arrived. */
  async function typed(redirection: string, key = "\u0003") {
    const words = [process.execPath, programPath, "run", ...place.one, "--quiet", "--"];
    const command = [...words, ...listener({ SIGUSR1: 7 })].map(quoteForShell).join(" ");
    const isPipe = redirection.includes("|");
    // A shell that waits for it would end with the signal itself.
    const text = isPipe ? redirection.replace("@", command) : `exec ${command}${redirection}`;
    const said = place.path("said");
    const run = runCommand("script", ["-qefc", text, "/dev/null"], {
      cwd: place.scene.directory,
      env: { TERM: "xterm" },
      keepOpen: true,
    });
    const shown = (pattern: RegExp) => {
      const found = () =>
        pattern.exec(run.written.stdout + (existsSync(said) ? readFileSync(said, "utf8") : ""));
      return new Promise<RegExpExecArray>((resolve) => {
        const look = () => {
          const match = found();
          if (match === null) setImmediate(look);
          else resolve(match);
        };
        look();
      });
    };
    const [, parent] = await shown(/child \d+ of (\d+)\./);
    const name = key === "\u0003" ? "SIGINT" : "SIGQUIT";
    for (let count = 1; count <= times; count += 1) {
      run.child.stdin?.write(key);
      await shown(new RegExp(`got ${name} ${count}\\b`));
    }
    // mxtoken hears of its signals one after the other: when this one has been passed on, everything
    // that was to be passed on before it has been.
    process.kill(Number(parent), "SIGUSR1");
    await shown(/got SIGUSR1 1/);
    const { status } = await run.ended;
    run.child.stdin?.destroy();
    const [all] = await shown(/[\s\S]*/);
    return { status, arrived: all.match(new RegExp(`got ${name} `, "g"))?.length };
  }

  for (const [what, redirection] of [
    ["the terminal", ""],
    ["its input from a file", " < /dev/null"],
    ["its input from a pipe", "sleep 0 | @"],
    ["its output to a pipe", "@ | cat"],
    ["its input from a file and its output to another", " < /dev/null > said 2>&1"],
  ] as const) {
    test(`with ${what}: it arrives at the command exactly once each time`, async () => {
      const { status, arrived } = await typed(redirection);
      assert.equal(arrived, times);
      // Of a pipe, the shell's own end is told.
      if (!redirection.includes("|")) assert.equal(status, 7);
    });
  }

  test("and so does Ctrl-\\", async () => {
    assert.deepEqual(await typed("", "\u001c"), { status: 7, arrived: times });
  });

  test("in the background, what is sent to mxtoken is passed on", async () => {
    const words = [process.execPath, programPath, "run", ...place.one, "--quiet", "--"];
    const command = [...words, ...listener({ SIGINT: 8 })].map(quoteForShell).join(" ");
    // A shell with job control gives what is in the background a group of its own.
    const text = `set -m; ${command} & wait $!; exit $?`;
    const run = runCommand("script", ["-qefc", `bash -c ${quoteForShell(text)}`, "/dev/null"], {
      cwd: place.scene.directory,
      env: { TERM: "xterm" },
      keepOpen: true,
    });
    const parent = await new Promise<number>((resolve) => {
      run.child.stdout?.on("data", () => {
        const [, pid] = /child \d+ of (\d+)\./.exec(run.written.stdout) ?? [];
        if (pid !== undefined) resolve(Number(pid));
      });
    });
    process.kill(parent, "SIGINT");
    const { status } = await run.ended;
    run.child.stdin?.destroy();
    assert.equal(status, 8, run.written.stdout);
  });
});

describe("a signal before the command starts", () => {
  for (const [signal, status, number] of [
    ["SIGINT", 130, 1],
    ["SIGTERM", 143, 2],
    ["SIGHUP", 129, 1],
  ] as const) {
    const which = number === 1 ? "first" : "second";
    test(`${signal} during the ${which} token request: the answer is saved, then ${status}`, async () => {
      const side = place.sides[number - 1] ?? assert.fail();
      const { answer } = side;
      let arrive = () => {};
      const arrived = new Promise<void>((resolve) => {
        arrive = resolve;
      });
      let release = () => {};
      const released = new Promise<void>((resolve) => {
        release = resolve;
      });
      side.answer = async (request): Promise<Answer> => {
        arrive();
        await released;
        return answer(request);
      };
      const run = place.run(["touch", place.path("started")]);
      await arrived;
      run.child.kill(signal);
      await run.shown("waiting up to 10 seconds");
      release();
      const result = await outcome(run);
      assert.equal(result.status, status, result.stderr);
      assert.ok(!existsSync(place.path("started")));
      assert.equal(side.lines().refreshToken, side.account.current);
      assert.equal(place.scene.endpoint.requests.length, number);
    });
  }

  for (const [signal, status] of [
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const) {
    test(`${signal} while imapsync is asked for its --help: ${status}`, async () => {
      const text = `#!/bin/sh
for word; do [ "$word" = --help ] && { echo asked >&2; exec sleep 1000; }; done
touch ${place.path("started")}
`;
      const run = place.run([place.script("imapsync", text)], { more: ["--imapsync"] });
      await run.shown("asked");
      run.child.kill(signal);
      const result = await outcome(run);
      assert.equal(result.status, status, result.stderr);
      assert.ok(!existsSync(place.path("started")));
    });
  }
});
