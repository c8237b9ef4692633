import assert from "node:assert/strict";
import {
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { runProgram } from "./peers/program.ts";
import { asRoot } from "./peers/root.ts";
import { type Scene, setScene, tokenFileText, user } from "./peers/scene.ts";

// New tokens that are on the disk, and could not take their place in the token file: they are all that
// counts at a server that rotates refresh tokens.

let scene: Scene;
beforeEach(async () => {
  scene = await setScene();
  scene.write(tokenFileText("old-access-token", scene.account.current));
});
afterEach(() => scene?.close());

const temporary = () => join(dirname(scene.tokenFile), `.${basename(scene.tokenFile)}.tmp`);

/** The server hands out the next tokens, as to a process that died with them. */
function nextTokens(): { accessToken: string; refreshToken: string } {
  const answer = scene.account.answer(
    new URLSearchParams({ refresh_token: scene.account.current }),
  );
  assert.ok(answer !== "drop" && typeof answer.body === "object");
  const accessToken = String(Reflect.get(answer.body, "access_token"));
  return { accessToken, refreshToken: scene.account.current };
}

/** What a process leaves that died right before it could rename it. */
function leaveNextTokens(): { accessToken: string; refreshToken: string } {
  const tokens = nextTokens();
  writeFileSync(temporary(), tokenFileText(tokens.accessToken, tokens.refreshToken), {
    mode: 0o600,
  });
  return tokens;
}

describe("what a process left that died before it could rename it", () => {
  test("is put in its place, and refreshed from there", async () => {
    const { refreshToken } = leaveNextTokens();
    const result = await scene.run();
    assert.equal(result.status, 0, result.stderr);
    assert.match(result.stderr, /put into .* the tokens that a process that died had left/);
    assert.deepEqual(
      scene.endpoint.requests.map((request) => request.get("refresh_token")),
      [refreshToken],
    );
    assert.equal(scene.lines().refreshToken, scene.account.current);
    assert.ok(!scene.account.isReused);
    assert.ok(!existsSync(temporary()));
  });

  test("also where the place that it was written to had not been cut to its length", async () => {
    const { accessToken, refreshToken } = nextTokens();
    const text = tokenFileText(accessToken, refreshToken);
    writeFileSync(temporary(), text.padEnd(32_768, "\n"));
    scene.endpoint.answer = () => ({ status: 503, body: "busy" });
    const result = await scene.run();
    assert.equal(result.status, 75, result.stderr);
    assert.equal(scene.read(), text);
  });

  test("show prints it where it is fresh, and asks nobody", async () => {
    const { accessToken, refreshToken } = nextTokens();
    const text = readFileSync(scene.tokenFile, "utf8");
    scene.write(text.replace(/^# Expires: .*$/m, "# Expires: 2026-11-20T11:00:00Z"));
    writeFileSync(temporary(), tokenFileText(accessToken, refreshToken));
    const result = await scene.run(["show", user, ...scene.options]);
    assert.equal(result.status, 0, result.stderr);
    assert.equal(result.stdout, `${accessToken}\n`);
    assert.equal(scene.endpoint.requests.length, 0);
    assert.equal(scene.lines().refreshToken, refreshToken);
  });

  const stays = async (what: string) => {
    const result = await scene.run();
    assert.equal(result.status, 0, `${what}: ${result.stderr}`);
    assert.doesNotMatch(result.stderr, /had left beside/, what);
    assert.ok(!existsSync(temporary()), what);
    assert.ok(!scene.account.isReused, what);
  };

  test("is not where somebody has replaced the file since", async () => {
    const { refreshToken } = leaveNextTokens();
    utimesSync(temporary(), 1_000_000, 1_000_000);
    scene.write(tokenFileText("from-another-place", refreshToken));
    await stays("replaced");
  });

  test("is not where it is the place alone, a part, no token, or what the file holds", async () => {
    for (const textOf of [
      () => "\n".repeat(32_768),
      () => "a-new-access-token\na-new-refresh-tok".padEnd(32_768, "\n"),
      () => tokenFileText("a-new-access-token", "a-new-refresh-token").slice(0, -1),
      () => "two words\nand more\n",
      () => "",
      () => readFileSync(scene.tokenFile, "utf8"),
    ]) {
      const text = textOf();
      writeFileSync(temporary(), text);
      await stays(JSON.stringify(text.slice(0, 100)));
    }
  });

  test("is not where it is a link", async () => {
    const other = join(scene.directory, "other.txt");
    writeFileSync(other, tokenFileText("a-new-access-token", "a-new-refresh-token"));
    symlinkSync(other, temporary());
    await stays("a link");
    assert.match(readFileSync(other, "utf8"), /^a-new-access-token/);
  });
});

test("killed at any moment after the server has answered: the next run still has the account", async () => {
  let isReused = false;
  const normal = (request: URLSearchParams) => {
    const answer = scene.account.answer(request);
    isReused ||= scene.account.isReused;
    return answer;
  };
  const args = [user, ...scene.options];
  // The delays are in ms since the answer, and go over all that is done with it.
  for (let delay = 0; delay < 24; delay += 2) {
    const child: { current?: ReturnType<typeof runProgram> } = {};
    scene.endpoint.answer = (request) => {
      const answer = normal(request);
      setTimeout(() => child.current?.child.kill("SIGKILL"), delay);
      return answer;
    };
    child.current = runProgram(args, { cwd: scene.directory });
    await child.current.ended;
    const known = [scene.lines().refreshToken];
    if (existsSync(temporary())) known.push(readFileSync(temporary(), "utf8").split("\n")[1]);
    if (known.includes(scene.account.current)) {
      scene.endpoint.answer = normal;
      const result = await scene.run();
      assert.equal(result.status, 0, result.stderr);
    } else {
      // It died before anything was on the disk: somebody must sign in.
      const { refreshToken } = nextTokens();
      scene.write(tokenFileText("signed-in-again", refreshToken));
    }
    assert.ok(!isReused, `${delay} ms`);
  }
});

describe("a file that cannot be replaced any more when the answer comes", () => {
  test("the tokens wait beside it, nothing more is asked, and they come into their place", async () => {
    scene.endpoint.answer = (request) => {
      asRoot("mount", "--bind", scene.tokenFile, scene.tokenFile);
      return scene.account.answer(request);
    };
    const first = await scene.run();
    try {
      assert.equal(first.status, 73, first.stderr);
      assert.match(first.stderr, /cannot replace .*EBUSY/);
      assert.match(
        first.stderr,
        /its new content is in .*\.tmp: the next run puts it in its place/,
      );
      for (let times = 0; times < 2; times += 1) {
        const again = await scene.run();
        assert.equal(again.status, 73, again.stderr);
        assert.match(again.stderr, /its new content is in .*\.tmp/);
      }
      assert.equal(scene.endpoint.requests.length, 1);
      assert.equal(scene.lines().accessToken, "old-access-token");
    } finally {
      asRoot("umount", scene.tokenFile);
    }
    scene.endpoint.answer = (request) => scene.account.answer(request);
    const last = await scene.run();
    assert.equal(last.status, 0, last.stderr);
    assert.ok(!scene.account.isReused);
    assert.equal(scene.lines().refreshToken, scene.account.current);
    const beside = readdirSync(dirname(scene.tokenFile)).filter((name) => name.startsWith("."));
    assert.deepEqual(beside, [`.${basename(scene.tokenFile)}.lock`]);
  });

  test("revoke revokes the tokens that count, and leaves none", async () => {
    leaveNextTokens();
    const revoked: (string | null)[] = [];
    scene.endpoint.answer = (request) => {
      revoked.push(request.get("token"));
      return { status: 200, body: {} };
    };
    const uri = `${scene.endpoint.origin}/revoke`;
    const result = await scene.run(["revoke", user, ...scene.options, "--revoke-uri", uri]);
    assert.equal(result.status, 0, result.stderr);
    assert.deepEqual(revoked, [scene.account.current]);
    assert.ok(!existsSync(scene.tokenFile) && !existsSync(temporary()));
  });

  test("revoke names what is left beside a file that is gone", async () => {
    leaveNextTokens();
    renameSync(scene.tokenFile, join(scene.directory, "elsewhere.txt"));
    const result = await scene.run(["revoke", user, ...scene.options, "--local-only"]);
    assert.notEqual(result.status, 0);
    assert.ok(existsSync(temporary()));
  });
});
