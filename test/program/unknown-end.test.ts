import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import { expiryIn } from "../../src/proof/identity.ts";
import { Secret } from "../../src/secret.ts";
import { runMain, type Scene, setScene, tokenFileText, user } from "../scene/scene.ts";
import { readableToken } from "../scene/tokens.ts";
import { noon } from "../scene/world.ts";

let scene: Scene;

beforeEach(async () => {
  scene = await setScene();
  scene.imap.login = () => "refuse";
});
afterEach(() => scene?.close());

const seconds = noon / 1000;

const check = (...more: readonly string[]) => scene.run(["check", user, ...scene.options, ...more]);

describe("a token of which no note says when it ends", () => {
  test("and that a server refuses may have expired, which is said before all else", async () => {
    scene.write("opaque-token\n\n");
    const result = await check("--json");
    assert.equal(result.status, 77);
    const { error, findings } = JSON.parse(result.stdout);
    assert.equal(error.code, "mailboxRefused");
    for (const hint of [error.hint, findings[0].hint]) {
      assert.match(
        hint,
        /^nothing says when this token ends, and it may simply have expired: get a fresh one.*; if that is refused as well: did another account sign in/,
      );
    }
  });

  test("and that says so itself, is not shown after its end", async () => {
    const expired = readableToken({ exp: seconds - 1200 });
    const issued = new Date(noon - 1_800_000).toISOString();
    const noted = tokenFileText(expired, scene.account.current, { Issued: issued });
    scene.write(noted.replace(/^# Expires: .*\n/m, ""));
    const result = await scene.run(["show", user, ...scene.options]);
    assert.equal(result.status, 0, result.stderr);
    assert.notEqual(result.stdout.trim(), expired);
    assert.equal(scene.endpoint.requests.length, 1);
  });

  test("for a shared mailbox as well", async () => {
    scene.write("opaque-token\n\n");
    const result = await check("--login", "person@example.test");
    assert.match(result.stderr, /hint: nothing says when this token ends/);
  });

  test("brought on standard input as well", async () => {
    const world = scene.world();
    world.stdin.end("opaque-token\n");
    const args = ["check", user, ...scene.options, "--access-token-stdin"];
    assert.match((await runMain(args, world)).stderr, /hint: nothing says when this token ends/);
  });

  test("has expired where it says so itself, and no login is tried", async () => {
    scene.write(`${readableToken({ exp: seconds - 60 })}\n\n`);
    const result = await check();
    assert.equal(result.status, 77);
    assert.match(result.stderr, /the token in \S+ expired at 2026-11-20T11:59:00Z/);
    assert.equal(scene.imap.logins.length, 0);
    const shown = await scene.run(["show", user, ...scene.options]);
    assert.equal(shown.status, 77, shown.stdout);
    assert.match(shown.stderr, /there is no refresh token/);
  });

  test("has not where it says so itself: then it is refused for something else", async () => {
    scene.write(`${readableToken({ exp: seconds + 60 })}\n\n`);
    const result = await check();
    assert.match(result.stderr, /hint: did another account sign in/);
    assert.equal(scene.imap.logins.length, 1);
  });

  test("and that opens nothing although it is taken has not expired", async () => {
    scene.write("opaque-token\n\n");
    for (const answer of ["notConnected", "noInbox"] as const) {
      scene.imap.login = () => answer;
      const result = await check();
      assert.equal(result.status, 77);
      assert.doesNotMatch(result.stderr, /expired/);
    }
  });

  test("and whose end is noted is refused for something else", async () => {
    scene.write("opaque-token\n\n# Expires: 2026-11-20T13:00:00Z\n");
    assert.match((await check()).stderr, /hint: did another account sign in/);
  });

  test("is not logged in with by a run, where it has expired by its own word", async () => {
    scene.imap.login = () => "accept";
    scene.write(`${readableToken({ exp: seconds - 60 })}\n${scene.account.current}\n`);
    const result = await scene.run();
    assert.equal(result.status, 0, result.stderr);
    assert.match(result.stderr, /the stored access token expired at 2026-11-20T11:59:00Z/);
    assert.equal(scene.imap.logins.length, 1);
  });
});

describe("when a token says that it ends", () => {
  for (const [claims, end] of [
    [{ exp: 1 }, 1000],
    [{ exp: 1.7 }, 1000],
    [{ exp: 253_402_300_799 }, 253_402_300_799_000],
    [{ exp: 1e15 }, undefined],
    [{ exp: 0 }, undefined],
    [{ exp: -1 }, undefined],
    [{ exp: "1" }, undefined],
    [{ exp: null }, undefined],
    [{}, undefined],
  ] as const) {
    test(JSON.stringify(claims), () =>
      assert.equal(expiryIn(new Secret(readableToken(claims))), end),
    );
  }

  test("an opaque one does not, nor none", () => {
    assert.equal(expiryIn(new Secret("ya29.a0AfH6SMB")), undefined);
    assert.equal(expiryIn(undefined), undefined);
  });
});
