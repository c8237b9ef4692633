import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { linkSync, mkdirSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { programPath } from "../scene/program.ts";
import { asRoot, rootCommand } from "../scene/root.ts";
import { type Scene, setScene, tokenFileText, user } from "../scene/scene.ts";

// root keeps tokens in directories where others may put something in its way.

const nobody = "65534";
const nowhere = "https://127.0.0.1:9/token";

let scene: Scene;
let directory: string;
beforeEach(async () => {
  scene = await setScene();
  directory = join(scene.directory, "theirs");
  mkdirSync(directory);
});
afterEach(async () => {
  asRoot("rm", "-rf", directory);
  await scene.close();
});

const tokenFile = () => join(directory, "token.txt");
const lockFile = () => join(directory, ".token.txt.lock");

/** Asks nobody who answers, so that nothing is spent where it should not come so far. */
function runAsRoot(args: readonly string[], input = "") {
  const options = scene.options.map((word) => (word === scene.endpoint.uri ? nowhere : word));
  const [command, rest] = rootCommand(process.execPath, programPath, ...args, ...options);
  const { status, stderr } = spawnSync(command, [...rest, "--token-file", tokenFile()], {
    input,
    encoding: "utf8",
    cwd: scene.directory,
  });
  return { status, stderr };
}

describe("a lock file in another user's directory", () => {
  for (const [what, make] of [
    ["a second name of root's file", linkSync],
    ["a link to root's file", symlinkSync],
  ] as const) {
    test(`that is ${what}: 73, and root's file stays root's`, () => {
      const victim = join(scene.directory, "victim");
      writeFileSync(victim, "root's");
      asRoot("chown", "0:0", victim);
      make(victim, lockFile());
      writeFileSync(tokenFile(), tokenFileText("old-access", "old-refresh"), { mode: 0o600 });
      asRoot("chown", `${nobody}:${nobody}`, directory, tokenFile());
      const { status, stderr } = runAsRoot([user]);
      assert.equal(status, 73, stderr);
      assert.match(stderr, /\.token\.txt\.lock/);
      assert.equal(statSync(victim).uid, 0);
    });
  }

  test("that root makes is the owner's", () => {
    writeFileSync(tokenFile(), tokenFileText("old-access", "old-refresh"), { mode: 0o600 });
    asRoot("chown", `${nobody}:${nobody}`, directory, tokenFile());
    const { status, stderr } = runAsRoot([user]);
    assert.equal(status, 75, stderr);
    assert.equal(statSync(lockFile()).uid, Number(nobody));
  });
});

describe("an empty file of another user, where root's tokens shall be", () => {
  for (const mode of ["1777", "0777", "1775"]) {
    test(`in a directory of mode ${mode}: 73, nothing asked, and it stays empty`, () => {
      writeFileSync(tokenFile(), "");
      asRoot("chown", `${nobody}:${nobody}`, tokenFile());
      asRoot("chown", `0:${nobody}`, directory);
      asRoot("chmod", mode, directory);
      const { status, stderr } = runAsRoot([user, "--refresh-token-stdin"], "a-refresh-token\n");
      assert.equal(status, 73, stderr);
      assert.match(stderr, /belongs to another user \(65534\)/);
      assert.equal(statSync(tokenFile()).size, 0);
    });
  }

  for (const [what, owner, mode] of [
    ["root alone can make files, it was given to that user on purpose", "0", "0755"],
    ["it is that user's own directory", nobody, "1777"],
  ] as const) {
    test(`${what}: it is used`, () => {
      writeFileSync(tokenFile(), "");
      asRoot("chown", `${nobody}:${nobody}`, tokenFile());
      asRoot("chown", `${owner}:0`, directory);
      asRoot("chmod", mode, directory);
      const { status, stderr } = runAsRoot([user, "--refresh-token-stdin"], "a-refresh-token\n");
      assert.equal(status, 75, stderr);
      assert.match(stderr, /cannot reach 127\.0\.0\.1:9/);
    });
  }
});
