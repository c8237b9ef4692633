import assert from "node:assert/strict";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { notePlace } from "../../src/store/known-places.ts";
import { type Result, runMain, type Scene, setScene, tokenFileText, user } from "../scene/scene.ts";
import { steppedWorld } from "../scene/stepped-world.ts";
import type { TestWorld } from "../scene/world.ts";

let scene: Scene;

beforeEach(async () => {
  scene = await setScene();
  mkdirSync(elsewhere());
});
afterEach(() => scene?.close());

const elsewhere = () => join(scene.directory, "elsewhere");
const noted = () => join(scene.directory, "data", "places.json");
const places = () => JSON.parse(readFileSync(noted(), "utf8")).places;
const past = { Expires: "2026-11-20T11:00:00Z" };

/** Stores tokens by a refresh. */
async function store(world?: TestWorld): Promise<void> {
  scene.write(tokenFileText("old-access", scene.account.current, past));
  const result = await scene.run(["show", user, ...scene.options], world);
  assert.equal(result.status, 0, result.stderr);
}

/** Runs a command that looks for the tokens somewhere else. */
function run(...args: readonly string[]): Promise<Result> {
  return runMain([...args, user, "--home", elsewhere()], scene.world());
}

const whereTheyAre = () =>
  new RegExp(`last stored in ${scene.tokenFile}[\\s\\S]*pass --home ${scene.directory}(?:;|\n)`);

describe("where tokens were stored", () => {
  test("is noted, for this user alone", async () => {
    await store();
    assert.deepEqual(places(), [{ account: user, provider: "google", place: scene.tokenFile }]);
    assert.equal(statSync(noted()).mode & 0o777, 0o600);
    assert.equal(statSync(dirname(noted())).mode & 0o777, 0o700);
  });

  test("is said by show, whose status stays the same", async () => {
    await store();
    const result = await run("show");
    assert.equal(result.status, 77);
    assert.equal(result.stdout, "");
    assert.match(result.stderr, whereTheyAre());
    assert.match(result.stderr, /or else somebody must sign in, by this command/);
    const found = await runMain(["show", user, "--home", scene.directory], scene.world());
    assert.equal(found.status, 0);
  });

  test("is said by check and by revoke, which have nothing to do here", async () => {
    await store();
    for (const [command, status] of [
      ["check", 77],
      ["revoke", 78],
    ] as const) {
      const result = await run(command);
      assert.equal(result.status, status, result.stderr);
      assert.match(result.stderr, whereTheyAre());
    }
    assert.ok(existsSync(scene.tokenFile));
  });

  test("is said before anybody signs in anew", async () => {
    await store();
    const options = scene.options.with(-1, elsewhere());
    const result = await scene.run([user, ...options]);
    assert.equal(result.status, 77);
    assert.match(
      result.stderr,
      new RegExp(`note: there are tokens .*pass --home ${scene.directory}`),
    );
    assert.match(result.stderr, whereTheyAre());
  });

  test("is said by keep", async () => {
    await store();
    const world = steppedWorld({ cwd: scene.directory });
    const result = await world.begin(["keep", user, "--home", elsewhere()]).ended;
    assert.match(result.stderr, whereTheyAre());
  });

  test("is a file that has another name than by default", async () => {
    const file = join(scene.directory, "mine.txt");
    writeFileSync(file, tokenFileText("old-access", scene.account.current, past));
    await scene.run(["show", user, ...scene.options, "--token-file", file]);
    assert.match((await run("show")).stderr, new RegExp(`pass --token-file ${file};`));
  });

  test("leads from a file that is named to where they are", async () => {
    await store();
    const args = ["show", user, "--token-file", join(scene.directory, "none.txt")];
    const result = await runMain(args, scene.world());
    assert.match(
      result.stderr,
      new RegExp(`pass --home ${scene.directory} instead of --token-file`),
    );
  });

  test("is the place where they were stored last, of those that are there", async () => {
    await store();
    const other = join(scene.directory, "other.txt");
    scene.account.isAlive = true;
    writeFileSync(other, tokenFileText("old-access", scene.account.current, past));
    await scene.run(["show", user, ...scene.options, "--token-file", other]);
    assert.match((await run("show")).stderr, new RegExp(`last stored in ${other}`));
    unlinkSync(other);
    assert.match((await run("show")).stderr, whereTheyAre());
    unlinkSync(scene.tokenFile);
    assert.doesNotMatch((await run("show")).stderr, /last stored/);
  });

  test("is of this address alone, however its letters are", async () => {
    await store();
    const home = ["--home", elsewhere()];
    const others = await runMain(["show", "bar@example.test", ...home], scene.world());
    assert.doesNotMatch(others.stderr, /last stored/);
    const same = await runMain(["show", "FOO@Example.TEST", ...home], scene.world());
    assert.match(same.stderr, whereTheyAre());
  });

  test("is of the provider that is named, if one is", async () => {
    await store();
    assert.match((await run("show", "--provider", "gmail")).stderr, whereTheyAre());
    const other = await run("show", "--provider", "yahoo", "--client-id", "x");
    assert.doesNotMatch(other.stderr, /last stored/);
  });

  test("is found in the data directory also where nothing is noted", async () => {
    const home = join(scene.directory, "data");
    const file = join(home, "tokens", `oauth2_tokens_${user}.txt`);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, tokenFileText("a", "b"));
    assert.match((await run("show")).stderr, new RegExp(`pass --home ${home};`));
  });
});

describe("the list of places", () => {
  test("is neither read nor written for a token that is fresh", async () => {
    scene.write(tokenFileText("stored-access", "stored-refresh"));
    await scene.run(["show", user, ...scene.options]);
    assert.ok(!existsSync(dirname(noted())));
  });

  test("is not written again where the place is noted already", async () => {
    await store();
    const before = statSync(noted());
    await store();
    assert.equal(statSync(noted()).ino, before.ino);
  });

  test("loses what is revoked, and what is removed here alone", async () => {
    await store();
    assert.equal((await scene.run(["revoke", user, "--local-only", ...scene.options])).status, 0);
    assert.deepEqual(places(), []);
    assert.doesNotMatch((await run("show")).stderr, /last stored/);
  });

  test("that nobody can understand is made anew", async () => {
    mkdirSync(dirname(noted()));
    for (const text of ["", "{", "[]", '{"places": 1}', '{"places": [1, {"place": "x"}]}', "\0"]) {
      writeFileSync(noted(), text);
      assert.doesNotMatch((await run("show")).stderr, /places\.json/);
      // In a scene of its own, which nothing is known of.
      const world = { ...scene.world(), dataDirectory: dirname(noted()) };
      const place = join(scene.directory, `${Math.abs(text.length)}-${text.charCodeAt(0)}.txt`);
      await notePlace(world, { is: "stored", account: user, place });
      assert.deepEqual(places(), [{ account: user, place }]);
    }
  });

  test("that cannot be written keeps no token from being shown", async () => {
    writeFileSync(join(scene.directory, "data"), "a file");
    await store();
    rmSync(join(scene.directory, "data"));
    mkdirSync(noted(), { recursive: true });
    await store();
    assert.doesNotMatch((await run("show")).stderr, /last stored|defect/);
  });

  test("that is a link is not written through", async () => {
    mkdirSync(dirname(noted()));
    const target = join(scene.directory, "target");
    writeFileSync(target, "mine");
    symlinkSync(target, noted());
    await store();
    assert.equal(readFileSync(target, "utf8"), "mine");
  });

  test("without a data directory is none", async () => {
    const world = Object.assign(scene.world(), { dataDirectory: undefined });
    await store(world);
    assert.ok(!existsSync(dirname(noted())));
  });

  test("is written for many at once, and loses nobody", async () => {
    const world = scene.world();
    const accounts = Array.from({ length: 300 }, (_, index) => `user${index}@example.test`);
    await Promise.all(
      accounts.map((account) =>
        notePlace(world, { is: "stored", account, place: join(elsewhere(), account) }),
      ),
    );
    assert.deepEqual(
      places()
        .map(({ account }: { account: string }) => account)
        .sort(),
      accounts.sort(),
    );
    assert.deepEqual(readdirSync(dirname(noted())).sort(), [".places.json.lock", "places.json"]);
  });

  test("has an end: the newest stay", async () => {
    mkdirSync(dirname(noted()));
    const lines = Array.from({ length: 10_000 }, (_, index) => ({
      account: `user${index}@example.test`,
      place: `/home/somebody/somewhere/tokens/oauth2_tokens_user${index}@example.test.txt`,
    }));
    writeFileSync(noted(), JSON.stringify({ places: lines }));
    chmodSync(noted(), 0o600);
    await store();
    assert.equal(places().length, 10_000);
    assert.equal(places().at(-1).account, user);
    assert.equal(places()[0].account, "user1@example.test");
  });

  test("is not told of the temporary directory, where it is not there itself", async () => {
    const world = scene.world({ TMPDIR: dirname(scene.tokenFile) });
    await store(Object.assign(world, { dataDirectory: join(scene.directory, "data") }));
    assert.equal(existsSync(noted()), false);
    await store();
    assert.equal(places().length, 1);
  });
});
