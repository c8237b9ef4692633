import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import {
  afterEnd,
  type Decision,
  type Ended,
  imapsyncStatuses,
  type RestartPolicy,
} from "../../src/keep/schedule.ts";

const minute = 60_000;
const startedAt = Date.parse("2026-11-20T12:00:00Z");

/** imapsync, which has copied for an hour and a half, and whose token has been replaced meanwhile. */
const died: Ended = {
  status: 115,
  startedAt,
  endedAt: startedAt + 90 * minute,
  isTokenReplaced: true,
  isTokenOver: true,
  isAskedToEnd: false,
  restarts: 0,
};
const wanted: RestartPolicy = { isWanted: true, statuses: imapsyncStatuses, most: 500 };

describe("what follows from the end of a command", () => {
  const cases: [string, Partial<Ended>, Partial<RestartPolicy>, Decision][] = [
    ["its token had died", {}, {}, "restart"],
    ["the first side was refused at a later start", { status: 161 }, {}, "restart"],
    ["the second side was refused at a later start", { status: 162 }, {}, "restart"],
    ["it is done", { status: 0 }, {}, "over"],
    ["it failed for another reason", { status: 111 }, {}, "over"],
    ["it was killed", { status: 137 }, {}, "over"],
    ["its status is one that the person has named", { status: 7 }, { statuses: [7] }, "restart"],
    ["its status is one that the person has not named", {}, { statuses: [7] }, "over"],
    ["no status means a dead token", {}, { statuses: [] }, "over"],
    ["it was asked to end", { isAskedToEnd: true }, {}, "over"],
    [
      "it was asked to end, and is not wanted again",
      { isAskedToEnd: true },
      { isWanted: false },
      "over",
    ],
    ["nobody wants it again", {}, { isWanted: false }, "notWanted"],
    ["it ended at once", { endedAt: startedAt }, {}, "noProgress"],
    ["it ended within a minute", { endedAt: startedAt + minute - 1 }, {}, "noProgress"],
    ["it ended after a minute", { endedAt: startedAt + minute }, {}, "restart"],
    ["it was refused at the start", { status: 161, endedAt: startedAt + 3000 }, {}, "noProgress"],
    ["the clock was set back meanwhile", { endedAt: startedAt - 1 }, {}, "noProgress"],
    [
      "it ended within a minute, and nobody wants it again",
      { endedAt: startedAt },
      { isWanted: false },
      "noProgress",
    ],
    ["its token was replaced before its end", { isTokenOver: false }, {}, "restart"],
    ["its token is over, and there is no other", { isTokenReplaced: false }, {}, "restart"],
    [
      "its token is still the same",
      { isTokenReplaced: false, isTokenOver: false },
      {},
      "sameToken",
    ],
    [
      "its token is still the same, and it ended at once",
      { isTokenReplaced: false, isTokenOver: false, endedAt: startedAt },
      {},
      "sameToken",
    ],
    [
      "its token is still the same, and nobody wants it again",
      { isTokenReplaced: false, isTokenOver: false },
      { isWanted: false },
      "sameToken",
    ],
    ["it was started again once less than allowed", { restarts: 499 }, {}, "restart"],
    ["it was started again as often as allowed", { restarts: 500 }, {}, "tooOften"],
    ["it was started again once, which is allowed once", { restarts: 1 }, { most: 1 }, "tooOften"],
  ];
  for (const [what, ended, policy, decision] of cases) {
    test(`${what}: ${decision}`, () => {
      assert.equal(afterEnd({ ...died, ...ended }, { ...wanted, ...policy }), decision);
    });
  }
});

test("a restart is always wanted, has a fresh token, had progress, and an end", () => {
  const ended: fc.Arbitrary<Ended> = fc
    .record({
      status: fc.oneof(fc.constantFrom(0, 7, 115, 143, 161, 162), fc.integer({ min: 0, max: 255 })),
      lived: fc.oneof(fc.integer({ min: -10, max: 2 * minute }), fc.integer()),
      isTokenReplaced: fc.boolean(),
      isTokenOver: fc.boolean(),
      isAskedToEnd: fc.boolean(),
      restarts: fc.nat(600),
    })
    .map(({ lived, ...rest }) => ({ ...rest, startedAt, endedAt: startedAt + lived }));
  const policy: fc.Arbitrary<RestartPolicy> = fc.record({
    isWanted: fc.boolean(),
    statuses: fc.array(fc.constantFrom(7, 115, 161, 162)),
    most: fc.nat(600),
  });
  fc.assert(
    fc.property(ended, policy, (end, how) => {
      const isAgain = afterEnd(end, how) === "restart";
      const isDue =
        how.isWanted &&
        how.statuses.includes(end.status) &&
        (end.isTokenReplaced || end.isTokenOver) &&
        !end.isAskedToEnd &&
        end.endedAt - end.startedAt >= minute &&
        end.restarts < how.most;
      assert.equal(isAgain, isDue);
    }),
    { numRuns: 2000 },
  );
});
