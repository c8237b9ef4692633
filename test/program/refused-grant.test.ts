import assert from "node:assert/strict";
import { mkdirSync, readdirSync, statSync, symlinkSync, unlinkSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { readTokenText } from "../../src/store/token-file.ts";
import { type Result, runMain, type Scene, setScene, tokenFileText, user } from "../scene/scene.ts";
import { steppedWorld } from "../scene/stepped-world.ts";
import type { Answer } from "../scene/token-endpoint.ts";
import { noon } from "../scene/world.ts";

let scene: Scene;

const minute = 60_000;
const past = { Expires: "2026-11-20T11:00:00Z" };
const refused: Answer = {
  status: 400,
  body: { error: "invalid_grant", error_description: "Token has been expired or revoked." },
};

beforeEach(async () => {
  scene = await setScene();
  scene.endpoint.answer = () => refused;
  scene.write(tokenFileText("old-access", "old-refresh", past));
});
afterEach(() => scene?.close());

/** Runs a command so many ms after noon. */
function at(ms: number, args: readonly string[], input = ""): Promise<Result> {
  const world = scene.world();
  world.advance(ms);
  world.stdin.end(input);
  return runMain(args, world);
}

const show = (ms = 0, ...more: readonly string[]) =>
  at(ms, ["show", user, ...scene.options, ...more]);

const asked = () => scene.endpoint.requests.length;

describe("a refresh token that the server has refused", () => {
  test("is not sent again by the next shows, which tell the same refusal, and when it was", async () => {
    const first = await show();
    assert.equal(first.status, 77, first.stderr);
    assert.match(first.stderr, /wants a new sign-in: invalid_grant: Token has been expired/);
    for (const minutes of [0, 1, 5, 9.9]) {
      const next = await show(minutes * minute);
      assert.equal(next.status, 77, next.stderr);
      assert.equal(next.stdout, "");
      assert.match(
        next.stderr,
        /localhost:\d+ wanted a new sign-in at 2026-11-20T12:00:00Z, and is not asked again before 2026-11-20T12:10:00Z: invalid_grant: Token has been expired or revoked/,
      );
      assert.equal(
        next.stderr.split("\n").slice(1).join(),
        first.stderr.split("\n").slice(1).join(),
      );
    }
    assert.equal(asked(), 1);
  });

  test("is asked again after ten minutes, and that is remembered in its turn", async () => {
    await show();
    await show(10 * minute);
    assert.equal(asked(), 2);
    await show(19 * minute);
    assert.equal(asked(), 2);
    assert.equal((scene.read() ?? "").match(/^# Refused:/gm)?.length, 1);
  });

  test("--nocache and --json change nothing about that", async () => {
    const first = await show(0, "--nocache");
    const next = await show(minute, "--nocache", "--json");
    assert.equal(next.status, first.status);
    assert.equal(asked(), 1);
  });

  test("is remembered by a comment, and nothing else of the file changes", async () => {
    const before = scene.read() ?? "";
    await show();
    const after = scene.read() ?? "";
    assert.ok(after.startsWith(before), after);
    assert.match(
      after.slice(before.length),
      /^# Refused: 2026-11-20T12:00:00Z [\da-f]{16} \{.*\}\n$/,
    );
    assert.equal(statSync(scene.tokenFile).mode & 0o777, 0o600);
    assert.deepEqual(scene.kept(), []);
    assert.ok(!after.slice(before.length).includes("old-refresh"));
  });

  for (const [what, text] of [
    ["two lines", "old-access\nold-refresh"],
    ["CRLF", "old-access\r\nold-refresh\r\n"],
    ["somebody's comments", "old-access\nold-refresh\n# mine: and\n#\n\n# the last\n"],
  ] as const) {
    test(`is remembered in a file with ${what}, whose tokens are read as before`, async () => {
      scene.write(text);
      await show();
      await show(minute);
      assert.equal(asked(), 1);
      assert.ok((scene.read() ?? "").startsWith(text.trimEnd()));
      const found = readTokenText(scene.read() ?? "");
      assert.ok("record" in found && found.record.refreshToken?.reveal() === "old-refresh");
    });
  }

  test("is another request with another client or another server, and asked", async () => {
    scene.write("old-access\nold-refresh\n");
    await show();
    const others = scene.options.map((word) => word.replace("test-client", "another-client"));
    await at(minute, ["show", user, ...others]);
    assert.equal(asked(), 2);
    const elsewhere = scene.options.map((word) => word.replace(/\/token$/, "/another"));
    await at(minute, ["show", user, ...elsewhere]);
    assert.equal(asked(), 3);
  });

  test("another one in its place is asked at once, whoever has put it there", async () => {
    await show();
    const text = (scene.read() ?? "").replace("old-refresh", scene.account.current);
    scene.endpoint.answer = scene.account.answer;
    writeFileSync(scene.tokenFile, text);
    const result = await show(minute);
    assert.equal(result.status, 0, result.stderr);
    assert.doesNotMatch(scene.read() ?? "", /# Refused/);
  });

  for (const [what, ms, isAsked] of [
    ["by a few seconds", -5000, false],
    ["by an hour", -60 * minute, true],
    ["by a year", -365 * 24 * 60 * minute, true],
  ] as const) {
    test(`after the clock was set back ${what}, it is ${isAsked ? "" : "not "}asked`, async () => {
      await show();
      await show(ms);
      assert.equal(asked(), isAsked ? 2 : 1);
    });
  }

  for (const comment of [
    "# Refused: 2026-11-20T12:00:00Z",
    "# Refused: yesterday 0123456789abcdef {}",
    '# Refused: 2026-11-20T12:00:00Z 0123456789abcdef {"host":1}',
    "# Refused: 2026-11-20T12:00:00Z 0123456789abcdef {",
    "# Refused: 2026-11-20T12:00:00Z by IMAP at imap.example.com:993",
  ]) {
    test(`what nobody can understand, or is of another request, counts for nothing: ${comment}`, async () => {
      scene.write(`${tokenFileText("old-access", "old-refresh", past)}${comment}\n`);
      await show();
      assert.equal(asked(), 1);
    });
  }

  test("brought on standard input, it is tried", async () => {
    await show();
    const args = ["show", user, ...scene.options, "--refresh-token-stdin"];
    assert.equal((await at(minute, args, "old-refresh\n")).status, 77);
    assert.equal(asked(), 2);
    await at(minute, [user, ...scene.options, "--refresh-token-stdin"], "old-refresh\n");
    assert.ok(asked() > 2);
  });

  test("the sign-in is not held up: a person is asked at once, and the server once more", async () => {
    await show();
    const world = scene.world();
    Object.assign(world.stderr, { isTTY: true });
    const result = await scene.run([user, ...scene.options, "--remotebrowser"], world);
    assert.match(result.stderr, /client_id=test-client/);
    assert.equal(asked(), 2);
  });

  test("under cron nobody sits there, and it is not asked again either", async () => {
    await show();
    const result = await at(minute, [user, ...scene.options]);
    assert.equal(result.status, 77);
    assert.match(result.stderr, /nobody is there: localhost:\d+ wanted a new sign-in at/);
    assert.equal(asked(), 1);
  });
});

describe("where it cannot be remembered, the refusal is told all the same", () => {
  for (const [what, change] of [
    ["removed", () => undefined],
    ["a directory", () => mkdirSync(scene.tokenFile)],
    ["a link", () => symlinkSync("elsewhere", scene.tokenFile)],
    ["replaced by other tokens", () => writeFileSync(scene.tokenFile, "other\ntokens\n")],
    ["replaced by something else", () => writeFileSync(scene.tokenFile, "Dear diary,\n")],
  ] as const) {
    test(`the file is ${what} meanwhile`, async () => {
      let left: string | undefined;
      scene.endpoint.answer = () => {
        unlinkSync(scene.tokenFile);
        change();
        left = scene.read();
        return refused;
      };
      const result = await show();
      assert.equal(result.status, 77, result.stderr);
      assert.match(result.stderr, /wants a new sign-in: invalid_grant/);
      assert.equal(scene.read(), left);
      const names = readdirSync(dirname(scene.tokenFile)).filter((name) => !name.endsWith(".lock"));
      assert.ok(names.length <= 1, names.join());
    });
  }
});

describe("what is not remembered", () => {
  for (const [what, answer] of [
    ["trouble of the server", { status: 503, body: "" }],
    ["too many requests", { status: 429, body: { error: "slow_down" } }],
    ["a refusal of the application", { status: 400, body: { error: "unauthorized_client" } }],
    ["a page for people", { status: 400, body: "<html>" }],
    ["a connection that breaks", "drop"],
  ] as const) {
    test(what, async () => {
      scene.endpoint.answer = () => answer;
      await show();
      await show(minute);
      assert.equal(asked(), 2);
      assert.doesNotMatch(scene.read() ?? "", /# Refused/);
    });
  }
});

describe("mxtoken keep", () => {
  const keep = () => {
    const world = steppedWorld({ cwd: scene.directory, now: noon });
    return world.begin(["keep", user, ...scene.options]).ended;
  };

  test("asks by its own schedule, and ends for nothing that another process was told", async () => {
    assert.equal((await keep()).status, 77);
    assert.equal((await keep()).status, 77);
    assert.equal(asked(), 2);
  });
});

test("the clock of these tests begins at noon", () => {
  assert.equal(scene.world().now(), noon);
});
