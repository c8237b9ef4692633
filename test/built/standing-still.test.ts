import assert from "node:assert/strict";
import { type AddressInfo, connect, createServer } from "node:net";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { quoteForShell } from "../../src/programs/commands-to-copy.ts";
import { systemWorld } from "../../src/world/system.ts";
import { faultEnvironment, MovedClock, standStill } from "../scene/faults.ts";
import { programPath, type Run, runCommand, runProgram } from "../scene/program.ts";
import { type Scene, setScene, tokenFileText, user } from "../scene/scene.ts";
import type { Answer } from "../scene/token-endpoint.ts";

// A process that was stopped, a laptop that slept, a terminal that takes nothing: time passes, and what
// the server has sent waits in the kernel.

let scene: Scene;
let clock: MovedClock;
let run: Run | undefined;

beforeEach(async () => {
  scene = await setScene();
  clock = new MovedClock(join(scene.directory, "clock"));
  scene.write(tokenFileText("old-access-token", scene.account.current));
});
afterEach(async () => {
  run?.child.kill("SIGKILL");
  await run?.ended;
  run = undefined;
  await scene.close();
});

function start(args: readonly string[]): Run {
  run = runProgram(args, { cwd: scene.directory, env: faultEnvironment([], { clock }) });
  return run;
}

describe("an answer that arrives while the process stands still", () => {
  for (const seconds of [61, 3 * 86_400]) {
    for (const args of [
      [user],
      ["show", user, "--nocache"],
      ["keep", user, "--verify", "none", "--refresh-at", "1%"],
    ]) {
      test(`${args[0]?.replace(user, "the whole job")}: ${seconds} s later it is read and stored`, async () => {
        const { account } = scene;
        const started = start([...args, ...scene.options]);
        scene.endpoint.answer = (request) => {
          scene.endpoint.answer = account.answer;
          return sentMeanwhile(started.child.pid ?? 0, seconds, account.answer(request));
        };
        await stored();
        assert.ok(!account.isReused);
      });
    }
  }
});

/** Lets the process stand still, and sends the answer; all of it has arrived when it goes on. */
function sentMeanwhile(pid: number, seconds: number, answer: Answer): Promise<Answer> {
  return new Promise((answered, failed) => {
    const send = () =>
      new Promise<void>((onSent) => {
        assert.ok(answer !== "drop");
        answered({ ...answer, onSent });
      });
    standStill(pid, clock, seconds, send).catch(failed);
  });
}

/** Resolves when the token file holds the token that the server wants next. */
async function stored(): Promise<void> {
  while (scene.lines().refreshToken !== scene.account.current) {
    assert.ok(run?.child.exitCode === null || run?.child.exitCode === 0, run?.written.stderr);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

test("a terminal that takes no output (Ctrl-S) stops no refresh", async () => {
  const { account } = scene;
  const command = [
    ...[process.execPath, programPath, "keep", user, "--verify", "none", "--verbose"],
    ...scene.options,
  ];
  const line = command.map(quoteForShell).join(" ");
  run = runCommand("script", ["-qfc", line, "/dev/null"], {
    cwd: scene.directory,
    keepOpen: true,
    env: { TERM: "xterm" },
  });
  // Tokens that live for two seconds are asked for again and again.
  const times = (wanted: number) =>
    new Promise<void>((resolve) => {
      let count = 0;
      scene.endpoint.answer = (request) => {
        const answer = account.answer(request);
        assert.ok(answer !== "drop" && typeof answer.body === "object");
        count += 1;
        if (count === wanted) resolve();
        return { ...answer, body: { ...answer.body, expires_in: 2 } };
      };
    });
  await times(1);
  run.child.stdin?.write("\x13");
  await times(4);
  run.child.stdin?.write("\x11");
});

test("what has arrived is read before a deadline is over", async () => {
  const { deadline } = systemWorld({ ownsProcess: false });
  const server = createServer((socket) => socket.end("arrived"));
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  const { port } = server.address() as AddressInfo;
  const heard: string[] = [];
  const socket = connect(port, "127.0.0.1");
  const over = deadline(20);
  await new Promise<void>((resolve) => {
    over.addEventListener("abort", () => {
      heard.push("over");
      resolve();
    });
    socket.once("data", (data) => heard.push(String(data)));
    // The loop stands still, from before the data arrive until long after the deadline.
    socket.once("connect", () =>
      setImmediate(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200)),
    );
  });
  assert.deepEqual(heard, ["arrived", "over"]);
  socket.destroy();
  server.close();
});

test("a deadline that is cancelled is never over", async () => {
  const { deadline } = systemWorld({ ownsProcess: false });
  const cancel = new AbortController();
  const over = deadline(5, cancel.signal);
  await new Promise<void>((resolve) => {
    deadline(5).addEventListener("abort", () => resolve());
    cancel.abort();
  });
  assert.ok(!over.aborted);
});

test("a deadline is over also where nothing else happens", async () => {
  const code = `
    import { systemWorld } from ${JSON.stringify(new URL("../../src/world/system.ts", import.meta.url).href)};
    import { createServer } from "node:net";
    const server = createServer().listen(0, "127.0.0.1");
    systemWorld({ ownsProcess: false }).deadline(20).addEventListener("abort", () => server.close());`;
  const args = ["--import", "tsx", "--input-type=module", "-e", code];
  run = runCommand(process.execPath, args, { cwd: process.cwd() });
  assert.equal((await run.ended).status, 0, run.written.stderr);
});
