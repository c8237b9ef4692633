import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import {
  askAgainAt,
  isFromTheFuture,
  longestNap,
  napUntil,
  type Policy,
  proveAgainAt,
  refreshAt,
  retryAt,
} from "../../src/keep/schedule.ts";

const second = 1000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;
const year = 365 * day;

const issuedAt = Date.parse("2026-11-20T12:00:00Z");
const usual: Policy = { share: 0.5, every: undefined, proveEvery: 6 * hour };

/** How long after its issue a token is refreshed, in ms. */
function wait(life: number | undefined, policy: Partial<Policy> = {}, random = 0): number {
  const expiresAt = life === undefined ? undefined : issuedAt + life;
  return refreshAt({ issuedAt, expiresAt }, { ...usual, ...policy }, random) - issuedAt;
}

const chance = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
const share = fc.integer({ min: 1, max: 95 }).map((percent) => percent / 100);
const life = fc.oneof(
  fc.integer({ min: 0, max: 10 * minute }),
  fc.integer({ min: 0, max: day }),
  fc.integer({ min: 0, max: 10 * year }),
);
const every = fc.option(fc.integer({ min: minute, max: day }), { nil: undefined });

describe("when a token is refreshed", () => {
  const cases: [string, number | undefined, Partial<Policy>, number][] = [
    ["an hour: at its half", hour, {}, 30 * minute],
    ["an hour, at 80 %", hour, { share: 0.8 }, 48 * minute],
    ["an hour, at 95 %: 5 minutes before its end", hour, { share: 0.95 }, 55 * minute],
    ["a day, at 1 %", day, { share: 0.01 }, day / 100],
    ["a day, with a bound", day, { every: 30 * minute }, 30 * minute],
    ["an hour, with a bound that is later", hour, { every: 2 * hour }, 30 * minute],
    ["years", 10 * year, {}, 5 * year],
    ["years, with a bound", 10 * year, { every: hour }, hour],
    ["nobody knows: as if it were an hour", undefined, {}, 30 * minute],
    ["nobody knows, with a bound", undefined, { every: 10 * minute }, 10 * minute],
    ["10 minutes: at its half", 10 * minute, { share: 0.95 }, 5 * minute],
    ["11 minutes, at 95 %: 5 minutes before its end", 11 * minute, { share: 0.95 }, 6 * minute],
    ["4 minutes: at its half, whatever the share", 4 * minute, { share: 0.95 }, 2 * minute],
    ["4 minutes, at 10 %", 4 * minute, { share: 0.1 }, 24 * second],
    ["a second", second, {}, 500],
    ["none at all", 0, {}, 0],
    ["ended before it was written", -hour, {}, 0],
  ];
  for (const [what, length, policy, expected] of cases) {
    test(what, () => assert.equal(Math.round(wait(length, policy)), expected));
  }

  test("chance makes it up to a tenth earlier", () => {
    assert.equal(wait(hour, {}, 0.5), 30 * minute * 0.95);
    assert.ok(wait(hour, {}, 0.999_999) > 27 * minute);
  });

  test("whatever the token and the policy: in its life, in time, and never later by chance", () => {
    fc.assert(
      fc.property(life, share, every, chance, (length, part, bound, random) => {
        const policy = { share: part, every: bound };
        const latest = wait(length, policy);
        const after = wait(length, policy, random);
        // A moment of today counts microseconds at best.
        assert.ok(after >= 0 && after <= latest + 0.001, "chance makes it earlier only");
        assert.ok(after >= latest * 0.9 - 0.001, "and not by more than a tenth");
        assert.ok(latest <= length * part + 0.001, "at its share at the latest");
        assert.ok(latest <= (bound ?? Number.POSITIVE_INFINITY) + 0.001);
        const remains = length - latest;
        assert.ok(remains >= Math.min(5 * minute, length / 2) - 0.001, `${remains} ms remain`);
      }),
    );
  });

  test("a thousand accounts whose tokens were issued at once do not come at once", () => {
    const moments = Array.from({ length: 1000 }, (_, index) => wait(hour, {}, index / 1000));
    const atOnce = Math.max(
      ...Array.from({ length: 30 }, (_, index) => {
        const begin = index * minute;
        return moments.filter((moment) => moment > begin && moment <= begin + minute).length;
      }),
    );
    assert.ok(atOnce < 400, `${atOnce} in a minute`);
  });
});

describe("when a token is proven again", () => {
  test("after its time, or up to a tenth earlier", () => {
    assert.equal(proveAgainAt(issuedAt, usual, 0) - issuedAt, 6 * hour);
    fc.assert(
      fc.property(chance, fc.integer({ min: minute, max: day }), (random, proveEvery) => {
        const after = proveAgainAt(issuedAt, { ...usual, proveEvery }, random) - issuedAt;
        assert.ok(after <= proveEvery && after >= proveEvery * 0.9 - 0.001);
      }),
    );
  });
});

describe("when a server that was not reachable is tried again", () => {
  const after = (failures: number, retryAfter?: number, random = 0) =>
    retryAt(issuedAt, failures, retryAfter, random) - issuedAt;

  test("after 10 s, twice as long each time, and at most 5 minutes", () => {
    const delays = [1, 2, 3, 4, 5, 6, 7, 1000, 1_000_000].map((failures) => after(failures));
    const expected = [10, 20, 40, 80, 160, 300, 300, 300, 300];
    assert.deepEqual(
      delays,
      expected.map((seconds) => seconds * second),
    );
  });

  test("chance takes off up to a half", () => {
    assert.equal(after(1, undefined, 0.5), 7500);
    assert.equal(after(9, undefined, 0.5), 225 * second);
  });

  test("never before the server wants it, except one that wants more than a day", () => {
    assert.equal(after(1, 600), 600 * second);
    assert.equal(after(1, 3), 10 * second);
    assert.equal(after(1, 0), 10 * second);
    assert.equal(after(1, 10 * 24 * 3600), day);
  });

  test("whatever the failures and the server's wish: within the bounds", () => {
    const asked = fc.option(fc.nat({ max: 999_999_999 }), { nil: undefined });
    const failures = fc.integer({ min: 1, max: 1_000_000 });
    fc.assert(
      fc.property(failures, asked, chance, (count, retryAfter, random) => {
        const delay = after(count, retryAfter, random);
        const wanted = Math.min((retryAfter ?? 0) * second, day);
        assert.ok(delay >= wanted, "Retry-After is not undercut");
        assert.ok(delay >= 5 * second, "no hammering");
        assert.ok(delay <= Math.max(5 * minute, wanted * 1.1) + 0.001, "and not for ever");
      }),
    );
  });
});

describe("when a server that has refused is asked again", () => {
  const after = (refusals: number, retryAfter?: number, random = 0) =>
    askAgainAt(issuedAt, refusals, retryAfter, random) - issuedAt;

  test("after 15 minutes, twice as long each time, and at most 6 hours", () => {
    const delays = [1, 2, 3, 4, 5, 6, 7, 1000, 1_000_000].map((refusals) => after(refusals));
    const expected = [15, 30, 60, 120, 240, 360, 360, 360, 360];
    assert.deepEqual(
      delays,
      expected.map((minutes) => minutes * minute),
    );
  });

  test("chance takes off up to a tenth", () => {
    assert.equal(after(1, undefined, 0.5), 15 * minute * 0.95);
    assert.ok(after(9, undefined, 0.999_999) > 6 * hour * 0.9 - 1);
  });

  test("never before the server wants it, except one that wants more than a day", () => {
    assert.equal(after(1, 3600), hour);
    assert.equal(after(1, 60), 15 * minute);
    assert.equal(after(9, 10 * 24 * 3600), day);
  });

  test("whatever the refusals and the server's wish: within the bounds", () => {
    const asked = fc.option(fc.nat({ max: 999_999_999 }), { nil: undefined });
    const refusals = fc.integer({ min: 1, max: 1_000_000 });
    fc.assert(
      fc.property(refusals, asked, chance, (count, retryAfter, random) => {
        const delay = after(count, retryAfter, random);
        const wanted = Math.min((retryAfter ?? 0) * second, day);
        assert.ok(delay >= wanted, "Retry-After is not undercut");
        assert.ok(delay >= 13.5 * minute - 0.001, "rarely");
        assert.ok(delay <= Math.max(6 * hour, wanted * 1.1) + 0.001, "and not never");
      }),
    );
  });
});

describe("a nap", () => {
  test("ends when something is due, after a minute at the latest, and is never negative", () => {
    assert.equal(napUntil(issuedAt + 10 * second, issuedAt), 10 * second);
    assert.equal(napUntil(issuedAt + hour, issuedAt), minute);
    assert.equal(napUntil(issuedAt - hour, issuedAt), 0);
    assert.equal(napUntil(Number.POSITIVE_INFINITY, issuedAt), minute);
    assert.equal(napUntil(issuedAt + hour, issuedAt, 10 * second), 10 * second);
    assert.equal(longestNap, minute);
  });

  test("whenever something is due", () => {
    fc.assert(
      fc.property(fc.integer(), fc.integer(), (next, now) => {
        const nap = napUntil(next, now);
        assert.ok(nap >= 0 && nap <= minute);
        assert.ok(now + nap <= Math.max(next, now), "nothing is slept over");
      }),
    );
  });
});

test("a time is from the future when it is over a minute later: clocks differ a little", () => {
  assert.ok(!isFromTheFuture(issuedAt, issuedAt));
  assert.ok(!isFromTheFuture(issuedAt + minute, issuedAt));
  assert.ok(isFromTheFuture(issuedAt + minute + 1, issuedAt));
});
