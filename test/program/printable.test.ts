import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import fc from "fast-check";
import { printable } from "../../src/report/line.ts";
import { type Scene, setScene, user } from "../scene/scene.ts";

const odd = [
  ["an escape sequence", "a\u001b[2Jb"],
  ["a title of the window", "a\u001b]0;title\u0007b"],
  ["a line of its own", "a\nmxtoken: done and proven"],
  ["a carriage return", "a\rmxtoken: done"],
  ["a C1 control character", "a\u009b2Jb"],
  ["a change of direction", "a\u202etxt.b"],
  ["a line separator", "a\u2028b"],
] as const;

describe("a line for a terminal", () => {
  for (const [what, text] of odd) {
    test(`has no power by ${what}`, () => {
      assert.doesNotMatch(printable(text), /[\p{Cc}\u2028\u2029\u202e]/u);
      assert.match(printable(text), /�/);
    });
  }

  test("is left as it is otherwise", () => {
    for (const text of ["/home/jürgen/Ünï/ポスト/tokens", "", "a  b 👨‍👩‍👧 …"]) {
      assert.equal(printable(text), text);
    }
  });

  test("whatever it is, also the longest", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 2000 }), (text) => {
        assert.doesNotMatch(printable(text), /\p{Cc}/u);
      }),
    );
  });
});

describe("the name of a directory", () => {
  let scene: Scene;
  beforeEach(async () => {
    scene = await setScene();
  });
  afterEach(() => scene.close());

  for (const [what, name] of odd) {
    test(`with ${what}: does nothing to the terminal, and a script gets the path`, async () => {
      const home = join(scene.directory, name);
      mkdirSync(home);
      const options = [...scene.options.slice(0, -1), home];
      const show = await scene.run(["show", user, ...options]);
      assert.equal(show.status, 77);
      scene.write(`old-access-token\n${scene.account.current}\n`);
      const file = ["--token-file", join(home, "t.txt"), "--refresh-token-stdin"];
      const world = scene.world();
      world.stdin.end(`${scene.account.current}\n`);
      const result = await scene.run([user, ...options, ...file], world);
      assert.equal(result.status, 0, result.stderr);
      assert.equal(result.stdout, `${join(home, "t.txt")}\n`);
      for (const { stderr } of [show, result]) {
        assert.doesNotMatch(stderr, /[^\P{Cc}\n]|[\u2028\u202e]/u);
        for (const line of stderr.trimEnd().split("\n")) assert.match(line, /^(mxtoken: |$| {2})/);
        assert.doesNotMatch(stderr, /^mxtoken: done/m);
      }
    });
  }

  test("on a terminal, standard output is shown as harmlessly as standard error", async () => {
    const home = join(scene.directory, "a\u001b[2Jb");
    const world = scene.world();
    Object.assign(world.stdout, { isTTY: true });
    world.stdin.end(`${scene.account.current}\n`);
    const options = [...scene.options.slice(0, -1), home, "--refresh-token-stdin"];
    const result = await scene.run([user, ...options], world);
    assert.equal(result.status, 0, result.stderr);
    assert.match(result.stdout, /a�\[2Jb/);
    assert.ok(!result.stdout.includes("\u001b"));
  });
});
