import assert from "node:assert/strict";
import {
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { type Scene, setScene, tokenFileText, user } from "../scene/scene.ts";

// Somebody who knows nothing of locks changes the token file while its tokens are being refreshed.

let scene: Scene;
beforeEach(async () => {
  scene = await setScene();
  scene.write(tokenFileText("old-access-token", scene.account.current));
});
afterEach(() => scene.close());

const lockFile = () => join(dirname(scene.tokenFile), `.${basename(scene.tokenFile)}.lock`);

const commands = [
  ["the whole job", [user]],
  ["show", ["show", user, "--nocache"]],
  ["keep", ["keep", user, "--verify", "none", "--refresh-at", "1%"]],
] as const;

/** Runs the program, and lets something happen before its request is answered. */
async function runWhile(args: readonly string[], change: () => void) {
  const world = scene.world();
  scene.endpoint.answer = (request) => {
    change();
    scene.endpoint.answer = () => ({ status: 503, body: "busy" });
    if (args[0] === "keep")
      void world.shown(/the new tokens are in/).then(() => world.interrupt("SIGTERM"));
    return scene.account.answer(request);
  };
  return scene.run([...args, ...scene.options], world);
}

/** Somebody else's way to write a file, and by a rename. */
const write = (text: string) => {
  writeFileSync(`${scene.tokenFile}.new`, text);
  renameSync(`${scene.tokenFile}.new`, scene.tokenFile);
};

describe("the file as it is when the answer has come", () => {
  for (const [what, args] of commands) {
    for (const [change, make] of [
      ["a new sign-in's tokens", () => write(tokenFileText("signed-in", "signed-in-refresh"))],
      [
        "tokens written in place",
        () => writeFileSync(scene.tokenFile, "in-place\nrefresh-in-place\n"),
      ],
      ["an older copy", () => write(tokenFileText("older-access", "older-refresh"))],
      ["another refresh token alone", () => write(tokenFileText("old-access-token", "other"))],
      ["no token file", () => write("foo@example.com\nbar@example.com\n")],
    ] as const) {
      test(`${what}: ${change} stay, and the new tokens are kept beside and named: 75`, async () => {
        let put = "";
        const result = await runWhile(args, () => {
          make();
          put = scene.read() ?? "";
        });
        assert.equal(result.status, what === "keep" ? 143 : 75, result.stderr);
        assert.equal(scene.read(), put);
        const [path = "nowhere", ...more] = scene.kept();
        assert.deepEqual(more, []);
        assert.ok(result.stderr.includes(`the new tokens are in ${path}`), result.stderr);
        assert.equal(readFileSync(path, "utf8").split("\n")[1], scene.account.current);
        assert.equal(result.stdout, "");
      });
    }

    test(`${what}: one that was removed does not come back`, async () => {
      const result = await runWhile(args, () => rmSync(scene.tokenFile));
      assert.ok(!existsSync(scene.tokenFile));
      assert.match(result.stderr, /was removed while its tokens were refreshed/);
      assert.equal(
        readFileSync(scene.kept()[0] ?? "", "utf8").split("\n")[1],
        scene.account.current,
      );
    });

    for (const [kind, make] of [
      ["a link", (path: string) => symlinkSync(join(scene.directory, "elsewhere"), path)],
      ["a directory", (path: string) => mkdirSync(path)],
    ] as const) {
      test(`${what}: ${kind} in its place is left as it is`, async () => {
        const elsewhere = join(scene.directory, "elsewhere");
        writeFileSync(elsewhere, "somebody's");
        const result = await runWhile(args, () => {
          rmSync(scene.tokenFile);
          make(scene.tokenFile);
        });
        assert.match(result.stderr, /was replaced while its tokens were refreshed/);
        assert.equal(readFileSync(elsewhere, "utf8"), "somebody's");
        assert.equal(scene.kept().length, 1);
      });
    }

    test(`${what}: other comments and another time are no other tokens`, async () => {
      const result = await runWhile(
        args.filter((word) => word !== "keep"),
        () => {
          write(`${scene.read()}# A note that a person has made\n`);
        },
      );
      assert.notEqual(result.status, 75, result.stderr);
      assert.equal(scene.lines().refreshToken, scene.account.current);
    });
  }
});

/** A world in which no time passes for whoever waits: another run takes as long as the machine does. */
function patientWorld() {
  const world = scene.world();
  world.sleep = async (_, stop = world.interrupted) => {
    await setImmediate();
    stop.throwIfAborted();
  };
  return world;
}

describe("a lock file that somebody removes while it is held", () => {
  test("two runs at once still send each refresh token once", async () => {
    const { account } = scene;
    let other: Promise<unknown> | undefined;
    scene.endpoint.answer = async (request) => {
      if (other === undefined) {
        rmSync(lockFile());
        const world = patientWorld();
        other = scene.run([user, ...scene.options], world);
        // It has found the file locked, or has asked for a token with the spent one.
        await Promise.race([
          world.shown(/waiting for another process/),
          world.shown(/asking for a new access token/),
        ]);
      }
      return account.answer(request);
    };
    const first = await scene.run([user, ...scene.options], patientWorld());
    await other;
    assert.equal(first.status, 0, first.stderr);
    assert.ok(!account.isReused);
    assert.equal(scene.lines().refreshToken, account.current);
  });
});

describe("a token file with two names", () => {
  for (const [what, args] of commands) {
    test(`${what}: 73 before anything is asked, with the way out`, async () => {
      const text = scene.read();
      const second = join(scene.directory, "second.txt");
      linkSync(scene.tokenFile, second);
      const world = scene.world();
      if (what === "keep") void world.shown(/2 names/).then(() => world.interrupt("SIGTERM"));
      const result = await scene.run([...args, ...scene.options], world);
      assert.equal(result.status, what === "keep" ? 143 : 73, result.stderr);
      assert.match(result.stderr, /has 2 names \(hard links\)/);
      assert.equal(scene.endpoint.requests.length, 0);
      assert.deepEqual([scene.read(), readFileSync(second, "utf8")], [text, text]);
    });
  }

  test("a copy is another file", async () => {
    copyFileSync(scene.tokenFile, join(scene.directory, "copy.txt"));
    assert.equal((await scene.run()).status, 0);
  });
});

describe("the temporary file that somebody removes while the request is out", () => {
  for (const [what, args] of commands) {
    test(`${what}: the tokens are kept and named, and come into their place`, async () => {
      const temporary = join(dirname(scene.tokenFile), `.${basename(scene.tokenFile)}.tmp`);
      const result = await runWhile(args, () => rmSync(temporary));
      assert.equal(result.status, what === "keep" ? 143 : 73, result.stderr);
      const [path = "nowhere"] = scene.kept();
      assert.ok(result.stderr.includes(`the new tokens are in ${path}`), result.stderr);
      scene.endpoint.answer = scene.account.answer;
      const again = await scene.run();
      assert.equal(again.status, 0, again.stderr);
      assert.ok(!scene.account.isReused);
    });
  }
});

describe("a file that was moved away while its tokens were refreshed, and comes back", () => {
  for (const [what, args] of commands) {
    test(`${what}: gets the tokens that follow its own, and no spent one is sent`, async () => {
      const away = join(scene.directory, "moved-away");
      await runWhile(args, () => renameSync(scene.tokenFile, away));
      const waiting = await scene.run(["show", user, ...scene.options]);
      assert.equal(waiting.status, 77, waiting.stderr);
      renameSync(away, scene.tokenFile);
      scene.endpoint.answer = scene.account.answer;
      const again = await scene.run();
      assert.equal(again.status, 0, again.stderr);
      assert.ok(!scene.account.isReused);
      assert.equal(scene.lines().refreshToken, scene.account.current);
    });
  }
});

test("tokens that are kept on purpose are never taken for what a missing file should hold", async () => {
  // A refresh token that somebody brings beside a stored account, and that no login proves.
  scene.imap.login = () => "unavailable";
  const world = scene.world();
  world.stdin.end(`${scene.account.current}\n`);
  scene.write(tokenFileText("other-access", "other-refresh"));
  await scene.run([user, ...scene.options, "--refresh-token-stdin"], world);
  assert.equal(scene.kept().length, 1);
  rmSync(scene.tokenFile);
  writeFileSync(join(dirname(scene.tokenFile), `.${basename(scene.tokenFile)}.tmp`), "");
  const result = await scene.run(["show", user, ...scene.options]);
  assert.equal(result.status, 77, result.stderr);
  assert.ok(!existsSync(scene.tokenFile));
});
