import assert from "node:assert/strict";
import { mkdirSync, readFileSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { type Scene, setScene, tokenFileText, user } from "../scene/scene.ts";

// The server says that all is well, in words that nobody understands: they may hold the next refresh token.

let scene: Scene;
beforeEach(async () => {
  scene = await setScene();
});
afterEach(() => scene.close());

const answers = [
  ["JSON that breaks off", '{"access_token":"new-access","refresh_token":"new-refresh","expi'],
  ["JSON without an access token", '{"refresh_token":"new-refresh","token_type":"Bearer"}'],
  [
    "tokens one level deeper",
    '{"data":{"access_token":"new-access","refresh_token":"new-refresh"}}',
  ],
  ["a form", "access_token=new-access&refresh_token=new-refresh&expires_in=3600"],
  [
    "a refresh token that is no text",
    '{"access_token":"a","refresh_token":{"value":"new-refresh"}}',
  ],
] as const;

const commands = [
  ["the whole job", [user]],
  ["show", ["show", user, "--nocache"]],
] as const;

describe("a refresh", () => {
  beforeEach(() => scene.write(tokenFileText("old-access-token", "old-refresh-token")));

  for (const [what, body] of answers) {
    for (const [command, args] of commands) {
      test(`${command}: ${what} is kept in a private file, and named: 76`, async () => {
        const before = scene.read();
        scene.endpoint.answer = () => ({ status: 200, body });
        const result = await scene.run([...args, ...scene.options]);
        assert.equal(result.status, 76, result.stderr);
        const [path = "nowhere", ...more] = scene.kept();
        assert.deepEqual(more, []);
        assert.ok(result.stderr.includes(`is kept in ${path}`), result.stderr);
        assert.equal(readFileSync(path, "utf8"), body);
        assert.equal(statSync(path).mode & 0o777, 0o600);
        assert.ok(!result.stderr.includes("new-refresh"));
        assert.equal(scene.read(), before);
      });
    }
  }

  test("--json does not tell what stands in it", async () => {
    scene.endpoint.answer = () => ({ status: 200, body: answers[0][1] });
    const result = await scene.run([user, ...scene.options, "--json"]);
    assert.ok(!result.stdout.includes("new-refresh"));
    assert.match(JSON.parse(result.stdout).error.message, /is kept in \//);
  });

  for (const [what, status, body] of [
    ["a page", 200, "<!doctype html><title>Welcome to the hotel</title>"],
    ["nothing", 200, ""],
    ["a refusal", 400, '{"error":"invalid_grant"}'],
    ["a status that grants nothing", 404, '{"refresh_token":"new-refresh"}'],
  ] as const) {
    test(`${what} is not kept`, async () => {
      scene.endpoint.answer = () => ({ status, body });
      await scene.run();
      assert.deepEqual(scene.kept(), []);
    });
  }
});

test("a sign-in: the answer to the code is kept", async () => {
  mkdirSync(dirname(scene.tokenFile), { recursive: true });
  const [, body] = answers[1];
  scene.endpoint.answer = () => ({ status: 200, body });
  const world = scene.world();
  world.stdin.end("a-code-that-was-copied\n");
  const result = await scene.run([user, ...scene.options, "--remotebrowser"], world);
  assert.equal(result.status, 76, result.stderr);
  const [path = "nowhere"] = scene.kept();
  assert.ok(result.stderr.includes(path), result.stderr);
  assert.equal(readFileSync(path, "utf8"), body);
});
