import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { afterEach, beforeEach, describe, test } from "node:test";
import { main } from "../../src/cli/main.ts";
import { outcome, type RunScene, setRunScene } from "../scene/run-scene.ts";
import type { Result } from "../scene/scene.ts";
import { type CommandWorld, commandWorld } from "../scene/scripted-command.ts";

// What follows from the end of a command whose token may have died: by a clock that is moved, with a
// scripted command and real servers; and once with real processes.

let place: RunScene;
beforeEach(async () => {
  place = await setRunScene();
});
afterEach(() => place?.close());

const minute = 60_000;

interface Started {
  readonly world: CommandWorld;
  readonly ended: Promise<Result>;
  /** lets a token's refresh become due, and come to its end */
  refresh(): Promise<void>;
  /** what has been said so far without the steps of --verbose */
  said(): string;
}

/** Starts `mxtoken run`, and waits for the first start of its command. */
async function start(
  more: readonly string[] = [],
  command: readonly string[] = ["/usr/bin/imapsync", "--dry"],
): Promise<Started> {
  const world = commandWorld(place.scene.directory);
  world.stdin.end();
  const args = ["run", ...place.one, ...more, "--verbose", "--", ...command];
  const ended = main(args, world).then((status) => ({ status, ...world.written }));
  await Promise.race([
    world.started(1),
    ended.then(({ stderr }) => assert.fail(`it ended before: ${stderr}`)),
  ]);
  let refreshes = 0;
  return {
    world,
    ended,
    async refresh() {
      refreshes += 1;
      // An hour's token is refreshed after half of it.
      world.move(30 * minute);
      await world.said(": a new token, good until", refreshes);
    },
    said: () => world.written.stderr,
  };
}

const tokenOf = () => place.sides[0].lines().accessToken;

describe("a command that ends with 115 after its token has died", () => {
  test("without --restart: it says so, and ends with 115", async () => {
    const { world, ended, refresh } = await start();
    await refresh();
    await refresh();
    world.children[0]?.end(115);
    const { status, stderr } = await ended;
    assert.equal(status, 115);
    assert.match(
      stderr,
      /imapsync ended with status 115, perhaps because its token had died: there is a fresh one now; start it again, or pass --restart/,
    );
    assert.equal(world.children.length, 1);
  });

  test("with --restart: it is started again at once, with the fresh token", async () => {
    const { world, ended, refresh, said } = await start(["--restart"]);
    const first = tokenOf();
    await refresh();
    await refresh();
    const endedAt = world.now();
    world.children[0]?.end(115);
    const second = await world.started(2);
    assert.equal(second.startedAt, endedAt);
    assert.notEqual(tokenOf(), first);
    assert.deepEqual(
      [second.file, second.args, second.env],
      [world.children[0]?.file, world.children[0]?.args, world.children[0]?.env],
    );
    assert.match(said(), /starting again \(1\): \/usr\/bin\/imapsync/);
    second.end(0);
    assert.equal((await ended).status, 0);
    assert.equal(world.children.length, 2);
  });

  test("again and again, each time with a fresh token, and refreshed in between", async () => {
    const { world, ended, refresh } = await start(["--restart"]);
    const tokens = new Set([tokenOf()]);
    for (let count = 1; count <= 5; count += 1) {
      await refresh();
      world.children[count - 1]?.end(115);
      await world.started(count + 1);
      tokens.add(tokenOf());
    }
    world.children[5]?.end(3);
    assert.equal((await ended).status, 3);
    assert.equal(tokens.size, 6);
    assert.ok(place.sides[0].account.isAlive);
  });

  test("as often as --max-restarts allows, and then it says so", async () => {
    const { world, ended, refresh } = await start(["--restart", "--max-restarts", "2"]);
    for (let count = 1; count <= 2; count += 1) {
      await refresh();
      world.children[count - 1]?.end(115);
      await world.started(count + 1);
    }
    await refresh();
    world.children[2]?.end(115);
    const { status, stderr } = await ended;
    assert.equal(status, 115);
    assert.match(stderr, /was started again often enough \(--max-restarts\)/);
    assert.equal(world.children.length, 3);
  });

  test("within a minute of its start: not again, for another start would not do better", async () => {
    const [side] = place.sides;
    side.life = 100;
    const { world, ended } = await start(["--restart"]);
    world.move(55_000);
    await world.said(": a new token, good until");
    world.children[0]?.end(115);
    const { status, stderr } = await ended;
    assert.equal(status, 115);
    assert.match(stderr, /ended with status 115, in less than 1 minute: it is not started again/);
    assert.equal(world.children.length, 1);
  });

  test("with the token that it began with: not again", async () => {
    for (const more of [["--restart"], []]) {
      const { world, ended } = await start(more);
      world.move(10 * minute);
      world.children[0]?.end(115);
      const { status, stderr } = await ended;
      assert.equal(status, 115);
      assert.match(stderr, /its token is the same as at the start: it is not started again/);
      assert.equal(world.children.length, 1);
    }
  });

  test("refused at its start, 161 and 162: not again", async () => {
    for (const refused of [161, 162]) {
      const { world, ended } = await start(["--restart"]);
      world.move(2000);
      world.children[0]?.end(refused);
      const { status, stderr } = await ended;
      assert.equal(status, refused);
      assert.match(stderr, new RegExp(`ended with status ${refused}, .* is not started again`));
      assert.equal(world.children.length, 1);
    }
  });

  test("refused when it was started long ago, 161: again", async () => {
    const { world, ended, refresh } = await start(["--restart"]);
    await refresh();
    world.children[0]?.end(161);
    (await world.started(2)).end(0);
    assert.equal((await ended).status, 0);
  });

  for (const status of [0, 1, 7, 111, 255]) {
    test(`with ${status} instead: it is over, and nothing is said`, async () => {
      const { world, ended, refresh } = await start(["--restart"]);
      await refresh();
      world.children[0]?.end(status);
      const result = await ended;
      assert.equal(result.status, status);
      assert.doesNotMatch(result.stderr, /ended with status|starting again/);
      assert.equal(world.children.length, 1);
    });
  }

  test("killed instead: it is over", async () => {
    const { world, ended, refresh } = await start(["--restart"]);
    await refresh();
    world.children[0]?.end("SIGKILL");
    assert.equal((await ended).status, 137);
    assert.equal(world.children.length, 1);
  });
});

describe("--restart-status", () => {
  test("takes the place of imapsync's", async () => {
    const more = ["--restart", "--restart-status", "7, 9"];
    const { world, ended, refresh } = await start(more, ["mbsync", "-a"]);
    await refresh();
    world.children[0]?.end(7);
    await world.started(2);
    await refresh();
    world.children[1]?.end(9);
    await world.started(3);
    await refresh();
    world.children[2]?.end(115);
    assert.equal((await ended).status, 115);
    assert.equal(world.children.length, 3);
  });

  test("without it, --restart goes by imapsync's for every command", async () => {
    const { world, ended, refresh } = await start(["--restart"], ["./migrate.sh"]);
    await refresh();
    world.children[0]?.end(115);
    (await world.started(2)).end(0);
    assert.equal((await ended).status, 0);
  });

  test("without any of them, only imapsync's end is taken for a token's", async () => {
    for (const [command, isTold] of [
      [["./migrate.sh"], false],
      [["sh", "-c", "imapsync"], false],
      [["imapsync"], true],
      [["perl", "/opt/imapsync/imapsync", "--dry"], true],
      [["nice", "./IMAPSYNC.exe"], true],
    ] as const) {
      const { world, ended, refresh } = await start([], command);
      await refresh();
      world.children[0]?.end(115);
      const { stderr } = await ended;
      assert.equal(/its token had died/.test(stderr), isTold, command.join(" "));
    }
  });
});

describe("after a signal", () => {
  for (const signal of ["SIGTERM", "SIGHUP", "SIGQUIT", "SIGINT"] as const) {
    test(`${signal}: not again`, async () => {
      const { world, ended, refresh } = await start(["--restart"]);
      await refresh();
      world.signal(signal);
      assert.deepEqual(world.children[0]?.signals, [signal]);
      world.move(10_000);
      world.children[0]?.end(115);
      const { status, stderr } = await ended;
      assert.equal(status, 115);
      assert.doesNotMatch(stderr, /starting again/);
      assert.equal(world.children.length, 1);
    });
  }

  test("SIGTERM that the command has taken its time for: not again either", async () => {
    const { world, ended, refresh } = await start(["--restart"]);
    await refresh();
    world.signal("SIGTERM");
    world.move(5 * minute);
    world.children[0]?.end(115);
    assert.equal((await ended).status, 115);
    assert.equal(world.children.length, 1);
  });

  test("SIGINT long ago, at which imapsync only connects again: again", async () => {
    const { world, ended, refresh } = await start(["--restart"]);
    world.signal("SIGINT");
    await refresh();
    world.children[0]?.end(115);
    (await world.started(2)).end(0);
    assert.equal((await ended).status, 0);
  });

  test("SIGUSR1 asks nothing to end: again", async () => {
    const { world, ended, refresh } = await start(["--restart"]);
    await refresh();
    world.signal("SIGUSR1");
    world.children[0]?.end(115);
    (await world.started(2)).end(0);
    assert.equal((await ended).status, 0);
    assert.deepEqual(world.children[0]?.signals, ["SIGUSR1"]);
  });
});

describe("a token that cannot be refreshed", () => {
  /** From now on, or until it is called again. */
  function outage(isOn: boolean): void {
    const [side] = place.sides;
    answers.set(place, answers.get(place) ?? side.answer);
    const { answer = side.answer } = { answer: answers.get(place) };
    side.answer = isOn ? () => ({ status: 503, body: "busy" }) : answer;
  }
  const answers = new WeakMap<RunScene, RunScene["sides"][0]["answer"]>();

  /** Resolves when one more request has come to nothing: then there is another nap. */
  function failure(world: CommandWorld): Promise<void> {
    return new Promise((resolve) => {
      place.sides[0].answer = () => {
        void world.napped(1).then(resolve);
        return { status: 503, body: "busy" };
      };
    });
  }

  test("within the last minute: it is said at the end, whatever the status is", async () => {
    for (const status of [1, 115]) {
      const { world, ended } = await start();
      outage(true);
      world.move(30 * minute);
      await world.said("no new token now");
      world.move(20_000);
      world.children[0]?.end(status);
      const result = await ended;
      assert.equal(result.status, status);
      assert.match(
        result.stderr,
        new RegExp(
          `imapsync ended with status ${status}, and old@example.test had no new token: .*503`,
        ),
      );
      outage(false);
      place.sides[0].write();
    }
  });

  test("not when it ended well", async () => {
    const { world, ended } = await start();
    outage(true);
    world.move(30 * minute);
    await world.said("no new token now");
    world.children[0]?.end(0);
    assert.doesNotMatch((await ended).stderr, /had no new token/);
  });

  test("not when it has been refreshed since", async () => {
    const { world, ended } = await start();
    outage(true);
    world.move(30 * minute);
    await world.said("no new token now");
    outage(false);
    world.move(10_000);
    await world.said("that works again; a new token");
    world.children[0]?.end(1);
    assert.doesNotMatch((await ended).stderr, /had no new token/);
  });

  test("also when the last try of many was within the last minute", async () => {
    const { world, ended } = await start();
    outage(true);
    world.move(29 * minute);
    await world.said("no new token now");
    // The same failure is told once; the endpoint knows how often it was asked.
    for (let count = 0; count < 5; count += 1) {
      const failed = failure(world);
      world.move(4 * minute);
      await failed;
    }
    world.children[0]?.end(1);
    assert.match((await ended).stderr, /had no new token: .*503/);
  });

  test("also when it was refused long ago, and has ended since", async () => {
    const { world, ended } = await start();
    place.sides[0].account.isAlive = false;
    world.move(30 * minute);
    await world.said("refused: ");
    world.move(40 * minute);
    world.children[0]?.end(1);
    assert.match((await ended).stderr, /old@example.test had no new token: .*token was reused/);
  });

  test("not when another process has refreshed it since", async () => {
    const { world, ended } = await start();
    outage(true);
    world.move(30 * minute);
    await world.said("no new token now");
    const Expires = new Date(world.now() + 60 * minute).toISOString();
    place.sides[0].write({ Expires });
    world.move(20_000);
    await world.said("another process has stored a new token");
    world.children[0]?.end(1);
    assert.doesNotMatch((await ended).stderr, /had no new token/);
    outage(false);
  });

  test("with --restart, a fresh one is waited for while nobody answers", async () => {
    const { world, ended, refresh, said } = await start(["--restart"]);
    await refresh();
    outage(true);
    // The second token dies too.
    world.move(61 * minute);
    await world.said("no new token now");
    world.children[0]?.end(115);
    await world.said("waiting for a fresh token before the command is started again");
    world.move(5000);
    assert.equal(world.children.length, 1);
    outage(false);
    world.move(5 * minute);
    await world.said("that works again; a new token");
    world.move(1000);
    const second = await world.started(2);
    assert.ok(place.sides[0].account.secrets.includes(tokenOf()));
    assert.match(said(), /starting again \(1\)/);
    second.end(0);
    assert.equal((await ended).status, 0);
  });

  test("and also when the command began with the very token that has died", async () => {
    const { world, ended, said } = await start(["--restart"]);
    outage(true);
    world.move(61 * minute);
    await world.said("no new token now");
    world.children[0]?.end(115);
    await world.said("waiting for a fresh token before the command is started again");
    outage(false);
    world.move(5 * minute);
    await world.said("that works again; a new token");
    world.move(1000);
    (await world.started(2)).end(0);
    assert.equal((await ended).status, 0, said());
  });

  test("one that never lives for a minute is good enough once it is new", async () => {
    place.sides[0].life = 50;
    const { world, ended } = await start(["--restart"]);
    outage(true);
    world.move(61 * minute);
    await world.said("no new token now");
    world.children[0]?.end(115);
    await world.said("waiting for a fresh token before the command is started again");
    outage(false);
    world.move(5 * minute);
    await world.said("that works again; a new token");
    world.move(1000);
    (await world.started(2)).end(0);
    assert.equal((await ended).status, 0);
  });

  test("without --restart, no fresh one is spoken of where there is none", async () => {
    const { world, ended } = await start();
    outage(true);
    world.move(61 * minute);
    await world.said("no new token now");
    world.children[0]?.end(115);
    const { status, stderr } = await ended;
    assert.equal(status, 115);
    assert.match(stderr, /had no new token/);
    assert.match(stderr, /perhaps because its token had died.*--restart/);
    assert.doesNotMatch(stderr, /there is a fresh one now/);
  });

  test("it is not waited for when the account is refused", async () => {
    const { world, ended, refresh } = await start(["--restart"]);
    await refresh();
    place.sides[0].account.isAlive = false;
    world.move(61 * minute);
    await world.said("refused: ");
    world.children[0]?.end(115);
    const { status, stderr } = await ended;
    assert.equal(status, 115);
    assert.match(stderr, /not started again: old@example.test needs somebody first/);
    assert.match(stderr, /somebody must sign in, by this command/);
    assert.equal(world.children.length, 1);
  });

  test("nor when it is refused in the middle of the waiting", async () => {
    const { world, ended, refresh } = await start(["--restart"]);
    await refresh();
    outage(true);
    world.move(61 * minute);
    await world.said("no new token now");
    world.children[0]?.end(115);
    await world.said("waiting for a fresh token");
    outage(false);
    place.sides[0].account.isAlive = false;
    world.move(5 * minute);
    await world.said("refused: ");
    world.move(1000);
    const { status, stderr } = await ended;
    assert.equal(status, 115);
    assert.match(stderr, /not started again/);
    assert.equal(world.children.length, 1);
  });

  test("a signal ends the waiting, and is the status", async () => {
    for (const [signal, expected] of [
      ["SIGTERM", 143],
      ["SIGINT", 130],
    ] as const) {
      const { world, ended, refresh } = await start(["--restart"]);
      await refresh();
      outage(true);
      world.move(61 * minute);
      await world.said("no new token now");
      world.children[0]?.end(115);
      await world.said("waiting for a fresh token");
      world.signal(signal);
      world.move(1000);
      assert.equal((await ended).status, expected);
      assert.equal(world.children.length, 1);
      outage(false);
      place.sides[0].write();
    }
  });
});

test("a command that cannot be started again: its last status, and why", async () => {
  const { world, ended, refresh } = await start(["--restart"]);
  await refresh();
  world.isGone = true;
  world.children[0]?.end(115);
  const { status, stderr } = await ended;
  assert.equal(status, 115);
  assert.match(
    stderr,
    /cannot start \/usr\/bin\/imapsync: it is not found; it is not started again/,
  );
});

describe("with real processes", () => {
  /** An imapsync of its first start: 115 after its token was replaced; then it ends with 0. */
  const script = `#!/bin/sh
token=$(head -n 1 "$MXTOKEN_TOKEN_FILE_1")
echo "$token" >> tokens.log
[ -e again ] && exit 0
while [ "$(head -n 1 "$MXTOKEN_TOKEN_FILE_1")" = "$token" ]; do sleep 0.1; done
touch again
exit 115
`;

  test("within a minute: not again, and it says why", async () => {
    place.sides[0].life = 100;
    const run = place.run([place.script("imapsync", script)], {
      words: place.one,
      more: ["--restart", "--refresh-at", "1%"],
    });
    const { status, stderr } = await outcome(run);
    assert.equal(status, 115, stderr);
    assert.match(stderr, /imapsync ended with status 115, in less than 1 minute/);
    assert.ok(existsSync(place.path("again")));
  });

  test("after a minute: again, with the fresh token", async () => {
    const [side] = place.sides;
    const world = commandWorld(place.scene.directory);
    // The clock is moved, the children are real.
    const { start: real } = await import("../../src/world/run.ts");
    Object.assign(world, {
      start: async (file: string, args: readonly string[], env: Record<string, string>) => {
        starts += 1;
        return real(file, args, env);
      },
    });
    let starts = 0;
    world.stdin.end();
    const command = place.script(
      "imapsync",
      script.replaceAll(/tokens.log|again\b/g, (name) => place.path(name)),
    );
    const args = ["run", ...place.one, "--restart", "--verbose", "--", command];
    const ended = main(args, world);
    const log = place.path("tokens.log");
    const logged = () => (existsSync(log) ? readFileSync(log, "utf8").split("\n").length - 1 : 0);
    while (logged() < 1) await new Promise((resolve) => setImmediate(resolve));
    const first = side.lines().accessToken;
    world.move(31 * minute);
    assert.equal(await ended, 0, world.written.stderr);
    assert.equal(starts, 2);
    assert.equal(readFileSync(log, "utf8"), `${first}\n${side.lines().accessToken}\n`);
    assert.notEqual(side.lines().accessToken, first);
    assert.match(world.written.stderr, /starting again \(1\)/);
  });
});
