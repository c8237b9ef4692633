import assert from "node:assert/strict";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { digestOfText, sealTokens } from "../../src/store/restore.ts";
import { sha256 } from "../../src/world/builtins.ts";
import { asRoot } from "../scene/root.ts";
import { type Scene, setScene, tokenFileText, user } from "../scene/scene.ts";
import { parseTokenFile } from "../scene/tokens.ts";

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

/** The text of the next tokens of the file, as a process has prepared it that died with it. */
function nextText(tokens = nextTokens(), after = scene.read() ?? ""): string {
  const verified = { Verified: "no, unverified: not tried yet at 2026-11-20T11:00:00Z" };
  const text = tokenFileText(tokens.accessToken, tokens.refreshToken, verified);
  return sealTokens(parseTokenFile(text, ""), digestOfText(after));
}

/** What a process leaves that died right before it could rename it. */
function leave(text: string): void {
  writeFileSync(temporary(), text, { mode: 0o600 });
}

/** The server is away, so that what the file holds after a run is what was put into it. */
async function runAway(): Promise<void> {
  scene.endpoint.isAway = true;
  const result = await scene.run();
  assert.equal(result.status, 75, result.stderr);
}

describe("what a process left that died before it could rename it", () => {
  test("is put in its place, and refreshed from there", async () => {
    leave(nextText());
    const refreshToken = scene.account.current;
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
    const text = nextText();
    leave(text.padEnd(32_768, "\n"));
    await runAway();
    assert.equal(scene.read(), text);
  });

  test("also where only the tokens have come to the disk: what else is known stays", async () => {
    const text = nextText();
    const cut = text.slice(0, text.indexOf("# Client") + 12);
    leave(cut.padEnd(32_768, "\n"));
    scene.endpoint.isAway = true;
    await scene.run();
    assert.equal(scene.lines().refreshToken, scene.account.current);
    const { notes } = parseTokenFile(scene.read() ?? "", "");
    // When the new token ends is not known.
    assert.deepEqual([notes.client, notes.expiresAt], ["test-client", undefined]);
  });

  test("also of a first sign-in, where there is no file yet", async () => {
    const text = nextText(nextTokens(), "");
    rmSync(scene.tokenFile);
    leave(text);
    const result = await scene.run();
    assert.equal(result.status, 0, result.stderr);
    assert.equal(scene.lines().refreshToken, scene.account.current);
    assert.equal(scene.endpoint.requests.length, 1);
  });

  for (const [what, time] of [
    ["touched since", new Date()],
    ["brought here with an older time", new Date(1_000_000)],
  ] as const) {
    test(`whatever the times of the files say: ${what}`, async () => {
      const text = nextText();
      leave(text);
      utimesSync(temporary(), new Date(86_400_000), new Date(86_400_000));
      utimesSync(scene.tokenFile, time, time);
      await runAway();
      assert.equal(scene.read(), text);
    });
  }

  test("show prints it where it is fresh, and asks nobody", async () => {
    const tokens = nextTokens();
    const text = readFileSync(scene.tokenFile, "utf8");
    scene.write(text.replace(/^# Expires: .*$/m, "# Expires: 2026-11-20T11:00:00Z"));
    leave(nextText(tokens));
    const result = await scene.run(["show", user, ...scene.options]);
    assert.equal(result.status, 0, result.stderr);
    assert.equal(result.stdout, `${tokens.accessToken}\n`);
    assert.equal(scene.endpoint.requests.length, 0);
    assert.equal(scene.lines().refreshToken, tokens.refreshToken);
  });

  const stays = async (what: string) => {
    const result = await scene.run();
    assert.equal(result.status, 0, `${what}: ${result.stderr}`);
    assert.doesNotMatch(result.stderr, /had left beside/, what);
    assert.ok(!existsSync(temporary()), what);
    assert.ok(!scene.account.isReused, what);
    return result;
  };

  test("is kept under another name where somebody has replaced the file since", async () => {
    const text = nextText();
    leave(text);
    const later = new Date(Date.now() + 60_000);
    utimesSync(temporary(), later, later);
    scene.write(tokenFileText("from-another-place", scene.account.current));
    const result = await stays("replaced");
    const [path = "nothing"] = scene.kept();
    assert.ok(result.stderr.includes(`these are in ${path}`), result.stderr);
    assert.equal(readFileSync(path, "utf8"), text);
    // Once is enough.
    assert.doesNotMatch((await stays("again")).stderr, /these are in/);
    assert.equal(scene.kept().length, 1);
  });

  test("does not bring a file back that somebody has removed", async () => {
    leave(nextText());
    rmSync(scene.tokenFile);
    const result = await scene.run(["show", user, ...scene.options]);
    assert.equal(result.status, 77, result.stderr);
    assert.ok(!existsSync(scene.tokenFile));
  });

  test("is not where it is the place alone, a part, no token, or what the file holds", async () => {
    for (const textOf of [
      () => "\n".repeat(32_768),
      () => nextText({ accessToken: "a-new-access-token", refreshToken: "r" }).slice(0, 30),
      // Cut off in the second line: the seal does not fit.
      () =>
        nextText({ accessToken: "a-new-access", refreshToken: "a-new-refresh" }).replace(
          "a-new-refresh",
          "a-new-ref",
        ),
      () => "two words\nand more\n",
      () => "",
      () => scene.read() ?? "",
    ]) {
      const text = textOf();
      leave(text);
      await stays(JSON.stringify(text.slice(0, 100)));
      assert.deepEqual(scene.kept(), []);
    }
  });

  test("is not where it is a link", async () => {
    const other = join(scene.directory, "other.txt");
    const text = nextText({ accessToken: "a-new-access-token", refreshToken: "a-new-refresh" });
    writeFileSync(other, text);
    symlinkSync(other, temporary());
    await stays("a link");
    assert.equal(readFileSync(other, "utf8"), text);
  });
});

describe("what could not be written beside its file", () => {
  const elsewhere = () => join(scene.directory, "data", "kept");

  test("is put in its place from wherever it was kept, as long as the place shows the trouble", async () => {
    const text = nextText();
    leave("\n".repeat(32_768));
    mkdirSync(elsewhere(), { recursive: true, mode: 0o700 });
    const name = `${sha256(scene.tokenFile).slice(0, 16)}.kept-2026-11-20T11-00-00.000Z`;
    writeFileSync(join(elsewhere(), name), text, { mode: 0o600 });
    await runAway();
    assert.deepEqual(scene.lines(), linesIn(text));
    // Nothing removes it by itself.
    assert.ok(existsSync(join(elsewhere(), name)));
  });

  test("is not taken from a directory where others may write", async () => {
    const before = scene.read();
    const text = nextText();
    leave("\n".repeat(32_768));
    mkdirSync(elsewhere(), { recursive: true });
    chmodSync(elsewhere(), 0o777);
    writeFileSync(join(elsewhere(), `${sha256(scene.tokenFile).slice(0, 16)}.kept-x`), text);
    await runAway();
    assert.equal(scene.read(), before);
  });
});

function linesIn(text: string) {
  const [accessToken, refreshToken] = text.split("\n");
  return { accessToken, refreshToken };
}

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
    leave(nextText());
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
    leave(nextText());
    renameSync(scene.tokenFile, join(scene.directory, "elsewhere.txt"));
    const result = await scene.run(["revoke", user, ...scene.options, "--local-only"]);
    assert.notEqual(result.status, 0);
    assert.equal(scene.kept().length, 1);
  });
});
