import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { type Scene, setScene, tokenFileText, user } from "../scene/scene.ts";
import type { TestWorld } from "../scene/world.ts";

// A person names a file by mistake, or one lies where a token file is looked for.

let scene: Scene;
beforeEach(async () => {
  scene = await setScene();
  mkdirSync(dirname(scene.tokenFile), { recursive: true });
});
afterEach(() => scene.close());

const files = [
  ["a list of addresses", "foo@example.com\nbar@example.org\n"],
  ["host names", "imap.example.com\nsmtp.example.com\n"],
  ["/etc/passwd", readFileSync("/etc/passwd")],
  ["a mail", "From: foo@example.com\nTo: bar@example.org\n\nHello\n"],
  ["a CSV", "address,provider\nfoo@example.com,google\n"],
  ["JSON", '{"access_token":"a","refresh_token":"b"}\n'],
  ["a private key", "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBg\n-----END PRIVATE KEY-----\n"],
  ["a binary file", Buffer.from(Array.from({ length: 4096 }, (_, index) => (index * 7) % 256))],
  ["UTF-16 that is cut off", Buffer.from("\uFEFFaccess\nrefresh\n", "utf16le").subarray(0, -1)],
  ["only a byte-order mark", Buffer.from("\uFEFF", "utf16le")],
  ["a shell script", "#!/bin/sh\nexec imapsync\n"],
  ["a configuration", "[defaults]\nserver = imap.example.com\n"],
  ["a file of one blank line", "\n"],
  ["three words", "one\ntwo\nthree\n"],
  ["more than a megabyte", "x".repeat(1_100_000)],
] as const;

const commands = [
  ["the whole job", [user]],
  ["--startover", [user, "--startover"]],
  ["--refresh-token-stdin", [user, "--refresh-token-stdin"]],
  ["show", ["show", user]],
  ["show --nocache", ["show", user, "--nocache"]],
  ["show --refresh-token-stdin", ["show", user, "--refresh-token-stdin"]],
  ["check", ["check", user]],
  ["revoke", ["revoke", user]],
  ["revoke --local-only", ["revoke", user, "--local-only"]],
] as const;

async function assertLeftAlone(
  args: readonly string[],
  path: string,
  named: readonly string[],
): Promise<void> {
  const before = existsSync(path) && lstatSync(path).isFile() ? readFileSync(path) : undefined;
  const beside = readdirSync(dirname(path));
  const world: TestWorld = scene.world();
  if (args.includes("--refresh-token-stdin")) world.stdin.end("a-refresh-token\n");
  const result = await scene.run([...args, ...scene.options, ...named], world);
  assert.equal(result.status, 65, `${args}: ${result.stderr}`);
  assert.match(result.stderr, /is no token file: /);
  assert.equal(scene.endpoint.requests.length, 0);
  assert.equal(scene.imap.logins.length, 0);
  assert.deepEqual(readdirSync(dirname(path)), beside);
  if (before !== undefined) assert.deepEqual(readFileSync(path), before);
}

for (const [what, content] of files) {
  describe(`${what} is never sent, overwritten or removed: 65`, () => {
    test("under the default name, and named by --token-file, by every command", async () => {
      const named = join(scene.directory, "mine");
      writeFileSync(scene.tokenFile, content);
      writeFileSync(named, content);
      for (const [, args] of commands) {
        await assertLeftAlone(args, scene.tokenFile, []);
        await assertLeftAlone(args, named, ["--token-file", named]);
      }
    });

    test("nor by revoke --all", async () => {
      writeFileSync(scene.tokenFile, content);
      for (const more of [[], ["--local-only"]]) {
        const args = ["revoke", "--all", "--home", scene.directory, ...more];
        const result = await scene.run(args);
        assert.equal(result.status, 65, result.stderr);
        assert.deepEqual(readFileSync(scene.tokenFile), Buffer.from(content));
      }
    });
  });
}

describe("what is no file", () => {
  for (const [what, make] of [
    ["a directory", (path: string) => mkdirSync(path)],
    ["a named pipe", (path: string) => execFileSync("mkfifo", [path])],
  ] as const) {
    test(`${what}: 65, and nobody waits for it`, async () => {
      const path = join(scene.directory, "mine");
      make(path);
      for (const [, args] of commands) await assertLeftAlone(args, path, ["--token-file", path]);
    });
  }

  for (const path of ["/dev/null", "/dev/zero", "/dev/tty"]) {
    test(`${path}: 65`, async () => {
      for (const [, args] of commands) {
        const result = await scene.run([...args, ...scene.options, "--token-file", path]);
        assert.equal(result.status, 65, result.stderr);
      }
      assert.equal(scene.endpoint.requests.length, 0);
    });
  }
});

test("a damaged token file is replaced by --startover alone", async () => {
  const damaged = "Bearer access\nrefresh\n# Provider: google\n";
  writeFileSync(scene.tokenFile, damaged);
  const first = await scene.run();
  assert.equal(first.status, 65, first.stderr);
  assert.match(first.stderr, /with --startover/);
  assert.equal(scene.read(), damaged);
  const world = scene.world();
  world.stdin.end("a-code-that-was-copied\n");
  scene.endpoint.answer = () => ({
    status: 200,
    body: { access_token: "new-access", refresh_token: "new-refresh", token_type: "Bearer" },
  });
  const args = [user, ...scene.options, "--startover", "--remotebrowser"];
  const second = await scene.run(args, world);
  assert.equal(second.status, 0, second.stderr);
  assert.equal(scene.lines().refreshToken, "new-refresh");
});

for (const word of ["foo@example.com", "imap.example.com", "https://example.com/"]) {
  test(`${word} on standard input is no token: 64, nothing sent`, async () => {
    scene.write(tokenFileText("old-access", "old-refresh"));
    for (const args of [
      [user, "--refresh-token-stdin"],
      ["check", user, "--access-token-stdin"],
    ]) {
      const world = scene.world();
      world.stdin.end(`${word}\n`);
      const result = await scene.run([...args, ...scene.options], world);
      assert.equal(result.status, 64, result.stderr);
    }
    assert.deepEqual([scene.endpoint.requests.length, scene.imap.logins.length], [0, 0]);
  });
}

test("keep --status-file does not overwrite a list of accounts: 65", async () => {
  scene.write(tokenFileText("old-access", "old-refresh"));
  const list = join(scene.directory, "accounts.txt");
  writeFileSync(list, `${user}\n`);
  const args = ["keep", "--list", list, "--status-file", list, ...scene.options];
  const result = await scene.run(args);
  assert.equal(result.status, 65, result.stderr);
  assert.match(result.stderr, /--status-file: .* is no status file/);
  assert.equal(readFileSync(list, "utf8"), `${user}\n`);
  assert.equal(scene.endpoint.requests.length, 0);
});
