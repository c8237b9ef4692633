import assert from "node:assert/strict";
import { test } from "node:test";
import { type Life, putCrowd } from "../scene/crowd.ts";
import { jsonEngine } from "../scene/json-engine.ts";
import { setScene } from "../scene/scene.ts";
import { steppedWorld } from "../scene/stepped-world.ts";

const minute = 60_000;
const hour = 60 * minute;

/** After this time, whoever was not reachable was asked again: 5 minutes at most, and a nap. */
const retryBound = 6 * minute;

function accounts(count: number, seconds: number, isTold = true): Life[] {
  return Array.from({ length: count }, () => ({ seconds, isTold }));
}

test("a day of 30 accounts: an outage, a revoked account, a suspended machine, a clock set back", async (context) => {
  const scene = await setScene();
  const world = steppedWorld({ cwd: scene.directory });
  const crowd = putCrowd(
    scene,
    [
      ...accounts(2, 300),
      ...accounts(3, 1200),
      ...accounts(15, 3600),
      ...accounts(6, 7200),
      ...accounts(3, 86_400),
      ...accounts(1, 3600, false),
    ],
    world.trueNow,
  );
  assert.equal(crowd.members.length, 30);
  const normal = scene.endpoint.answer;
  const revoked = crowd.members.find(({ life }) => life === 3600);
  assert.ok(revoked !== undefined);
  const begun = world.trueNow();
  let isDown = false;
  let goodSince = begun;
  let checks = 0;

  /** Whatever file could have a usable token has one. */
  const check = () => {
    const now = world.trueNow();
    if (isDown) goodSince = now;
    const time = `${((now - begun) / hour).toFixed(2)} h`;
    for (const member of crowd.members) {
      const token = member.accessToken();
      assert.ok(token !== undefined, `${time}: ${member.tokenFile} has no line 1`);
      if (!member.account.isAlive || now - goodSince < retryBound) continue;
      checks += 1;
      assert.ok(crowd.isGood(token), `${time}: ${member.address}, ${member.life} s: ${token}`);
    }
  };
  const pass = async (ms: number) => {
    for (let passed = 0; passed < ms; passed += minute) {
      await world.step(minute);
      check();
    }
  };

  // Whatever is known of an account is written down, and read again, at every step.
  const args = ["keep", "--list", crowd.list, ...scene.options, "--json"];
  const run = world.begin(args, jsonEngine);
  await world.idle();
  // What was fresh at the beginning needs no time to become it.
  goodSince = begun - retryBound;
  check();
  assert.equal(scene.imap.logins.length, 30, "each is proven once");
  assert.equal(scene.endpoint.requests.length, 0, "and none is refreshed yet");
  await pass(3 * hour);

  isDown = true;
  scene.endpoint.answer = () => ({ status: 503, body: "busy" });
  await pass(hour);
  scene.endpoint.answer = () => "drop";
  await pass(hour);
  scene.endpoint.isAway = true;
  await pass(hour);
  isDown = false;
  scene.endpoint.isAway = false;
  scene.endpoint.answer = normal;
  await pass(hour);

  revoked.account.isAlive = false;
  const requestsBefore = revoked.requests;
  await pass(2 * hour);

  world.suspend(8 * hour);
  goodSince = world.trueNow();
  await pass(3 * hour);

  world.setClock(-hour);
  await pass(4 * hour);

  assert.equal(run.result, undefined, "it still runs");
  world.signal("SIGTERM");
  const { status, stdout, stderr } = await run.ended;
  await scene.close();
  assert.equal(status, 143, stderr);
  assert.equal(world.trueNow() - begun, 24 * hour);

  const events = stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { event?: string; account?: string; message?: string });
  const told = (event: string, account?: string) =>
    events.filter((each) => each.event === event && (account ?? each.account) === each.account);
  assert.deepEqual(
    told("refused").map(({ account }) => account),
    [revoked.address],
    "the revoked one is told, and told once",
  );
  // In 17 hours: once, and then after 15 minutes, 30 minutes … and every 6 hours.
  const tries = revoked.requests - requestsBefore;
  assert.ok(tries >= 6 && tries <= 9, `and is tried again rarely: ${tries} times`);
  const [slept, setBack, ...more] = told("clockSet").map(({ message }) => message ?? "");
  assert.match(
    slept ?? "",
    /^the machine slept for 8 hours, or the clock was set ahead by as much$/,
  );
  // A nap's length is in doubt.
  assert.match(setBack ?? "", /^the clock was set back by (59|60) minutes$/);
  assert.deepEqual(more, []);
  for (const { address, account, life } of crowd.members) {
    assert.ok(!account.isReused, `${address} died of a spent token`);
    assert.equal(account.isAlive, address !== revoked.address);
    // Three reasons in a row at the most: 503, dropped, away.
    assert.ok(told("unreachable", address).length <= 3, address);
    assert.ok(told("expired", address).length <= 1, address);
    // The last bit of chance makes a life a little shorter, and an outage, a proof, the clock and the
    // suspended machine are each good for one more.
    const most = (16 * 3600) / (life * 0.45) + 10;
    const refreshes = told("refreshed", address).length;
    assert.ok(refreshes <= most, `${address}: ${refreshes} refreshes, ${life} s`);
    const tries = world.requests.filter(({ body }) => isOf(account.secrets, body)).length;
    // 10 s, 20 s … up to 5 minutes, half of which chance may take off.
    const mostTries = most + (3 * 3600) / 150 + 10;
    assert.ok(tries <= mostTries, `${address}: ${tries} requests, ${life} s`);
  }
  for (const secret of crowd.secrets()) {
    assert.ok(!stdout.includes(secret) && !stderr.includes(secret));
  }
  context.diagnostic(
    `${checks} looks at a token, ${scene.endpoint.requests.length} token requests, ${scene.imap.logins.length} logins`,
  );
});

function isOf(secrets: readonly string[], body: string | undefined): boolean {
  return secrets.includes(new URLSearchParams(body).get("refresh_token") ?? "");
}
