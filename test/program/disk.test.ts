import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { asRoot, isRoot, rootCommand } from "../scene/root.ts";
import { type Scene, setScene, tokenFileText, user } from "../scene/scene.ts";

let scene: Scene;
let directory: string;
let isMounted = false;

beforeEach(async () => {
  scene = await setScene();
  directory = join(scene.directory, "small-disk");
  mkdirSync(directory);
  asRoot("mount", "-t", "tmpfs", "-o", "size=128k,mode=0777", "tmpfs", directory);
  isMounted = true;
});
afterEach(async () => {
  if (isMounted) asRoot("umount", directory);
  isMounted = false;
  await scene?.close();
});

const tokenFile = () => join(directory, "token.txt");
const run = (...more: string[]) =>
  scene.run([user, ...scene.options, "--token-file", tokenFile(), ...more]);
const content = () => execFileSync("cat", [tokenFile()], { encoding: "utf8" });

/** Fills the disk until not one more block fits. */
function fill(name: string): void {
  const free = () =>
    Number(execFileSync("stat", ["-f", "-c", "%a", directory], { encoding: "utf8" }));
  for (let part = 0; free() > 0; part += 1) {
    writeFileSync(join(directory, `${name}-${part}`), Buffer.alloc(4096));
  }
}

describe("a disk that is full", () => {
  test("73 before anything is asked, and the file is as it was", async () => {
    const text = tokenFileText("old-access-token", scene.account.current);
    writeFileSync(tokenFile(), text);
    fill("filler");
    const result = await run();
    assert.equal(result.status, 73, result.stderr);
    assert.match(result.stderr, /cannot write .*token\.txt.*: the disk is full/);
    assert.equal(scene.endpoint.requests.length, 0);
    assert.equal(content(), text);
  });

  test("a sign-in is not even begun", async () => {
    fill("filler");
    const result = await run("--timeout", "5");
    assert.equal(result.status, 73, result.stderr);
    assert.doesNotMatch(result.stderr, /code_challenge/);
  });

  test("full while the request is on the wire: the new refresh token still finds its place", async () => {
    writeFileSync(tokenFile(), tokenFileText("old-access-token", scene.account.current));
    scene.endpoint.answer = (request) => {
      fill("filler");
      return scene.account.answer(request);
    };
    const result = await run();
    const [accessToken, refreshToken] = content().split("\n");
    assert.equal(refreshToken, scene.account.current);
    // The old content's block may be free again by then, and enough for the last step.
    assert.ok(result.status === 0 || result.status === 73, result.stderr);
    assert.equal(accessToken === "old-access-token", result.status === 73);
    assert.deepEqual(
      readdirSync(directory).filter((name) => name.endsWith(".tmp")),
      [],
    );
  });
});

describe("a disk that is nearly full, and tokens as long as Microsoft's", () => {
  for (const free of [1, 2, 5, 7]) {
    test(`${free} free blocks: nothing is asked, or the file is whole`, async () => {
      const long = (name: string) => `${name}-${"0123456789".repeat(250)}`;
      const text = tokenFileText(long("old-access"), long("old-refresh"));
      writeFileSync(tokenFile(), text);
      scene.endpoint.answer = () => ({
        status: 200,
        body: { access_token: long("new-access"), refresh_token: long("new-refresh") },
      });
      fill("filler");
      for (let block = 0; block < free; block += 1) rmSync(join(directory, `filler-${block}`));
      const result = await run();
      if (scene.endpoint.requests.length === 0) {
        assert.equal(result.status, 73, result.stderr);
        assert.equal(content(), text);
      } else {
        assert.ok(content().split("\n")[1] === long("new-refresh"), result.stderr);
      }
      assert.ok(!content().includes("\0"));
    });
  }
});

test("a file that was mounted alone into a container: 73 before anything is asked", async () => {
  const text = tokenFileText("old-access-token", scene.account.current);
  const real = join(scene.directory, "real.txt");
  writeFileSync(real, text);
  writeFileSync(tokenFile(), "");
  asRoot("mount", "--bind", real, tokenFile());
  try {
    const result = await run();
    assert.equal(result.status, 73, result.stderr);
    assert.match(result.stderr, /cannot replace .*EBUSY/);
    assert.match(result.stderr, /mounted alone into a container/);
    assert.equal(scene.endpoint.requests.length, 0);
    const beside = readdirSync(directory).filter((name) => name.startsWith("."));
    assert.deepEqual(beside, [".token.txt.lock"]);
    assert.equal(content(), text);
  } finally {
    asRoot("umount", tokenFile());
  }
});

test("a read-only file system: 73 before anything is asked", async () => {
  writeFileSync(tokenFile(), tokenFileText("old-access-token", scene.account.current));
  asRoot("mount", "-o", "remount,ro", directory);
  const result = await run();
  assert.equal(result.status, 73, result.stderr);
  assert.match(result.stderr, /read-only/);
  assert.equal(scene.endpoint.requests.length, 0);
});

describe("owner and group", () => {
  const group = 12_345;

  test("another group's file stays theirs, and so does their right to read it", async () => {
    writeFileSync(tokenFile(), tokenFileText("old-access-token", scene.account.current));
    asRoot("chown", `:${group}`, tokenFile());
    asRoot("chmod", "0640", tokenFile());
    const result = await run();
    if (process.geteuid?.() === 0) {
      assert.equal(result.status, 0, result.stderr);
      const { gid, mode } = statSync(tokenFile());
      assert.deepEqual([gid, mode & 0o777], [group, 0o640]);
    } else {
      // Only root may give a file to a group that it is no member of.
      assert.equal(result.status, 73, result.stderr);
      assert.equal(scene.endpoint.requests.length, 0);
    }
  });

  test("another group's file that everybody could read loses that", async () => {
    writeFileSync(tokenFile(), tokenFileText("old-access-token", scene.account.current));
    asRoot("chmod", "0664", tokenFile());
    const result = await run();
    assert.equal(result.status, 0, result.stderr);
    assert.equal(statSync(tokenFile()).mode & 0o777, 0o600);
  });

  test("--group gives the file to a group, by number and by name", async () => {
    const gid = process.getegid?.() ?? 0;
    const name = execFileSync("id", ["-gn"], { encoding: "utf8" }).trim();
    for (const given of [String(gid), name]) {
      writeFileSync(tokenFile(), tokenFileText("old-access-token", scene.account.current));
      const result = await run("--group", given);
      assert.equal(result.status, 0, result.stderr);
      const stat = statSync(tokenFile());
      assert.deepEqual([stat.gid, stat.mode & 0o777], [gid, 0o640]);
    }
  });

  test("--group lets the group into the directory that is made, and nobody else", async () => {
    chmodSync(scene.directory, 0o711);
    const gid = isRoot ? 4 : (process.getegid?.() ?? 0);
    const path = join(directory, "made", "too", "token.txt");
    const world = scene.world();
    world.stdin.end(`${scene.account.current}\n`);
    const result = await scene.run(
      [
        ...[user, ...scene.options, "--token-file", path, "--refresh-token-stdin"],
        ...["--group", String(gid)],
      ],
      world,
    );
    assert.equal(result.status, 0, result.stderr);
    const rights = (made: string) => [statSync(made).gid, statSync(made).mode & 0o777];
    assert.deepEqual(rights(dirname(path)), [gid, 0o750]);
    assert.deepEqual(rights(dirname(dirname(path))), [gid, 0o710], "to walk through");
    const readAs = (group: number) =>
      spawnSync(
        ...rootCommand(
          "setpriv",
          "--reuid=65534",
          `--regid=${group}`,
          "--clear-groups",
          "cat",
          path,
        ),
      ).status;
    assert.equal(readAs(gid), 0);
    assert.notEqual(readAs(65534), 0);
  });

  test("a directory service that hangs: 75 after 10 seconds, before anything is asked", async () => {
    writeFileSync(tokenFile(), tokenFileText("old-access-token", scene.account.current));
    const world = scene.world();
    let begun = () => {};
    const isAsked = new Promise<void>((resolve) => {
      begun = resolve;
    });
    world.run = (_command, { stop } = {}) => {
      begun();
      return new Promise((_resolve, reject) =>
        stop?.addEventListener("abort", () => reject(stop.reason)),
      );
    };
    const options = [...scene.options, "--token-file", tokenFile(), "--group", "of-the-directory"];
    const running = scene.run([user, ...options], world);
    await isAsked;
    world.pass(10_000);
    const result = await running;
    assert.equal(result.status, 75, result.stderr);
    assert.match(result.stderr, /getent did not say within 10 seconds who of-the-directory is/);
    assert.equal(scene.endpoint.requests.length, 0);
  });

  test("a group that does not exist: 78 before anything is asked", async () => {
    const result = await run("--group", "no-such-group-here");
    assert.equal(result.status, 78, result.stderr);
    assert.equal(scene.endpoint.requests.length, 0);
  });
});
