import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { afterEach, beforeEach, describe, test } from "node:test";
import { getToken, MxtokenError, type TokenOptions } from "mxtoken";
import { type Scene, setScene, tokenFileText, user } from "../scene/scene.ts";

// The library by its own name, as another program imports it.

let scene: Scene;
beforeEach(async () => {
  scene = await setScene();
});
afterEach(() => scene.close());

/** The options of the scene, by their names in camel case. */
function options(more: TokenOptions = {}): TokenOptions {
  const given: Record<string, string> = {};
  for (let index = 0; index < scene.options.length; index += 2) {
    const name = (scene.options[index] ?? "").replace(/^--/, "");
    given[name.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase())] =
      scene.options[index + 1] ?? "";
  }
  return { ...given, tokenFile: scene.tokenFile, ...more };
}

async function failure(promise: Promise<unknown>): Promise<MxtokenError> {
  const error = await promise.then(
    () => undefined,
    (cause: unknown) => cause,
  );
  assert.ok(error instanceof MxtokenError, String(error));
  return error;
}

describe("getToken", () => {
  test("hands out the stored token while it is fresh, and asks nobody", async () => {
    const Expires = new Date(Date.now() + 3_600_000).toISOString();
    scene.write(tokenFileText("fresh-access-token", scene.account.current, { Expires }));
    const token = await getToken(user, options());
    assert.equal(token.accessToken, "fresh-access-token");
    assert.equal(token.account, user);
    assert.ok(token.expiresAt instanceof Date);
    assert.equal(scene.endpoint.requests.length, 0);
  });

  test("refreshes it, stores it, and gives it to two at once with one request", async () => {
    scene.write(tokenFileText("old-access-token", scene.account.current));
    const [one, other] = await Promise.all([getToken(user, options()), getToken(user, options())]);
    assert.equal(one.accessToken, other.accessToken);
    assert.equal(scene.lines().accessToken, one.accessToken);
    assert.equal(scene.endpoint.requests.length, 1);
    assert.equal(scene.imap.logins.length, 0);
  });

  test("says by a stable name why there is none, and what a person can type", async () => {
    rmSync(scene.tokenFile, { force: true });
    const error = await failure(getToken(user, options()));
    assert.equal(error.code, "signInNeeded");
    assert.equal(error.exitStatus, 77);
    assert.match(error.commands[0] ?? "", /^mxtoken foo@example\.test /);
  });

  test("knows its options, and refuses any other", async () => {
    for (const [more, words] of [
      [{ tokenfile: "x" }, /no option "tokenfile"/],
      [{ json: true }, /no option "json"/],
      [{ nocache: "yes" }, /nocache is true or false/],
      [{ minLife: true }, /minLife needs a value/],
      [{ minLife: "long" }, /no length of time/],
    ] as const) {
      const error = await failure(getToken(user, options(more)));
      assert.equal(error.code, "usage");
      assert.match(error.message, words);
    }
    assert.equal((await failure(getToken("nobody"))).code, "usage");
  });
});

test("the process stays its owner's: no listener and no handler of ours", async () => {
  const names = ["SIGINT", "SIGTERM", "SIGHUP", "uncaughtException", "unhandledRejection"];
  const before = names.map((name) => process.listenerCount(name));
  scene.write(tokenFileText("old-access-token", scene.account.current));
  await getToken(user, options({ minLife: "1s" }));
  assert.deepEqual(
    names.map((name) => process.listenerCount(name)),
    before,
  );
});
