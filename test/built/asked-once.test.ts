import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { putCrowd } from "../scene/crowd.ts";
import { faultEnvironment, loggedCalls } from "../scene/faults.ts";
import { accounts, hour, Keeping, minute } from "../scene/keeping.ts";
import { runProgram } from "../scene/program.ts";
import { type Scene, setScene, tokenFileText, user } from "../scene/scene.ts";

// What takes its time is not done twice: a token file is opened once before its lock is taken, and the
// command that prints a client secret runs once, when the first request leaves.

/** How often a path was opened, before the lock beside it was and in all. */
function opensOf(logged: string, path: string): { beforeLock: number; all: number } {
  const lock = join(dirname(path), `.${basename(path)}.lock`);
  const opened = loggedCalls(logged).filter(({ call }) => call === "open");
  const locked = opened.findIndex((one) => one.path === lock);
  const own = (calls: typeof opened) => calls.filter((one) => one.path === path).length;
  return { beforeLock: own(opened.slice(0, locked)), all: own(opened) };
}

describe("the token file is opened", () => {
  let scene: Scene;
  const log = () => join(scene.directory, "calls");
  const rules = () =>
    [{ call: "*", path: join(scene.directory, "tokens", "*"), action: "log" }] as const;
  beforeEach(async () => {
    scene = await setScene();
  });
  afterEach(() => scene.close());

  for (const [what, args] of [
    ["a show that refreshes", ["show", user]],
    ["a show that refreshes in any case", ["show", user, "--nocache"]],
  ] as const) {
    test(`by ${what}: once before its lock, three times in all`, async () => {
      scene.write(tokenFileText("old-access-token", scene.account.current));
      const run = runProgram([...args, ...scene.options], {
        cwd: scene.directory,
        env: faultEnvironment(rules(), { log: log() }),
      });
      assert.equal((await run.ended).status, 0, run.written.stderr);
      assert.equal(scene.endpoint.requests.length, 1);
      const { beforeLock, all } = opensOf(log(), scene.tokenFile);
      assert.equal(beforeLock, 1);
      assert.ok(all <= 3, `${all}`);
    });
  }

  test("by a round of keep that logs in, refreshes and logs in again: four times", async () => {
    const crowd = putCrowd(scene, accounts(3), Date.now);
    for (const { tokenFile, account, address } of crowd.members) {
      const Account = address;
      writeFileSync(tokenFile, tokenFileText("dead-access-token", account.current, { Account }));
    }
    const run = runProgram(["keep", "--list", crowd.list, ...scene.options], {
      cwd: scene.directory,
      env: faultEnvironment(rules(), { log: log() }),
    });
    for (const { address } of crowd.members) {
      await run.shown(new RegExp(`${address}: a new token`));
    }
    run.child.kill("SIGTERM");
    assert.equal((await run.ended).status, 143, run.written.stderr);
    for (const { tokenFile, requests } of crowd.members) {
      assert.equal(requests, 1);
      const { all } = opensOf(log(), tokenFile);
      assert.ok(all > 1 && all <= 4, `${all}`);
    }
  });
});

describe("the command that prints the client secret", () => {
  let keeping: Keeping;
  beforeEach(async () => {
    keeping = await Keeping.set();
  });
  afterEach(() => keeping?.close());

  const count = () => join(keeping.scene.directory, "count");
  const secret = () => join(keeping.scene.directory, "secret");
  const runs = () => (existsSync(count()) ? readFileSync(count(), "utf8").length : 0);
  const option = () => ["--client-secret-command", `printf . >> ${count()}; cat ${secret()}`];

  test("runs for no turn that only looks, and once for all that refresh, again and again", async () => {
    const { world } = keeping;
    writeFileSync(secret(), "sesame\n");
    keeping.put(accounts(4));
    await keeping.run(...option());
    assert.equal(keeping.told("proven").length, 4);
    assert.equal(runs(), 0);
    await world.step(3 * hour);
    assert.ok(keeping.told("refreshed").length >= 4 * 4);
    assert.equal(runs(), 1);
  });

  test("once for accounts whose lines have options of their own", async () => {
    const { world } = keeping;
    writeFileSync(secret(), "sesame\n");
    keeping.put(accounts(3));
    const lines = [0, 1, 2].map(
      (index) => `${keeping.member(index).address} --login user${index}@example.test`,
    );
    writeFileSync(keeping.crowd.list, lines.join("\n"));
    await keeping.run(...option());
    await world.step(hour);
    assert.ok(keeping.told("refreshed").length >= 3);
    assert.equal(runs(), 1);
  });

  test("again where the server refuses it, and the new one is sent at once", async () => {
    const { world, scene } = keeping;
    writeFileSync(secret(), "sesame\n");
    keeping.put(accounts(2));
    const { answer } = scene.endpoint;
    let wanted = "sesame";
    scene.endpoint.answer = (request, sent) =>
      request.get("client_secret") === wanted
        ? answer(request, sent)
        : { status: 401, body: { error: "invalid_client" } };
    await keeping.run(...option());
    await world.step(hour);
    assert.equal(runs(), 1);
    wanted = "another";
    writeFileSync(secret(), "another\n");
    await world.step(hour);
    assert.equal(runs(), 2);
    assert.deepEqual(keeping.told("refused"), []);
    wanted = "nobody knows";
    await world.step(hour);
    assert.equal(keeping.told("refused").length, 2);
    // Not once for every account, and every attempt of theirs.
    const tried = keeping.scene.endpoint.requests.length;
    await world.step(minute);
    assert.equal(keeping.scene.endpoint.requests.length, tried);
    assert.ok(runs() >= 3 && runs() <= 6, `${runs()}`);
  });

  test("again after SIGHUP, which reads everything anew", async () => {
    const { world } = keeping;
    writeFileSync(secret(), "sesame\n");
    keeping.put(accounts(2));
    await keeping.run(...option());
    await world.step(hour);
    assert.equal(runs(), 1);
    world.signal("SIGHUP");
    await world.step(hour);
    assert.equal(runs(), 2);
  });
});
