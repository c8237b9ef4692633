import assert from "node:assert/strict";
import { readFileSync, utimesSync, writeFileSync } from "node:fs";
import { afterEach, beforeEach, describe, test } from "node:test";
import fc from "fast-check";
import { Secret } from "../../src/secret.ts";
import { isBelieved } from "../../src/token.ts";
import { accounts, hour, Keeping, minute, second } from "../scene/keeping.ts";
import { type Scene, setScene, tokenFileText, user } from "../scene/scene.ts";
import { noon } from "../scene/world.ts";

const day = 24 * hour;

describe("the end of a token that is noted down is believed", () => {
  const record = (issuedAt: number | undefined, expiresAt: number | undefined) => ({
    accessToken: new Secret("an-access-token"),
    refreshToken: undefined,
    notes: { issuedAt, expiresAt },
  });

  for (const [what, issued, expires, written, expected] of [
    ["an hour, issued now", 0, hour, 0, true],
    ["an hour, issued half an hour ago", -hour / 2, hour / 2, 0, true],
    ["a year, as the server says", 0, 365 * day, 0, true],
    ["it has ended", -2 * hour, -hour, 0, true],
    ["clocks that differ a little", minute, hour, 0, true],
    ["issued in an hour", hour, 2 * hour, 0, false],
    ["issued in ten years", 3650 * day, 3650 * day + hour, 0, false],
    ["issued in two minutes", 2 * minute, hour, 0, false],
    ["issued in the future, and ended", hour, -hour, 0, false],
    ["issue not noted, the file is of now", undefined, hour, 0, true],
    ["issue not noted, Microsoft's longest", undefined, 28 * hour, 0, true],
    ["issue not noted, the file is of the future", undefined, hour, hour, false],
    ["issue not noted, and further ahead than nearly any lives", undefined, 30 * day, 0, false],
    ["issue not noted, nobody may look at the file", undefined, hour, undefined, true],
    ["noted, whatever the date of the file", 0, hour, 10 * hour, true],
    ["no end is noted", undefined, undefined, 0, true],
  ] as const) {
    test(`${what}: ${expected ? "yes" : "no"}`, () => {
      const at = (ms: number | undefined) => (ms === undefined ? undefined : noon + ms);
      const stored = { ...record(at(issued), at(expires)), writtenAt: at(written) ?? noon };
      assert.equal(isBelieved(stored, noon), expected);
    });
  }

  test("whatever the clocks were: never for longer than the token lives", () => {
    const skew = fc.integer({ min: -400 * day, max: 400 * day });
    const life = fc.integer({ min: 0, max: 400 * day });
    fc.assert(
      fc.property(skew, life, skew, (ahead, lives, later) => {
        const issuedAt = noon + ahead;
        const now = noon + later;
        const expiresAt = issuedAt + lives;
        if (!isBelieved(record(issuedAt, expiresAt), now)) return;
        assert.ok(expiresAt - now <= lives + minute);
      }),
    );
  });
});

describe("after a refresh while the clock was ahead", () => {
  let scene: Scene;
  beforeEach(async () => {
    scene = await setScene();
  });
  afterEach(() => scene.close());

  const show = ["show", user];

  /** Refreshes when the clock says so many ms more than it should. */
  async function refreshAhead(ms: number): Promise<string> {
    scene.write(tokenFileText("old-access", scene.account.current, { Expires: "2020-01-01" }));
    const world = scene.world();
    world.advance(ms);
    const result = await scene.run([...show, ...scene.options], world);
    assert.equal(result.status, 0, result.stderr);
    const time = new Date(noon + ms).toISOString().replace(".000Z", "Z");
    assert.match(scene.read() ?? "", new RegExp(`^# Issued: ${time}$`, "m"));
    return result.stdout.trim();
  }

  for (const [what, ms, isFresh] of [
    ["half a minute", 30 * second, true],
    ["half an hour", hour / 2, false],
    ["a day", day, false],
    ["ten years", 3650 * day, false],
  ] as const) {
    test(`by ${what}: show prints ${isFresh ? "the same token" : "another one"}`, async () => {
      const first = await refreshAhead(ms);
      // Another file system, a backup or an editor may have set the date right.
      utimesSync(scene.tokenFile, noon / 1000, noon / 1000);
      const result = await scene.run([...show, ...scene.options]);
      assert.equal(result.stdout.trim() === first, isFresh, result.stderr);
      assert.ok(scene.account.isAlive);
      const again = await scene.run([...show, ...scene.options]);
      assert.equal(again.stdout, result.stdout, "and then the same");
    });
  }

  test("check says nothing of its end, and mxtoken ADDRESS tries it and takes a new one", async () => {
    const first = await refreshAhead(365 * day);
    const checked = await scene.run(["check", user, ...scene.options]);
    assert.equal(checked.status, 0, checked.stderr);
    assert.doesNotMatch(checked.stderr, /2027/);
    const result = await scene.run();
    assert.equal(result.status, 0, result.stderr);
    assert.notEqual(scene.lines().accessToken, first);
    assert.match(scene.read() ?? "", /^# Issued: 2026-11-20T12:0\d:\d\dZ$/m);
  });

  test("a file of before, without a note of the issue: by its own date, or by what is plausible", async () => {
    for (const [date, Expires, isShown] of [
      [noon, "2026-11-20T13:00:00Z", true],
      [noon + hour, "2026-11-20T14:00:00Z", false],
      [noon, "2036-11-20T13:00:00Z", false],
    ] as const) {
      scene.write(tokenFileText("old-access", scene.account.current, { Expires }));
      utimesSync(scene.tokenFile, date / 1000, date / 1000);
      const result = await scene.run([...show, ...scene.options]);
      assert.equal(result.stdout === "old-access\n", isShown, Expires);
    }
  });

  test("without a refresh token, a token is shown of which nobody knows when it ends", async () => {
    const notes = { Issued: "2030-01-01T00:00:00Z", Expires: "2030-01-01T01:00:00Z" };
    scene.write(tokenFileText("all-there-is", "", notes));
    const result = await scene.run([...show, "--json", ...scene.options]);
    assert.equal(result.status, 0, result.stderr);
    assert.match(result.stdout, /all-there-is/);
    assert.doesNotMatch(result.stdout, /2030/);
  });
});

describe("keep", () => {
  let keeping: Keeping;
  beforeEach(async () => {
    keeping = await Keeping.set();
  });
  afterEach(() => keeping.close());

  test("refreshes at once what was issued while the clock was ahead", async () => {
    const { world } = keeping;
    keeping.put(accounts(2));
    const { tokenFile } = keeping.member(0);
    const text = readFileSync(tokenFile, "utf8");
    const at = (ms: number) => new Date(world.now() + ms).toISOString();
    const ahead = text
      .replace(/^# Issued: .*$/m, `# Issued: ${at(day)}`)
      .replace(/^# Expires: .*$/m, `# Expires: ${at(day + hour)}`);
    writeFileSync(tokenFile, ahead);
    await keeping.run();
    assert.equal(keeping.member(0).requests, 1);
    assert.equal(keeping.member(1).requests, 0);
    await world.step(6 * hour);
    for (const member of keeping.crowd.members) {
      assert.ok(keeping.crowd.isGood(member.accessToken()));
      assert.ok(member.requests <= 14, `${member.requests}`);
    }
  });

  test("begun again after the clock was set back refreshes, and not more often than before", async () => {
    const { world } = keeping;
    await keeping.begin(accounts(1));
    await world.step(31 * minute);
    assert.equal(keeping.member().requests, 1);
    await keeping.end();
    world.setClock(-2 * hour);
    const again = new Keeping(keeping.scene);
    again.world.setClock(world.now() - again.world.now());
    const run = again.world.begin([
      ...["keep", "--list", keeping.crowd.list, ...keeping.scene.options],
    ]);
    await again.world.idle();
    assert.equal(keeping.member().requests, 2);
    await again.world.step(2 * hour);
    assert.ok(keeping.member().requests <= 7, `${keeping.member().requests}`);
    again.world.signal("SIGTERM");
    assert.equal((await run.ended).status, 143);
  });
});
