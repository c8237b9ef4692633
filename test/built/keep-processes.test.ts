import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { type Crowd, type Life, type Member, putCrowd } from "../scene/crowd.ts";
import { accounts, toldIn } from "../scene/keeping.ts";
import { type Run, type RunOptions, runProgram } from "../scene/program.ts";
import { type Scene, setScene } from "../scene/scene.ts";
import type { TokenEndpoint } from "../scene/token-endpoint.ts";

// The built program, as a service runs it, by the real clock: the tokens are what lives shorter.

let scene: Scene;
let crowd: Crowd;
const runs: Run[] = [];

beforeEach(async () => {
  scene = await setScene();
});
afterEach(async () => {
  for (const run of runs.splice(0)) {
    run.child.kill("SIGKILL");
    await run.ended;
  }
  await scene?.close();
});

function put(lives: readonly Life[]): readonly Member[] {
  crowd = putCrowd(scene, lives, Date.now);
  // A machine that is busy may take longer for a login than these tokens live.
  scene.imap.login = () => "accept";
  return crowd.members;
}

function start(args: readonly string[], options: Partial<RunOptions> = {}): Run {
  const run = runProgram(args, { cwd: scene.directory, ...options });
  runs.push(run);
  return run;
}

function keep(more: readonly string[] = [], options: Partial<RunOptions> = {}): Run {
  return start(["keep", "--list", crowd.list, ...scene.options, ...more], options);
}

/** Resolves at the next request for which something is so. */
function requested(isSo: () => boolean): Promise<void> {
  const answer = scene.endpoint.answer;
  return new Promise((resolve) => {
    scene.endpoint.answer = async (...request) => {
      const answered = await answer(...request);
      if (isSo()) resolve();
      return answered;
    };
  });
}

/** Holds every answer back, before the server does anything, until they are released. */
function holdAnswers(): {
  arrived: Promise<void>;
  release(isAnswered: boolean): void;
} {
  const answer = scene.endpoint.answer;
  let release: (isAnswered: boolean) => void = () => {};
  const released = new Promise<boolean>((resolve) => {
    release = resolve;
  });
  const arrived = new Promise<void>((resolve) => {
    const hold: TokenEndpoint["answer"] = async (...request) => {
      resolve();
      return (await released) ? answer(...request) : "drop";
    };
    scene.endpoint.answer = hold;
  });
  return {
    arrived,
    release(isAnswered) {
      scene.endpoint.answer = answer;
      release(isAnswered);
    },
  };
}

/** Refuses the first tokens, and never answers a new one. @returns when the first of those is tried */
function muteForNewTokens(): Promise<void> {
  return new Promise((resolve) => {
    scene.imap.login = (token) => {
      if (token.startsWith("access-0-")) return "refuse";
      resolve();
      return "mute";
    };
  });
}

function assertSaved({ account, address, ...member }: Member): void {
  assert.ok(account.isAlive && !account.isReused, `${address} is dead`);
  assert.equal(member.refreshToken(), account.current, address);
  assert.ok(account.secrets.includes(member.accessToken() ?? ""), address);
}

describe("a signal", () => {
  for (const [signal, status] of [
    ["SIGTERM", 143],
    ["SIGINT", 130],
  ] as const) {
    test(`${signal}: what is under way is saved, nothing new is begun, ${status}`, async () => {
      const members = put(accounts(3, 1));
      const held = holdAnswers();
      const run = keep(["--concurrency", "1"]);
      await held.arrived;
      run.child.kill(signal);
      await run.shown("stopping: finishing what is under way for 1 account");
      // A second one changes nothing.
      run.child.kill(signal);
      held.release(true);
      assert.equal((await run.ended).status, status, run.written.stderr);
      assert.equal(scene.endpoint.requests.length, 1);
      const [asked, ...others] = members.filter(({ requests }) => requests === 1);
      assert.ok(asked !== undefined && others.length === 0);
      assertSaved(asked);
      // The newest, although nobody has proven it.
      assert.equal(asked.accessToken(), asked.account.secrets.at(-1));
    });

    test(`${signal} while it naps ends it at once`, async () => {
      put(accounts(2));
      const run = keep();
      await run.shown(/user0@.*is good until/);
      await run.shown(/user1@.*is good until/);
      run.child.kill(signal);
      assert.equal((await run.ended).status, status, run.written.stderr);
      assert.match(run.written.stderr, /^mxtoken: stopping$/m);
    });
  }

  test("SIGTERM while a new token is being proven: it is in the file", async () => {
    const [member] = put(accounts(1, 1));
    assert.ok(member !== undefined);
    const isTried = muteForNewTokens();
    const run = keep();
    await isTried;
    run.child.kill("SIGTERM");
    assert.equal((await run.ended).status, 143, run.written.stderr);
    assertSaved(member);
    assert.equal(member.accessToken(), member.account.secrets.at(-1));
  });

  test("SIGHUP reads the list again", async () => {
    const [one, two] = put(accounts(2));
    writeFileSync(crowd.list, `${one?.address}\n`);
    const run = keep();
    await run.shown(`${one?.address}: the stored token`);
    writeFileSync(crowd.list, `${one?.address}\n${two?.address}\n`);
    run.child.kill("SIGHUP");
    await run.shown("read the accounts again: 2 accounts, 1 new, 0 gone");
    await run.shown(`${two?.address}: the stored token`);
    run.child.kill("SIGTERM");
    assert.equal((await run.ended).status, 143);
  });
});

describe("kill -9", () => {
  test("while a request is on its way: the next one goes on", async () => {
    const [member] = put(accounts(1, 1));
    assert.ok(member !== undefined);
    const held = holdAnswers();
    const killed = keep();
    await held.arrived;
    killed.child.kill("SIGKILL");
    await killed.ended;
    held.release(false);
    const next = keep();
    await next.shown("a new token");
    next.child.kill("SIGTERM");
    await next.ended;
    assertSaved(member);
  });

  test("while the new token is being proven: its refresh token is on the disk", async () => {
    const [member] = put(accounts(1, 1));
    assert.ok(member !== undefined);
    const login = scene.imap.login;
    const isTried = muteForNewTokens();
    const killed = keep();
    await isTried;
    killed.child.kill("SIGKILL");
    await killed.ended;
    assert.equal(member.refreshToken(), member.account.current);
    scene.imap.login = login;
    const next = keep();
    await next.shown("a new token");
    next.child.kill("SIGTERM");
    await next.ended;
    assertSaved(member);
  });
});

describe("two of them on the same files, at a server that revokes everything when a token is reused", () => {
  test("20 accounts, several rounds, and mxtoken show in between: none dies", async (context) => {
    const members = put(accounts(20, 3));
    const statusFile = join(scene.directory, "status.json");
    const rounds = requested(() => members.every(({ requests }) => requests >= 5));
    const two = [keep(["--json", "--status-file", "status.json"]), keep(["--json"])];
    let isOver = false;
    let shown = 0;
    const shows = (async () => {
      while (!isOver) {
        const member = members[shown % members.length];
        const run = start(["show", member?.address ?? "", ...scene.options]);
        assert.equal((await run.ended).status, 0, run.written.stderr);
        assert.ok(member?.account.secrets.includes(run.written.stdout.trim()));
        shown += 1;
      }
    })();
    const reader = (async () => {
      while (!isOver) {
        const text = readIfThere(statusFile);
        if (text !== undefined) assert.equal(JSON.parse(text).accounts.length, 20);
        for (const member of members) assert.ok(member.accessToken() !== undefined);
        await new Promise((resolve) => setImmediate(resolve));
      }
    })();
    await rounds;
    isOver = true;
    await Promise.all([shows, reader]);
    for (const run of two) {
      run.child.kill("SIGTERM");
      assert.equal((await run.ended).status, 143, run.written.stderr);
      assert.ok(toldIn(run.written.stdout).some(({ event }) => event === "refreshed"));
      for (const { event, message } of toldIn(run.written.stdout)) {
        assert.ok(!["refused", "unreachable", "expired"].includes(event), message);
      }
      assert.doesNotMatch(run.written.stderr, /Warning|defect/);
      for (const secret of crowd.secrets()) {
        assert.ok(!run.written.stdout.includes(secret) && !run.written.stderr.includes(secret));
      }
    }
    for (const member of members) assertSaved(member);
    assert.equal(JSON.parse(readFileSync(statusFile, "utf8")).isRunning, false);
    const requests = scene.endpoint.requests.length;
    context.diagnostic(`${requests} refreshes of 20 accounts, ${shown} times mxtoken show`);
  });

  function readIfThere(path: string): string | undefined {
    try {
      return readFileSync(path, "utf8");
    } catch {
      return undefined;
    }
  }
});

test("many at once: nothing but lines of its own", async () => {
  const members = put(accounts(40, 1));
  const held = holdAnswers();
  const run = keep();
  await held.arrived;
  held.release(true);
  await requested(() => members.every(({ requests }) => requests >= 2));
  run.child.kill("SIGTERM");
  assert.equal((await run.ended).status, 143);
  for (const line of run.written.stderr.trim().split("\n")) assert.match(line, /^mxtoken: /);
  for (const member of members) assertSaved(member);
});

describe("--on-event", () => {
  test("gets no client secret, and the program's own environment beside the three variables", async () => {
    put(accounts(1));
    const file = join(scene.directory, "environment.txt");
    const run = keep(["--on-event", `env >> '${file}'`], {
      env: { MXTOKEN_CLIENT_SECRET: "the-secret-of-the-app", MINE: "as it was" },
    });
    await run.shown("the stored token is good until");
    run.child.kill("SIGTERM");
    assert.equal((await run.ended).status, 143, run.written.stderr);
    const environment = readFileSync(file, "utf8");
    assert.match(environment, /^MXTOKEN_EVENT=begun$/m);
    assert.match(environment, /^MXTOKEN_EVENT=proven$/m);
    assert.match(environment, /^MXTOKEN_ACCOUNT=user0@example\.test$/m);
    assert.match(environment, /^MINE=as it was$/m);
    assert.doesNotMatch(environment, /the-secret-of-the-app|MXTOKEN_CLIENT_SECRET/);
    for (const secret of crowd.secrets()) assert.ok(!environment.includes(secret));
  });

  test("a command that is not there is told once", async () => {
    put(accounts(2));
    const run = keep(["--on-event", "/nowhere/command", "--json"]);
    await run.shown("the command of --on-event failed: it ended with status 127");
    run.child.kill("SIGTERM");
    assert.equal((await run.ended).status, 143);
    const failed = toldIn(run.written.stdout).filter(({ event }) => event === "commandFailed");
    assert.equal(failed.length, 1);
  });
});
