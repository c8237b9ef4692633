import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { request } from "node:https";
import { join } from "node:path";
import { after, before, beforeEach, describe, test } from "node:test";
import { Account, type Grant } from "../../scripts/torture/account.ts";
import { editFault } from "../../scripts/torture/edits.ts";
import { endpointFaults } from "../../scripts/torture/endpoint-faults.ts";
import { Evidence } from "../../scripts/torture/evidence.ts";
import { nameOf, planOf } from "../../scripts/torture/plan.ts";
import { Random } from "../../scripts/torture/random.ts";
import { TokenServer } from "../../scripts/torture/server.ts";
import { Tally } from "../../scripts/torture/tally.ts";
import { type Certificates, issueCertificates, temporaryDirectory } from "../scene/certificates.ts";
import type { LoggedCall } from "../scene/faults.ts";

// What `npm run torture` goes by: here nothing is tortured.

let directory: string;
let account: Account;
let grant: Grant;

beforeEach(() => {
  directory = temporaryDirectory();
  account = new Account("user0@example.test", join(directory, "tokens.txt"));
  [grant] = account.grants;
});

describe("chance", () => {
  const plans = (seed: string) =>
    Array.from({ length: 500 }, (_, round) => planOf(seed, round, "/tokens/*", new Map()));

  test("plans the same rounds for the same seed, and others for another", () => {
    assert.deepEqual(plans("one"), plans("one"));
    assert.notDeepEqual(plans("one"), plans("two"));
  });

  test("plans faults of every kind", () => {
    const kinds = new Set(plans("one").map(({ requests, program }) => requests ?? program?.is));
    for (const kind of [
      "endpoint",
      "edit",
      "planted",
      "signal",
      "call",
      "stop",
      "clock",
      "fullDisk",
    ]) {
      assert.ok(kinds.has(kind as "edit"), kind);
    }
    const names = plans("one").map(({ program }) => program && nameOf(program));
    assert.ok(new Set(names).size > 60);
  });

  test("kills at every call in turn", () => {
    const points = Array.from({ length: 20_000 }, (_, round) => {
      const { program } = planOf("one", round, "/tokens/*", new Map());
      return program?.is === "call" && program.rule.call === "*" ? program.rule.after : undefined;
    });
    for (let point = 0; point < 50; point += 1) assert.ok(points.includes(point), `${point}`);
  });

  test("is spread over all there is", () => {
    const random = new Random("one");
    const values = Array.from({ length: 4000 }, () => random.below(4));
    for (const each of [0, 1, 2, 3]) {
      const count = values.filter((value) => value === each).length;
      assert.ok(count > 900 && count < 1100, `${count}`);
    }
  });
});

describe("the token endpoint", () => {
  let certificates: Certificates;
  let server: TokenServer;
  before(async () => {
    certificates = await issueCertificates(temporaryDirectory());
    server = await TokenServer.start(certificates);
  });
  beforeEach(() => server.reset([account]));
  after(() => server.close());

  /** @returns the status, or undefined where no whole answer came */
  function refresh(token: string): Promise<number | undefined> {
    return new Promise((resolve) => {
      const sent = request(
        server.uri,
        { method: "POST", ca: certificates.ca, agent: false },
        (response) => {
          response.on("end", () => resolve(response.statusCode));
          response.on("error", () => resolve(undefined));
          response.resume();
        },
      );
      sent.on("error", () => resolve(undefined));
      sent.end(new URLSearchParams({ refresh_token: token }).toString());
    });
  }

  test("replaces a refresh token", async () => {
    const first = grant.current;
    assert.equal(await refresh(first), 200);
    assert.notEqual(grant.current, first);
    assert.ok(grant.rotation?.sentAt !== undefined && !grant.rotation.isCut);
  });

  test("revokes everything when a spent one comes back", async () => {
    assert.equal(await refresh(grant.spent), 400);
    assert.ok(!grant.isAlive);
    assert.equal(await refresh(grant.current), 400);
  });

  test("refuses one that it never gave, and that costs nobody anything", async () => {
    assert.equal(await refresh("of-somebody-else"), 400);
    assert.ok(grant.isAlive);
  });

  test("closes connections", async () => {
    server.refusals = 1;
    assert.equal(await refresh(grant.current), undefined);
    assert.equal(grant.refreshes, 0);
  });

  for (const fault of endpointFaults) {
    test(fault.name, async () => {
      account.fault = fault;
      const status = await refresh(grant.current);
      const isReplaced = grant.refreshes === 1;
      assert.ok(grant.isAlive && account.fault === undefined);
      if (fault.name.includes("replaced, and")) assert.ok(isReplaced && grant.rotation?.isCut);
      else if (isReplaced) assert.ok(status === 200 || status === 201, `${status}`);
      assert.equal(await refresh(grant.current), 200, "the next request is answered");
    });
  }
});

test("what somebody does to a token file is done to a file that is there", () => {
  const random = new Random("edits");
  for (let times = 0; times < 200; times += 1) {
    const fresh = new Account(
      "user0@example.test",
      join(temporaryDirectory(), "tokens", "file.txt"),
    );
    fresh.begin();
    const fault = editFault(random);
    assert.match(fault.name, /^edit: /);
    fault.before?.(fresh, fresh.grants[0]);
    fault.between?.(fresh, fresh.grants[0]);
    assert.equal(fault.violation?.(fresh), undefined, fault.name);
    fault.restore?.(fresh);
  }
});

describe("a token that is nowhere is lost", () => {
  const call = (name: string, at: bigint, more: Partial<LoggedCall> = {}): LoggedCall => ({
    at,
    pid: 1,
    call: name,
    action: "log",
    result: 0,
    error: 0,
    path: `/tokens/.${account.address}.tmp`,
    second: "",
    ...more,
  });
  const killed = (...calls: LoggedCall[]) => ({ signal: "SIGKILL" as const, calls: () => calls });
  const ended = (...calls: LoggedCall[]) => ({ signal: null, calls: () => calls });
  const rotate = (isCut = false) => {
    grant.rotation = { at: 100n, sentAt: 110n, isCut };
  };
  const reserved = () => call("sync", 50n);

  test("inside the window when the answer was cut", () => {
    rotate(true);
    assert.ok(new Evidence([ended(reserved())]).isInside(grant));
  });

  test("inside when whoever asked was killed before it was on the disk", () => {
    rotate();
    const failed = call("sync", 130n, { result: -1, error: 5 });
    for (const more of [[], [call("write", 120n)], [call("write", 120n), failed]]) {
      assert.ok(new Evidence([killed(reserved(), ...more)]).isInside(grant));
    }
  });

  test("outside when it was on the disk, and who asked was killed then", () => {
    rotate();
    const calls = [reserved(), call("write", 120n)];
    const late = call("sync", 130n, { action: "kill-after", result: undefined });
    assert.ok(!new Evidence([killed(...calls, call("sync", 130n))]).isInside(grant));
    assert.ok(!new Evidence([killed(...calls, late)]).isInside(grant));
    assert.equal(new Evidence([killed(...calls, late)]).savedAt(grant), 130n);
  });

  test("outside when nobody was killed, or only somebody who had not asked", () => {
    rotate();
    assert.ok(!new Evidence([ended(reserved())]).isInside(grant));
    assert.ok(!new Evidence([ended(reserved()), killed(call("sync", 10n))]).isInside(grant));
    assert.ok(!new Evidence([ended(reserved()), killed()]).isInside(grant));
  });

  test("outside when nothing was replaced", () => {
    assert.ok(!new Evidence([killed(reserved())]).isInside(grant));
  });
});

test("the summary counts", () => {
  const tally = new Tally();
  tally.fault("one", 2);
  tally.fate("one", "recovered", 1);
  tally.fate("one", "outside", 2);
  tally.fate("two", "inside", 3);
  tally.problem(4, "printed a token");
  for (const ms of [1, 2, 4.5]) tally.window(ms);
  const summary = tally.summary();
  assert.match(summary, /^2 faults \(2 kinds\), 3 accounts, 1 lost outside the window, 1 inside/);
  assert.match(summary, /window 2\.0 ms median, 4\.5 ms max/);
  assert.match(summary, /1 other problem/);
  assert.deepEqual(tally.examples(), [
    "inside: two: round 3",
    "outside: one: round 2",
    "printed a token: round 4",
  ]);
});

test("CONTRIBUTING.md names every kind", () => {
  const text = readFileSync("CONTRIBUTING.md", "utf8");
  for (const kind of [
    "endpoint",
    "edit",
    "planted",
    "signal",
    "call",
    "stop",
    "clock",
    "fullDisk",
  ]) {
    assert.ok(text.includes(`\`${kind}\``), kind);
  }
});
