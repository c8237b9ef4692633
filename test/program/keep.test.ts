import assert from "node:assert/strict";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { MxtokenError } from "../../src/errors.ts";
import { newAccount, startJwtBearerServer, writeKeyFile } from "../scene/jwt-bearer-server.ts";
import { accounts, hour, Keeping, minute, second, type Told } from "../scene/keeping.ts";
import { asRoot } from "../scene/root.ts";
import { tokenFileText } from "../scene/scene.ts";
import { startSmtpPeer } from "../scene/smtp-peer.ts";
import { steppedWorld } from "../scene/stepped-world.ts";
import { type Answer, RotatingAccount } from "../scene/token-endpoint.ts";

let keeping: Keeping;
beforeEach(async () => {
  keeping = await Keeping.set();
});
afterEach(() => keeping?.close());

const busy: Answer = { status: 503, body: "busy" };

/** Notes when requests come, in ms since the beginning; the answer stays what it was. */
function noteArrivals(answer = keeping.scene.endpoint.answer): number[] {
  const { world, scene } = keeping;
  const begun = world.trueNow();
  const arrivals: number[] = [];
  scene.endpoint.answer = (...request) => {
    arrivals.push(world.trueNow() - begun);
    return answer(...request);
  };
  return arrivals;
}

/** What went wrong, in a line of JSON. */
function errorOf(told: Told | undefined): { code: string; commands: string[] } {
  assert.ok(told !== undefined);
  return told["error"] as { code: string; commands: string[] };
}

/** Writes a file as another process would, by the clock of the test. */
function writeNow(path: string, text: string): void {
  writeFileSync(path, text);
  const seconds = keeping.world.now() / 1000;
  utimesSync(path, seconds, seconds);
}

function gaps(moments: readonly number[]): number[] {
  return moments.slice(1).map((moment, index) => moment - (moments[index] ?? 0));
}

describe("the proof by a login", () => {
  test("comes at the first round, and then every 6 hours; a refresh in between goes without", async () => {
    const { scene, world } = keeping;
    await keeping.begin(accounts(1));
    assert.equal(scene.imap.logins.length, 1);
    assert.equal(keeping.told("proven").length, 1);
    await world.step(5 * hour);
    assert.equal(scene.imap.logins.length, 1);
    assert.ok(keeping.told("refreshed").length >= 9);
    for (const { findings } of keeping.told("refreshed")) assert.equal(findings, undefined);
    assert.match(readFileSync(keeping.member().tokenFile, "utf8"), /^# Verified: no, unverified/m);
    await world.step(hour);
    assert.equal(scene.imap.logins.length, 2);
  });

  test("a token that has ended is not tried, and its successor is", async () => {
    const { scene, world } = keeping;
    keeping.put(accounts(1));
    const { tokenFile, account } = keeping.member();
    const Expires = new Date(world.now() - 1).toISOString();
    const Account = keeping.member().address;
    writeNow(tokenFile, tokenFileText("ended", account.current, { Account, Expires }));
    await keeping.run();
    assert.deepEqual(
      scene.imap.logins.map(({ token }) => token),
      [keeping.member().accessToken()],
    );
    const [refreshed] = keeping.told("refreshed");
    assert.match(refreshed?.message ?? "", /a new token, good until .*; proven by IMAP login/);
  });

  test("--prove-every 30m: twice an hour, refreshed or not", async () => {
    const { scene, world } = keeping;
    await keeping.begin(accounts(1, 86_400), "--prove-every", "30m");
    await world.step(5 * hour);
    assert.ok(scene.imap.logins.length >= 11 && scene.imap.logins.length <= 13);
    assert.equal(scene.endpoint.requests.length, 0);
  });

  test("--verify none: never", async () => {
    const { scene, world } = keeping;
    await keeping.begin(accounts(1), "--verify", "none");
    await world.step(12 * hour);
    assert.equal(scene.imap.logins.length, 0);
    assert.ok(keeping.told("refreshed").length > 20);
  });

  test("is put off as long as the mail server asks, and the token is fresh all the same", async () => {
    const { scene, world } = keeping;
    keeping.put(accounts(1));
    const moments: number[] = [];
    const normal = scene.imap.login;
    scene.imap.login = () => {
      moments.push(world.trueNow());
      return moments.length < 3 ? "throttle" : "accept";
    };
    await keeping.run();
    await world.step(10 * minute);
    assert.equal(moments.length, 3);
    // 92,415 ms, in whole seconds.
    for (const gap of gaps(moments)) assert.ok(gap >= 93 * second, `${gap}`);
    const [unproven, ...more] = keeping.told("unproven");
    assert.match(unproven?.message ?? "", /not proven: .*throttl.*trying the login again at/i);
    assert.equal(unproven?.state, "fresh");
    assert.deepEqual(more, [], "told once");
    assert.equal(keeping.told("proven").length, 1);
    scene.imap.login = normal;
    await world.step(hour);
    assert.ok(keeping.crowd.isGood(keeping.member().accessToken()));
  });

  test("that finds nobody after a refresh leaves the new token in the file", async () => {
    const { scene, world } = keeping;
    keeping.put(accounts(1, 600));
    scene.imap.isAway = true;
    await keeping.run("--prove-every", "1m");
    await world.step(2 * hour);
    assert.ok(keeping.member().requests > 20);
    assert.ok(keeping.crowd.isGood(keeping.member().accessToken()));
    assert.ok(keeping.told("expired").length === 0);
    scene.imap.isAway = false;
    await world.step(10 * minute);
    assert.ok(scene.imap.logins.length > 0, "and is tried again");
  });
});

describe("a token endpoint that cannot help now", () => {
  test("is asked less and less often; told once for every reason, and when the token ends", async () => {
    const { scene, world } = keeping;
    await keeping.begin(accounts(1));
    const normal = scene.endpoint.answer;
    const old = keeping.member().accessToken();
    const arrivals = noteArrivals(() => busy);
    await world.step(3 * hour);
    const [first, ...more] = keeping.told("unreachable");
    assert.deepEqual(more, []);
    assert.match(first?.message ?? "", /no new token now: .*status 503.*is kept; trying again at/);
    assert.equal(first?.state, "retrying");
    assert.equal(keeping.told("expired").length, 1);
    assert.match(keeping.told("expired")[0]?.message ?? "", /the token ended at/);
    assert.equal(keeping.member().accessToken(), old);
    const waits = gaps(arrivals);
    assert.ok(Math.min(...waits) >= 5 * second);
    assert.ok(Math.max(...waits) <= 5 * minute + second);
    assert.ok(waits.slice(6).every((wait) => wait >= 150 * second));
    assert.ok((waits[0] ?? 0) < (waits[3] ?? 0));

    scene.endpoint.answer = () => "drop";
    await world.step(hour);
    assert.equal(keeping.told("unreachable").length, 2, "another reason is told");
    assert.equal(keeping.told("expired").length, 1);

    scene.endpoint.answer = normal;
    await world.step(6 * minute);
    assert.match(keeping.told("refreshed")[0]?.message ?? "", /that works again; a new token/);
    assert.equal(keeping.told("refreshed")[0]?.state, "fresh");
    assert.ok(keeping.crowd.isGood(keeping.member().accessToken()));
  });

  test("Retry-After is not undercut; the others of its provider wait too, for 5 minutes", async () => {
    const { scene, world } = keeping;
    await keeping.begin(accounts(10));
    const normal = scene.endpoint.answer;
    const moments = new Map<string, number[]>();
    scene.endpoint.answer = (request, sent) => {
      const isFirst = moments.size === 0;
      const spent = request.get("refresh_token") ?? "";
      moments.set(spent, [...(moments.get(spent) ?? []), world.trueNow()]);
      if (!isFirst) return normal(request, sent);
      return { status: 429, headers: { "retry-after": "900" }, body: {} };
    };
    // Each of them is due within 3 minutes of the first one.
    await world.step(50 * minute);
    const [[asked = 0, again = 0] = [], ...others] = [...moments.values()];
    assert.ok(again - asked >= 900 * second);
    const waits = others.slice(0, 9).map(([first = 0]) => first - asked);
    for (const wait of waits) {
      assert.ok(wait >= 300 * second && wait <= 301 * second, `${wait}`);
    }
    for (const { accessToken } of keeping.crowd.members) {
      assert.ok(keeping.crowd.isGood(accessToken()));
    }
  });

  test("of a token that has ended already, it is said that it has", async () => {
    keeping.put(accounts(1));
    const { tokenFile, account, address: Account } = keeping.member();
    const Expires = new Date(keeping.world.now() - hour).toISOString();
    writeNow(tokenFile, tokenFileText("ended", account.current, { Account, Expires }));
    keeping.scene.endpoint.answer = () => busy;
    await keeping.run();
    assert.match(keeping.told("unreachable")[0]?.message ?? "", /; the old token ended at 20/);
  });

  test("one that does not answer at all delays nobody else", async () => {
    const { scene, world } = keeping;
    await keeping.begin([...accounts(1), ...accounts(1, 60)]);
    const normal = scene.endpoint.answer;
    const [slow, other] = [keeping.member(0), keeping.member(1)];
    let isThere = false;
    let release = () => {};
    const isReleased = new Promise<void>((resolve) => {
      release = resolve;
    });
    scene.endpoint.answer = async (request, sent) => {
      if (request.get("refresh_token") !== slow.account.current) return normal(request, sent);
      isThere = true;
      await isReleased;
      return "drop";
    };
    // It gets as far as the slow one's request, which is waited for.
    const stepped = world.step(31 * minute);
    await world.until(() => isThere);
    const { requests } = other;
    world.tick(31 * second);
    await world.until(() => other.requests > requests);
    release();
    await stepped;
    assert.equal(keeping.told("unreachable", slow.address).length, 1);
    assert.equal(keeping.told("unreachable", other.address).length, 0);
  });

  for (const [what, thrown] of [
    ["an exception", new TypeError("no property of undefined")],
    ["something that is no error", "a text"],
    ["a rule of ours that does not hold", new MxtokenError("defect", "this must not be")],
  ] as const) {
    test(`${what} in a turn is told as a defect and tried again; it parks nobody`, async () => {
      const { world, scene } = keeping;
      keeping.put(accounts(2));
      const [one, two] = [keeping.member(0), keeping.member(1)];
      for (const { address: Account, account, tokenFile } of [one, two]) {
        const Expires = new Date(world.now()).toISOString();
        writeNow(tokenFile, tokenFileText("ended", account.current, { Account, Expires }));
      }
      const { httpPool } = world;
      let isBroken = true;
      keeping.isDefectExpected = true;
      world.httpPool = () => {
        const pool = httpPool();
        return {
          close: pool.close,
          async http(request) {
            if (isBroken) throw thrown;
            return pool.http(request);
          },
        };
      };
      await keeping.run();
      await world.step(hour);
      assert.deepEqual(keeping.told("refused"), []);
      assert.equal(keeping.result, undefined);
      for (const { address } of [one, two]) {
        const [failed, ...more] = keeping.told("failed", address);
        assert.equal(errorOf(failed).code, "defect");
        assert.deepEqual(more, []);
        assert.equal(failed?.state, "expired");
      }
      isBroken = false;
      await world.step(6 * minute);
      assert.equal(scene.endpoint.requests.length, 2);
      for (const { accessToken } of [one, two]) assert.ok(keeping.crowd.isGood(accessToken()));
    });
  }

  for (const [what, answer, code] of [
    [
      "the page of a captive portal (76)",
      { status: 200, body: "<!DOCTYPE html>" },
      "notUnderstood",
    ],
    ["a gatekeeper", { status: 403, body: "<html>no</html>" }, "unreachable"],
    ["a server without this path", { status: 404, body: "" }, "notUnderstood"],
  ] as const) {
    test(`${what} is asked again`, async () => {
      const { scene, world } = keeping;
      await keeping.begin(accounts(1));
      const normal = scene.endpoint.answer;
      scene.endpoint.answer = () => answer;
      await world.step(40 * minute);
      const is = code === "unreachable" ? "unreachable" : "failed";
      const [told, ...more] = keeping.told(is);
      assert.equal(errorOf(told).code, code);
      assert.deepEqual(more, []);
      scene.endpoint.answer = normal;
      await world.step(6 * minute);
      assert.equal(keeping.told("refreshed").length, 1);
    });
  }

  test("a directory that cannot be written (73): nothing is asked, and it is tried again", async () => {
    const { scene, world } = keeping;
    const directory = join(scene.directory, "tokens");
    mkdirSync(directory);
    asRoot("mount", "-t", "tmpfs", "-o", "size=4m,mode=0777", "tmpfs", directory);
    try {
      await keeping.begin(accounts(1));
      asRoot("mount", "-o", "remount,ro", directory);
      await world.step(40 * minute);
      const [told, ...more] = keeping.told("failed");
      assert.equal(errorOf(told).code, "unwritable");
      assert.match(told?.message ?? "", /read-only/);
      assert.deepEqual(more, []);
      assert.equal(scene.endpoint.requests.length, 0);
      asRoot("mount", "-o", "remount,rw", directory);
      await world.step(6 * minute);
      assert.equal(keeping.told("refreshed").length, 1);
      await keeping.end();
    } finally {
      asRoot("umount", directory);
    }
  });
});

describe("what many accounts have in common", () => {
  const names = (count: number) =>
    Array.from({ length: count }, (_, index) => `user${index}@example.test`);
  const plain = (addresses: readonly string[], ...more: readonly string[]) => [
    ...["keep", ...addresses, ...keeping.scene.options, ...more],
  ];

  test("is told of the first ones, and of all others in one line", async () => {
    const world = steppedWorld({ cwd: keeping.scene.directory });
    const { stderr } = await world.begin(plain(names(40))).ended;
    assert.equal(stderr.match(/there are no tokens in/g)?.length, 3);
    assert.match(
      stderr,
      /: 37 more accounts are in need of somebody, like (user\d+)@\S+: \S+, \S+, \S+ and 34 others; --verbose/,
    );
    assert.equal(stderr.split("\n").length, 1 + 3 * 3 + 1 + 1 + 1);
  });

  test("--verbose tells of each, and --json has a line for each", async () => {
    const world = steppedWorld({ cwd: keeping.scene.directory });
    const { stderr } = await world.begin(plain(names(10), "--verbose")).ended;
    assert.equal(stderr.match(/: needs somebody: there are no tokens in/g)?.length, 10);
    const other = steppedWorld({ cwd: keeping.scene.directory });
    const { stdout } = await other.begin(plain(names(10), "--json")).ended;
    assert.equal(stdout.match(/"event":"refused"/g)?.length, 10);
  });

  test("is told within a second while they are kept, and the status file named", async () => {
    keeping.put(accounts(12));
    const world = steppedWorld({ cwd: keeping.scene.directory });
    const addresses = keeping.crowd.members.map(({ address }) => address);
    const status = join(keeping.scene.directory, "status.json");
    const running = world.begin(plain(addresses, "--status-file", status));
    await world.idle();
    keeping.scene.endpoint.isAway = true;
    await world.step(hour);
    const { stderr } = world.written;
    const alone = stderr.match(/: no new token now: /g)?.length;
    assert.equal(alone, 3, stderr);
    assert.match(stderr, /more accounts? (?:is|are) without a new token, like \S+: user/);
    assert.match(stderr, /; all of them are in \S+status\.json\n/);
    world.signal("SIGTERM");
    await running.ended;
  });
});

describe("an account that is refused", () => {
  /** A person signs in: the server has another family of tokens for it, and the file the first of it. */
  function signIn(index = 0): RotatingAccount {
    const { scene } = keeping;
    const { address, tokenFile } = keeping.member(index);
    const account = new RotatingAccount("of-a-new-sign-in");
    const normal = scene.endpoint.answer;
    scene.endpoint.answer = (request, sent) =>
      account.secrets.includes(request.get("refresh_token") ?? "")
        ? account.answer(request)
        : normal(request, sent);
    const judge = scene.imap.login;
    scene.imap.login = (token) => (account.secrets.includes(token) ? "accept" : judge(token));
    const first = account.answer(new URLSearchParams({ refresh_token: account.current }));
    assert.ok(first !== "drop" && typeof first.body === "object");
    const access = String(Reflect.get(first.body, "access_token"));
    const Expires = new Date(keeping.world.now() + hour).toISOString();
    mkdirSync(dirname(tokenFile), { recursive: true });
    writeNow(tokenFile, tokenFileText(access, account.current, { Account: address, Expires }));
    return account;
  }

  test("is told once, with the command for it, and asked for rarely; the others go on", async () => {
    const { world } = keeping;
    await keeping.begin(accounts(2));
    keeping.member(0).account.isAlive = false;
    const { requests } = keeping.member(0);
    await world.step(30 * minute);
    const [first] = keeping.told("refused");
    const next = Date.parse(first?.next ?? "") - Date.parse(first?.time ?? "");
    assert.ok(next >= 13 * minute && next <= 15 * minute, `${next}`);
    assert.match(first?.message ?? "", /; trying again at 20\S+Z, and as soon as its token file /);
    await world.step(5.5 * hour);
    const [refused, ...more] = keeping.told("refused");
    assert.deepEqual(more, []);
    assert.equal(refused?.account, keeping.member(0).address);
    assert.equal(refused?.state, "refused");
    const { code, commands } = errorOf(refused);
    assert.equal(code, "signInNeeded");
    assert.match(commands[0] ?? "", /^mxtoken user0@example\.test --provider google .*--home /);
    assert.match(world.written.stderr, /refused: .*wants a new sign-in/);
    // At the half of its hour, and 15, 45, 105 and 225 minutes later.
    assert.equal(keeping.member(0).requests, requests + 5);
    assert.deepEqual(keeping.told("triedAgain"), []);
    assert.ok(keeping.told("refreshed", keeping.member(1).address).length > 10);
    assert.equal(keeping.result, undefined);
  });

  test("and taken again later is told, and fresh as before; a second time it begins anew", async () => {
    const { world } = keeping;
    await keeping.begin(accounts(2));
    const { account, address } = keeping.member(0);
    for (const times of [1, 2]) {
      account.isAlive = false;
      await world.step(hour);
      assert.equal(keeping.told("refused", address).length, times);
      const before = keeping.told("refreshed", address).length;
      account.isAlive = true;
      await world.step(hour);
      const again = keeping.told("refreshed", address)[before];
      assert.match(again?.message ?? "", /that works again; a new token, good until/);
      assert.equal(again?.state, "fresh");
      assert.ok(keeping.crowd.isGood(keeping.member(0).accessToken()));
      await world.step(2 * hour);
      assert.ok(keeping.crowd.isGood(keeping.member(0).accessToken()));
    }
    assert.deepEqual(keeping.told("triedAgain"), []);
  });

  test("by the mail server, and taken again later: told with the login that has shown it", async () => {
    const { world, scene } = keeping;
    await keeping.begin(accounts(2), "--prove-every", "1h");
    const judge = scene.imap.login;
    const { secrets } = keeping.member(0).account;
    scene.imap.login = (token) => (secrets.includes(token) ? "refuse" : judge(token));
    await world.step(70 * minute);
    const { address } = keeping.member(0);
    assert.equal(keeping.told("refused", address).length, 1);
    scene.imap.login = judge;
    await world.step(30 * minute);
    const again = keeping.events.find(({ message }) => message.includes("that works again"));
    assert.match(again?.message ?? "", /proven by IMAP login/);
    assert.equal(again?.account, address);
    assert.ok(keeping.crowd.isGood(keeping.member(0).accessToken()));
  });

  test("in another way is told again", async () => {
    const { world, scene } = keeping;
    await keeping.begin(accounts(2));
    const { address, account } = keeping.member(0);
    account.isAlive = false;
    await world.step(hour);
    const normal = scene.endpoint.answer;
    scene.endpoint.answer = (request, sent) =>
      account.secrets.includes(request.get("refresh_token") ?? "")
        ? { status: 401, body: { error: "invalid_client" } }
        : normal(request, sent);
    await world.step(6 * hour);
    const codes = keeping.told("refused", address).map((told) => errorOf(told).code);
    assert.deepEqual(codes, ["signInNeeded", "applicationRefused"]);
  });

  test("whose server is away at a later try stays refused, and is tried as soon as anybody is", async () => {
    const { world, scene } = keeping;
    await keeping.begin(accounts(2));
    const { address, account } = keeping.member(0);
    account.isAlive = false;
    await world.step(hour);
    account.isAlive = true;
    scene.endpoint.isAway = true;
    await world.step(3 * hour);
    assert.deepEqual(keeping.told("unreachable", address), []);
    assert.equal(keeping.told("refused", address).length, 1);
    scene.endpoint.isAway = false;
    await world.step(6 * minute);
    assert.match(keeping.told("refreshed", address).at(-1)?.message ?? "", /works again/);
  });

  test("is tried again when its file changes", async () => {
    const { world } = keeping;
    await keeping.begin(accounts(2));
    keeping.member(0).account.isAlive = false;
    await world.step(hour);
    assert.equal(keeping.told("refused").length, 1);
    const account = signIn();
    await world.step(minute);
    assert.equal(keeping.told("triedAgain", keeping.member(0).address).length, 1);
    assert.equal(keeping.told("proven", keeping.member(0).address).length, 2);
    await world.step(hour);
    assert.ok(account.secrets.includes(keeping.member(0).accessToken() ?? ""));
    assert.ok(keeping.told("refreshed", keeping.member(0).address).length >= 1);
    assert.ok(account.isAlive);
  });

  test("is not tried again for a new date of its file, or the same content", async () => {
    const { world } = keeping;
    await keeping.begin(accounts(2));
    const { tokenFile, account } = keeping.member(0);
    account.isAlive = false;
    await world.step(hour);
    writeFileSync(tokenFile, readFileSync(tokenFile));
    await world.step(10 * minute);
    assert.equal(keeping.told("triedAgain").length, 0);
  });

  test("is tried again at SIGHUP, and told again if it still is", async () => {
    const { world } = keeping;
    await keeping.begin(accounts(2));
    keeping.member(0).account.isAlive = false;
    await world.step(hour);
    for (const times of [2, 3]) {
      world.signal("SIGHUP");
      await world.idle();
      assert.equal(keeping.told("refused").length, times);
    }
    assert.equal(keeping.told("triedAgain").length, 2);
  });

  for (const [who, refuse] of [
    ["the token endpoint", () => (keeping.member(0).account.isAlive = false)],
    [
      "the mail server",
      () => {
        const { secrets } = keeping.member(0).account;
        keeping.scene.imap.login = (token) => (secrets.includes(token) ? "refuse" : "accept");
      },
    ],
  ] as const) {
    test(`by ${who}: two processes that keep its file do not stir each other`, async () => {
      const { world, scene } = keeping;
      await keeping.begin(accounts(2), "--prove-every", "1h");
      const { answer } = scene.endpoint;
      const other = new Keeping(scene);
      other.put([]);
      const addresses = keeping.crowd.members.map(({ address }) => address);
      writeFileSync(other.crowd.list, addresses.join("\n"));
      scene.endpoint.answer = answer;
      scene.imap.login = () => "accept";
      await other.run("--prove-every", "1h");
      refuse();
      const { requests } = keeping.member(0);
      for (let passed = 0; passed < 180; passed += 1) {
        await world.step(minute);
        await other.world.step(minute);
      }
      for (const each of [keeping, other]) {
        const { length } = each.told("refused", addresses[0]);
        assert.ok(length >= 1 && length <= 2, `told ${length} times`);
      }
      // Each of them tries it three times more in that time.
      assert.ok(keeping.member(0).requests - requests <= 12, `${keeping.member(0).requests}`);
      await other.end();
    });
  }

  test("does not end it later, however many they are, and all come back", async () => {
    const { world } = keeping;
    await keeping.begin(accounts(3));
    for (const { account } of keeping.crowd.members) account.isAlive = false;
    await world.step(24 * hour);
    assert.equal(keeping.result, undefined);
    assert.equal(keeping.told("refused").length, 3);
    assert.equal(keeping.told("nothingAlive").length, 0);
    for (const { account } of keeping.crowd.members) account.isAlive = true;
    await world.step(6 * hour);
    for (const member of keeping.crowd.members) {
      assert.ok(keeping.crowd.isGood(member.accessToken()), member.address);
    }
  });

  test("does not end it where at the beginning another one's server is away", async () => {
    const { world, scene } = keeping;
    keeping.put(accounts(2));
    const [one, two] = [keeping.member(0), keeping.member(1)];
    one.account.isAlive = false;
    const Expires = new Date(world.now()).toISOString();
    for (const { address: Account, account, tokenFile } of [one, two]) {
      writeNow(tokenFile, tokenFileText("ended", account.current, { Account, Expires }));
    }
    const normal = scene.endpoint.answer;
    scene.endpoint.answer = (request, sent) =>
      request.get("refresh_token") === two.account.current ? busy : normal(request, sent);
    await keeping.run();
    two.account.isAlive = false;
    scene.endpoint.answer = normal;
    await world.step(hour);
    assert.equal(keeping.told("refused").length, 2);
    assert.equal(keeping.result, undefined);
  });

  test("ends it with 77 when at the beginning there is no other", async () => {
    const { world } = keeping;
    keeping.put(accounts(2));
    rmSync(keeping.member(0).tokenFile);
    const { tokenFile, account, address: Account } = keeping.member(1);
    account.isAlive = false;
    const Expires = new Date(world.now()).toISOString();
    writeNow(tokenFile, tokenFileText("ended", account.current, { Account, Expires }));
    await keeping.run();
    assert.equal(keeping.result?.status, 77);
    assert.equal(keeping.told("refused").length, 2);
    assert.equal(keeping.told("nothingAlive").length, 1);
    const last = keeping.result?.stdout.trim().split("\n").at(-1) ?? "";
    assert.equal(JSON.parse(last).error.exitStatus, 77);
    assert.match(
      world.written.stderr,
      /every account needs somebody: there is nothing to keep fresh/,
    );
  });

  test("for want of a file is told with the command, and noticed when that appears", async () => {
    const { world } = keeping;
    keeping.put(accounts(2));
    rmSync(keeping.member(0).tokenFile);
    await keeping.run();
    const [refused] = keeping.told("refused");
    assert.match(refused?.message ?? "", /there are no tokens in .*user0@example\.test\.txt/);
    const { commands } = errorOf(refused);
    assert.match(commands[0] ?? "", /^mxtoken user0@example\.test /);
    assert.match(world.written.stderr, /^ {2}mxtoken user0@example\.test /m);
    assert.match(refused?.message ?? "", /; nothing is tried before its token file changes$/);
    assert.equal(refused?.next, undefined);
    await world.step(13 * hour);
    assert.equal(keeping.told("refused").length, 1);
    assert.equal(keeping.member(0).requests, 0);
    signIn();
    await world.step(minute);
    assert.equal(keeping.told("triedAgain").length, 1);
    assert.equal(keeping.told("proven", keeping.member(0).address).length, 1);
  });

  test("when the file appears in the middle of the turn that finds none", async () => {
    const { world, scene } = keeping;
    keeping.put(accounts(2));
    const { tokenFile } = keeping.member(0);
    const made = join(scene.directory, "made.txt");
    writeFileSync(made, readFileSync(tokenFile));
    rmSync(tokenFile);
    // What HTTPS_PROXY says is asked for after the file was looked for.
    const appear = () => {
      if (!existsSync(tokenFile)) copyFileSync(made, tokenFile);
      return undefined;
    };
    Object.defineProperty(world.env, "https_proxy", { get: appear });
    writeFileSync(
      keeping.crowd.list,
      `${keeping.member(0).address} --flow code\n${keeping.member(1).address}`,
    );
    await keeping.run();
    assert.equal(keeping.told("refused").length, 1);
    await world.step(2 * minute);
    assert.equal(keeping.told("triedAgain").length, 1);
    assert.equal(keeping.told("proven", keeping.member(0).address).length, 1);
  });

  test("not for a secret's source that is not there yet", async () => {
    const { world, scene } = keeping;
    keeping.put(accounts(1));
    const secret = join(scene.directory, "secret.txt");
    await keeping.run("--client-secret-command", `cat ${secret} 2>&1`);
    // Nobody asks for it before something is due.
    assert.deepEqual(keeping.told("failed"), []);
    await world.step(hour / 2 + minute);
    const [failed] = keeping.told("failed");
    assert.match(
      failed?.message ?? "",
      /secret command ended with status 1; the old token, .* is kept; trying again at/,
    );
    assert.equal(keeping.result, undefined);
    writeFileSync(secret, "sesame\n");
    await world.step(2 * minute);
    assert.equal(keeping.told("refreshed").length, 1);
    assert.deepEqual(keeping.told("refused"), []);
  });

  test("at the refresh, although the old token still opened the mailbox", async () => {
    const { scene } = keeping;
    const smtp = await startSmtpPeer(scene.certificates);
    try {
      smtp.login = () => "refuse";
      keeping.put(accounts(2));
      for (const { account } of keeping.crowd.members) account.isAlive = false;
      await keeping.run("--verify", "imap,smtp", "--smtp-server", `localhost:${smtp.port}`);
      assert.equal(keeping.told("refused").length, 2);
      assert.equal(keeping.told("partlyRefused").length, 0);
      assert.equal(keeping.result?.status, 77);
    } finally {
      await smtp.close();
    }
  });

  test("a stored token that the mail server refuses before its end is replaced", async () => {
    const { scene, world } = keeping;
    keeping.put(accounts(1));
    const old = keeping.member().accessToken();
    const judge = scene.imap.login;
    scene.imap.login = (token) => (token === old ? "refuse" : judge(token));
    await keeping.run();
    assert.equal(keeping.told("refused").length, 0);
    assert.equal(keeping.told("refreshed").length, 1);
    assert.notEqual(keeping.member().accessToken(), old);
    await world.step(2 * hour);
    assert.ok(keeping.crowd.isGood(keeping.member().accessToken()));
  });

  test("by SMTP while IMAP opens is told, and kept fresh all the same", async () => {
    const { scene, world } = keeping;
    const smtp = await startSmtpPeer(scene.certificates);
    try {
      smtp.login = () => "refuse";
      const servers = ["--smtp-server", `localhost:${smtp.port}`, "--verify", "imap,smtp"];
      await keeping.begin(accounts(1), ...servers);
      await world.step(3 * hour);
      assert.equal(keeping.told("refused").length, 0);
      const [told, ...more] = keeping.told("partlyRefused");
      assert.match(told?.message ?? "", /the mailbox opens, but localhost:\d+ refused the token/);
      assert.equal(told?.state, "fresh");
      assert.deepEqual(more, []);
      assert.ok(keeping.told("refreshed").length >= 4);
      assert.ok(keeping.crowd.isGood(keeping.member().accessToken()));
      await keeping.end();
    } finally {
      await smtp.close();
    }
  });

  test("by IMAP with a new token: its new refresh token is in the file, at every try", async () => {
    const { scene, world } = keeping;
    await keeping.begin(accounts(2));
    scene.imap.login = () => "refuse";
    await world.step(7 * hour);
    assert.equal(keeping.told("refused").length, 2);
    await world.step(12 * hour);
    assert.equal(keeping.told("refused").length, 2);
    assert.equal(keeping.result, undefined);
    for (const member of keeping.crowd.members) {
      assert.equal(member.refreshToken(), member.account.current);
      assert.ok(member.account.isAlive);
    }
  });
});

describe("what is told", () => {
  test("--json: a line for every event, with what is known of the account", async () => {
    const { world } = keeping;
    await keeping.begin(accounts(1));
    await world.step(hour);
    const [begun] = keeping.told("begun");
    assert.equal(begun?.message, "keeping 1 account fresh");
    assert.equal(begun?.["accounts"], 1);
    const [refreshed] = keeping.told("refreshed");
    const { address, tokenFile } = keeping.member();
    assert.equal(refreshed?.account, address);
    assert.equal(refreshed?.["tokenFile"], tokenFile);
    assert.equal(refreshed?.["provider"], "google");
    assert.equal(refreshed?.state, "fresh");
    const [time, next, expires] = [refreshed?.time, refreshed?.next, refreshed?.expires].map(
      (text) => Date.parse(text ?? ""),
    );
    assert.equal((expires ?? 0) - (time ?? 0), hour);
    assert.ok((next ?? 0) > (time ?? 0) && (next ?? 0) < (expires ?? 0));
    await keeping.end();
    assert.equal(keeping.told("stopping").length, 1);
  });

  test("--quiet: only what goes wrong", async () => {
    const { world, scene } = keeping;
    keeping.put(accounts(1));
    const { crowd } = keeping;
    const run = world.begin(["keep", "--list", crowd.list, ...scene.options, "--quiet"]);
    await world.step(hour);
    assert.deepEqual({ ...world.written }, { stdout: "", stderr: "" });
    scene.endpoint.answer = () => busy;
    await world.step(hour);
    assert.match(world.written.stderr, /^mxtoken: user0@example\.test: no new token now: /);
    world.signal("SIGINT");
    assert.equal((await run.ended).status, 130);
    assert.equal(world.written.stdout, "");
  });
});

describe("--status-file", () => {
  interface Status {
    readonly isRunning: boolean;
    readonly updated: string;
    readonly counts: Record<string, number>;
    readonly accounts: readonly { account: string; state: string; last?: { event: string } }[];
  }

  const path = () => join(keeping.scene.directory, "status.json");
  const read = () => JSON.parse(readFileSync(path(), "utf8")) as Status;

  test("is whole whenever it is read, and says at the end that nothing runs", async () => {
    const { world } = keeping;
    keeping.put(accounts(5, 600));
    keeping.member(0).account.isAlive = false;
    await keeping.run("--status-file", "status.json");
    let isOver = false;
    const states = new Set<string>();
    const contents = new Set<string>();
    const reader = (async () => {
      while (!isOver) {
        const status = read();
        assert.equal(status.isRunning, true);
        assert.equal(status.accounts.length, 5);
        for (const { state } of status.accounts) states.add(state);
        contents.add(status.updated);
        await new Promise((resolve) => setImmediate(resolve));
      }
    })();
    await world.step(2 * hour);
    isOver = true;
    await reader;
    assert.ok(contents.size > 20, `${contents.size} were seen`);
    assert.ok(states.has("fresh") && states.has("refused"), [...states].join());
    assert.deepEqual(read().counts, { waiting: 0, fresh: 4, retrying: 0, expired: 0, refused: 1 });
    await keeping.end();
    const last = read();
    assert.equal(last.isRunning, false);
    assert.equal(last.accounts[1]?.last?.event, "refreshed");
    const text = readFileSync(path(), "utf8");
    for (const secret of keeping.crowd.secrets()) assert.ok(!text.includes(secret));
  });

  test("in a directory that is not there: 73 at once, before anything is asked", async () => {
    await keeping.begin(accounts(1), "--status-file", "nowhere/status.json");
    assert.equal(keeping.result?.status, 73, keeping.world.written.stderr);
    assert.match(keeping.world.written.stderr, /cannot write .*nowhere\/status\.json/);
    assert.equal(keeping.scene.endpoint.requests.length, 0);
    assert.equal(keeping.scene.imap.logins.length, 0);
  });

  test("that cannot be written later is told once; the accounts go on, and it comes back", async () => {
    const { world, scene } = keeping;
    const directory = join(scene.directory, "status");
    mkdirSync(directory);
    await keeping.begin(accounts(1, 600), "--status-file", "status/status.json");
    const at = () => JSON.parse(readFileSync(join(directory, "status.json"), "utf8")) as Status;
    assert.equal(at().isRunning, true);
    rmSync(directory, { recursive: true });
    await world.step(hour);
    const [told, ...more] = keeping.told("statusNotWritten");
    assert.match(told?.message ?? "", /the status file is behind: .*status\.json/);
    assert.deepEqual(more, []);
    assert.ok(keeping.told("refreshed").length >= 10);
    mkdirSync(directory);
    await world.step(10 * minute);
    assert.equal(at().accounts[0]?.state, "fresh");
    rmSync(directory, { recursive: true });
    await world.step(10 * minute);
    assert.equal(keeping.told("statusNotWritten").length, 2, "a new trouble is told anew");
  });
});

describe("--on-event", () => {
  test("runs for every event in turn, with the three variables", async () => {
    const { world, scene } = keeping;
    const file = join(scene.directory, "heard.txt");
    const command = `printf '%s|%s|%s\\n' "$MXTOKEN_EVENT" "$MXTOKEN_ACCOUNT" "$MXTOKEN_MESSAGE" >> '${file}'`;
    keeping.put(accounts(2));
    const [one, two] = [keeping.member(0), keeping.member(1)];
    const Expires = new Date(world.now()).toISOString();
    const ended = tokenFileText("ended", two.account.current, { Account: two.address, Expires });
    writeNow(two.tokenFile, ended);
    await keeping.run("--on-event", command);
    writeFileSync(keeping.crowd.list, `${one.address}\n${two.address} --frobnicate\n`);
    world.signal("SIGHUP");
    await world.idle();
    await keeping.end();
    const heard = readFileSync(file, "utf8").trim().split("\n");
    const told = keeping.events
      .filter(({ event }) => event !== "ended")
      .map(({ event, account = "", message }) => `${event}|${account}|${message}`);
    assert.deepEqual(heard, told);
    for (const begin of [
      "begun||keeping 2 accounts fresh",
      `proven|${one.address}|${one.address}: the stored token is good until`,
      `refreshed|${two.address}|${two.address}: a new token, good until`,
      "listNotRead||the accounts stay as they were",
      "stopping||stopping",
    ]) {
      assert.ok(
        heard.some((line) => line.startsWith(begin)),
        `${begin} is not in ${heard.join("\n")}`,
      );
    }
  });

  test("a command that fails is told once, and stops nothing", async () => {
    const { world } = keeping;
    await keeping.begin(accounts(1, 600), "--on-event", "exit 3");
    // A real process ends in its own time, and the clock here does not wait for it.
    await world.shown("the command of --on-event failed");
    await world.step(2 * hour);
    assert.ok(keeping.told("refreshed").length > 20);
    await keeping.end();
    const [told, ...more] = keeping.told("commandFailed");
    assert.match(told?.message ?? "", /it ended with status 3/);
    assert.deepEqual(more, []);
  });

  test("a command that hangs is ended after a minute, told once, and stops nothing", async () => {
    const { world } = keeping;
    await keeping.begin(accounts(1, 600), "--on-event", "exec sleep 1000");
    await world.step(2 * minute);
    await world.shown("it took over a minute and was ended");
    await world.step(2 * hour);
    assert.ok(keeping.told("refreshed").length > 20);
    assert.equal(keeping.told("commandFailed").length, 1);
    const ended = keeping.end();
    await world.shown("stopping");
    await untilEnded(() => world.tick(10 * second));
    assert.equal((await ended).status, 143);
  });

  test("a command that hangs does not keep it from ending within 10 seconds", async () => {
    const { world } = keeping;
    await keeping.begin(accounts(3), "--on-event", "exec sleep 1000");
    const ended = keeping.end();
    await world.shown("stopping");
    // What is being done is not waited for by the clock: only the deadline is.
    await new Promise((resolve) => setImmediate(resolve));
    const before = world.trueNow();
    await untilEnded(() => world.tick(second));
    assert.ok(world.trueNow() - before <= 11 * second, `${world.trueNow() - before}`);
    assert.equal((await ended).status, 143);
  });

  /** Lets time pass while real processes come to their end. */
  async function untilEnded(pass: () => void): Promise<void> {
    while (keeping.result === undefined) {
      pass();
      for (let turn = 0; turn < 200 && keeping.result === undefined; turn += 1) {
        await new Promise((resolve) => setImmediate(resolve));
      }
    }
  }
});

test("whose token has ended is seen to first, wherever it is named, and then whose ends first", async () => {
  keeping.put(accounts(4));
  const ends = [3 * minute, 2 * minute, minute, -minute];
  for (const [index, ms] of ends.entries()) {
    const { tokenFile } = keeping.member(index);
    const [issued, end] = [-hour, ms].map((each) => new Date(keeping.world.now() + each));
    const text = readFileSync(tokenFile, "utf8")
      .replace(/^# Issued: .*$/m, `# Issued: ${issued?.toISOString()}`)
      .replace(/^# Expires: .*$/m, `# Expires: ${end?.toISOString()}`);
    writeFileSync(tokenFile, text);
  }
  await keeping.run("--concurrency", "1");
  const order = keeping.told("refreshed").map(({ account }) => account);
  assert.deepEqual(
    order,
    [3, 2, 1, 0].map((index) => keeping.member(index).address),
  );
});

describe("SIGHUP", () => {
  test("reads the list again: who is new is begun, who is gone is left, the others keep their state", async () => {
    const { world, scene } = keeping;
    keeping.put(accounts(3));
    const [one, two, three] = [0, 1, 2].map((index) => keeping.member(index).address);
    writeFileSync(keeping.crowd.list, `${one}\n${two}\n`);
    await keeping.run();
    await world.step(hour);
    const logins = scene.imap.logins.length;
    assert.equal(keeping.member(2).requests, 0);
    const { requests } = keeping.member(0);
    writeFileSync(keeping.crowd.list, `${two}\n${three}\n`);
    world.signal("SIGHUP");
    await world.idle();
    const [read] = keeping.told("listRead");
    assert.equal(read?.message, "read the accounts again: 2 accounts, 1 new, 1 gone");
    assert.equal(scene.imap.logins.length, logins + 1, "only the new one is proven");
    assert.equal(scene.imap.logins.at(-1)?.user, three);
    await world.step(3 * hour);
    assert.equal(keeping.member(0).requests, requests, "the one that is gone is left alone");
    for (const index of [1, 2]) {
      assert.ok(keeping.crowd.isGood(keeping.member(index).accessToken()));
    }
  });

  test("a list that is wrong, or away, leaves everything as it was", async () => {
    const { world } = keeping;
    await keeping.begin(accounts(2));
    writeFileSync(keeping.crowd.list, "user0@example.test --frobnicate\n");
    world.signal("SIGHUP");
    await world.idle();
    assert.match(
      keeping.told("listNotRead")[0]?.message ?? "",
      /the accounts stay as they were: .*accounts\.txt:1: "--frobnicate"/,
    );
    rmSync(keeping.crowd.list);
    world.signal("SIGHUP");
    await world.idle();
    assert.match(keeping.told("listNotRead")[1]?.message ?? "", /it does not exist/);
    await world.step(hour);
    for (const { address } of keeping.crowd.members) {
      assert.ok(keeping.told("refreshed", address).length > 0);
    }
    assert.equal(keeping.result, undefined);
  });

  test("other options of an account make it another one", async () => {
    const { world, scene } = keeping;
    await keeping.begin(accounts(2));
    const logins = scene.imap.logins.length;
    writeFileSync(keeping.crowd.list, "user0@example.test --verify none\nuser1@example.test\n");
    world.signal("SIGHUP");
    await world.idle();
    assert.match(keeping.told("listRead")[0]?.message ?? "", /2 accounts, 1 new, 1 gone/);
    await world.step(7 * hour);
    assert.equal(scene.imap.logins.length, logins + 1);
    for (const member of keeping.crowd.members) assert.ok(!member.account.isReused);
  });
});

describe("other kinds of accounts", () => {
  test("an application's own: a token from the first moment, and a new one in time", async () => {
    const { scene, world } = keeping;
    keeping.put(accounts(0));
    const issued: string[] = [];
    scene.endpoint.answer = (request) => {
      assert.equal(request.get("grant_type"), "client_credentials");
      assert.equal(request.get("client_secret"), "the-secret-of-the-app");
      issued.push(`access-${issued.length}-of-the-application`);
      const body = { access_token: issued.at(-1), token_type: "Bearer", expires_in: 3600 };
      return { status: 200, body };
    };
    scene.imap.login = (token) => (issued.at(-1) === token ? "accept" : "refuse");
    writeFileSync(join(scene.directory, "secret.txt"), "the-secret-of-the-app\n");
    writeFileSync(keeping.crowd.list, "foo@example.test --flow client-credentials\n");
    await keeping.run("--client-secret-file", join(scene.directory, "secret.txt"));
    assert.equal(scene.lines().accessToken, issued[0]);
    assert.match(keeping.told("refreshed")[0]?.message ?? "", /proven by IMAP login/);
    await world.step(5 * hour);
    assert.ok(issued.length >= 10 && issued.length <= 13, `${issued.length}`);
    assert.deepEqual(scene.lines(), { accessToken: issued.at(-1), refreshToken: "" });
    assert.equal(scene.imap.logins.length, 1);
    await keeping.end();
    const { stdout, stderr } = world.written;
    for (const secret of [...issued, "the-secret-of-the-app"]) {
      assert.ok(!stdout.includes(secret) && !stderr.includes(secret));
    }
  });

  test("a service account's", async () => {
    const { scene, world } = keeping;
    keeping.put(accounts(0));
    const server = await startJwtBearerServer(scene.certificates);
    try {
      server.now = world.trueNow;
      const account = newAccount("mail");
      server.accounts.push(account);
      server.users.add("foo@example.test");
      scene.imap.login = (token) => (server.secrets.includes(token) ? "accept" : "refuse");
      const key = writeKeyFile(scene.directory, account, { token_uri: server.endpoint.uri });
      writeFileSync(
        keeping.crowd.list,
        `foo@example.test --service-account-key '${key}' --token-uri ${server.endpoint.uri} --client-id ${account.clientId}\n`,
      );
      await keeping.run();
      await world.step(5 * hour);
      assert.equal(keeping.told("refused").length, 0, world.written.stderr);
      assert.ok(
        server.claims.length >= 10 && server.claims.length <= 13,
        `${server.claims.length}`,
      );
      assert.ok(server.secrets.includes(scene.lines().accessToken ?? ""));
      assert.equal(scene.imap.logins.length, 1);
      await keeping.end();
      for (const secret of server.secrets) assert.ok(!world.written.stdout.includes(secret));
    } finally {
      await server.close();
    }
  });

  test("the same address at two providers: two files, two accounts, two names", async () => {
    const { scene, world } = keeping;
    keeping.put(accounts(2));
    const address = "foo@example.test";
    const files = [
      ["google", scene.tokenFile],
      ["office365", scene.tokenFile.replace(/\.txt$/, "_office365.txt")],
    ] as const;
    for (const [index, [Provider, path]] of files.entries()) {
      const member = keeping.member(index);
      const Expires = new Date(world.now() + hour).toISOString();
      const notes = { Account: address, Provider, Expires };
      const text = tokenFileText(member.accessToken() ?? "", member.account.current, notes);
      writeFileSync(path, text);
      chmodSync(path, 0o600);
    }
    writeFileSync(
      keeping.crowd.list,
      `${address} --provider google\n${address} --provider office365\n`,
    );
    await keeping.run();
    await world.step(3 * hour);
    assert.equal(keeping.told("refused").length, 0, world.written.stderr);
    for (const [index, [provider, path]] of files.entries()) {
      const { account } = keeping.member(index);
      const [accessToken = "", refreshToken] = readFileSync(path, "utf8").split("\n");
      assert.ok(account.secrets.includes(accessToken), provider);
      assert.equal(refreshToken, account.current);
      assert.ok(keeping.crowd.isGood(accessToken));
      assert.ok(account.isAlive);
      assert.match(
        world.written.stderr,
        new RegExp(`^mxtoken: foo@example\\.test \\(${provider}\\): a new token`, "m"),
      );
    }
  });
});

describe("the clock", () => {
  test("a machine that slept: what is over is refreshed within a minute", async () => {
    const { world } = keeping;
    await keeping.begin(accounts(1, 86_400));
    await world.step(10 * minute);
    world.suspend(24 * hour);
    await world.step(minute);
    assert.ok(keeping.crowd.isGood(keeping.member().accessToken()));
    assert.equal(keeping.told("refreshed").length, 1);
    assert.match(
      keeping.told("clockSet")[0]?.message ?? "",
      /slept for 24 hours, or the clock was set ahead/,
    );
  });

  for (const [life, share] of [
    [3600, "50%"],
    [7200, "95%"],
    [86_400, "95%"],
    [300, "95%"],
  ] as const) {
    test(`set back, again and again, by any time: tokens of ${life} s, at ${share}`, async () => {
      const { world } = keeping;
      await keeping.begin(accounts(3, life), "--refresh-at", share);
      for (const part of [0.9, 0.05, 0.5, 0.3, 0.7, 0.1, 0.95, 0.2]) {
        await world.step(part * life * second);
        world.setClock(-((1 - part) * life * second + minute));
        for (let passed = 0; passed < life * second; passed += (life * second) / 50) {
          await world.step((life * second) / 50);
          for (const member of keeping.crowd.members) {
            assert.ok(keeping.crowd.isGood(member.accessToken()), `${part}: ${member.address}`);
          }
        }
      }
    });
  }
});

describe("another process", () => {
  test("that has refreshed meanwhile: its token is used, and nothing is asked", async () => {
    const { world } = keeping;
    await keeping.begin(accounts(1));
    const { tokenFile, account, address } = keeping.member();
    await world.step(20 * minute);
    const answer = keeping.scene.endpoint.answer(
      new URLSearchParams({ refresh_token: account.current }),
      { method: "POST", path: "/token", authorization: undefined },
    );
    assert.ok(!(answer instanceof Promise) && answer !== "drop" && typeof answer.body === "object");
    const access = String(Reflect.get(answer.body, "access_token"));
    const Expires = new Date(world.now() + hour).toISOString();
    writeNow(tokenFile, tokenFileText(access, account.current, { Account: address, Expires }));
    const { requests } = keeping.member();
    await world.step(15 * minute);
    assert.equal(keeping.member().requests, requests);
    assert.equal(keeping.member().accessToken(), access);
    assert.equal(keeping.told("refreshedElsewhere").length, 1);
    await world.step(2 * hour);
    assert.ok(keeping.crowd.isGood(keeping.member().accessToken()));
    assert.ok(account.isAlive);
  });

  test("that is refreshing at this very moment is waited for, and nothing is asked twice", async () => {
    const { world, scene } = keeping;
    await keeping.begin(accounts(1));
    const { answer } = scene.endpoint;
    const { address, account } = keeping.member();
    const other = new Keeping(scene);
    other.put([]);
    writeFileSync(other.crowd.list, address);
    scene.imap.login = () => "accept";
    await other.run("--verbose");
    let isThere = false;
    let release = () => {};
    const isReleased = new Promise<void>((resolve) => {
      release = resolve;
    });
    scene.endpoint.answer = async (...request) => {
      isThere = true;
      await isReleased;
      return answer(...request);
    };
    const stepped = world.step(31 * minute);
    await world.until(() => isThere);
    const othersStep = other.world.step(31 * minute);
    await other.world.shown("waiting for another process");
    release();
    await world.until(() => keeping.told("refreshed").length === 1);
    other.world.tick(second);
    await Promise.all([stepped, othersStep]);
    assert.equal(keeping.member().requests, 1);
    assert.equal(other.told("refreshed").length, 0);
    assert.equal(other.told("refreshedElsewhere").length, 1);
    assert.ok(account.isAlive);
    await other.end();
  });
});

test("a long round without anything to do is not in the way of a signal", async () => {
  const { world, scene } = keeping;
  keeping.put(accounts(1000));
  const status = join(scene.directory, "status.json");
  const running = keeping.run("--verify", "none", "--status-file", status);
  while (!existsSync(status)) await new Promise((resolve) => setImmediate(resolve));
  world.signal("SIGTERM");
  await running;
  assert.equal((await keeping.end()).status, 143);
  const { counts } = JSON.parse(readFileSync(status, "utf8"));
  assert.ok(counts.waiting > 500, JSON.stringify(counts));
});

describe("the command line", () => {
  for (const [args, status, words] of [
    [[], 64, /no mailbox address was given, and no --list/],
    [["foo@example.test", "--every", "10s"], 64, /--every: a minute is the least/],
    [["foo@example.test", "--every", "soon"], 64, /is no length of time/],
    [["foo@example.test", "--prove-every", "0"], 64, /--prove-every: a minute is the least/],
    [["foo@example.test", "--refresh-at", "0%"], 64, /is no share of a life/],
    [["foo@example.test", "--refresh-at", "96%"], 64, /is no share of a life/],
    [["foo@example.test", "--refresh-at", "0.5"], 64, /is no share of a life/],
    [["foo@example.test", "--concurrency", "0"], 64, /is not a number from 1 to 1000/],
    [["foo@example.test", "bar@example.test", "--token-file", "a.txt"], 64, /is for one account/],
    [["--list", "missing.txt"], 65, /cannot read .*missing\.txt/],
    [["foo"], 64, /is not a mailbox address/],
  ] as const) {
    test(`keep ${args.join(" ")}: ${status}`, async () => {
      const run = keeping.world.begin(["keep", ...args]);
      const result = await run.ended;
      assert.equal(result.status, status, result.stderr);
      assert.match(result.stderr, words);
      assert.equal(result.stdout, "");
    });
  }

  test("--every is an upper bound, and --refresh-at a share", async () => {
    const { world } = keeping;
    await keeping.begin(accounts(1, 86_400), "--every", "30m");
    await world.step(5 * hour);
    assert.ok(keeping.member().requests >= 10 && keeping.member().requests <= 12);
    await keeping.end();
  });

  test("--refresh-at 80%: of an hour, after 43 to 48 minutes", async () => {
    const { world } = keeping;
    await keeping.begin(accounts(1), "--refresh-at", "80%");
    await world.step(43 * minute);
    assert.equal(keeping.member().requests, 0);
    await world.step(6 * minute);
    assert.equal(keeping.member().requests, 1);
  });

  test("addresses on the command line and in the list are kept together", async () => {
    const { world, scene } = keeping;
    keeping.put(accounts(3));
    const { crowd } = keeping;
    const [one, two, three] = crowd.members.map(({ address }) => address);
    writeFileSync(crowd.list, `${two}\n${three}\n`);
    const run = world.begin(["keep", one ?? "", two ?? "", "--list", crowd.list, ...scene.options]);
    await world.step(40 * minute);
    assert.match(world.written.stderr, /keeping 3 accounts fresh/);
    for (const member of crowd.members) assert.equal(member.requests, 1);
    world.signal("SIGTERM");
    assert.equal((await run.ended).status, 143);
  });
});
