import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { type ErrorCode, Interrupted, MxtokenError } from "../../src/errors.ts";
import {
  type AccountState,
  clockWasSetBack,
  due,
  expired,
  isWorthATry,
  newState,
  nextAt,
  pictureOf,
  proven,
  type Settled,
  stateOf,
  tryAgain,
} from "../../src/keep/account-state.ts";
import type { Moment } from "../../src/keep/schedule.ts";
import { settle } from "../../src/keep/settle.ts";
import type { Finding } from "../../src/mail-server.ts";
import type { Turn } from "../../src/tasks/turn.ts";
import { copied } from "../scene/json-engine.ts";

const second = 1000;
const minute = 60 * second;
const hour = 60 * minute;
const start = Date.parse("2026-11-20T12:00:00Z");

/** The middle of chance, unless it is another. */
function at(now: number, chance = 0.5): Moment {
  const policy = { share: 0.5, every: undefined, proveEvery: 6 * hour };
  return { now, policy, random: () => chance };
}

const account = {
  settings: { verify: ["imap"] },
  signInCommand: () => "mxtoken foo@example.test",
} as const;

const identity = { tokens: "both", accessToken: "first" };
const old = { issuedAt: start - 10 * minute, expiresAt: start + 50 * minute };
const fresh = { issuedAt: start, expiresAt: start + hour };
const login = { host: "imap.example.test", port: 993, user: "foo@example.test" };
const accepted: Finding = {
  ...login,
  ...{ probe: "imap", result: "accepted", mechanism: "XOAUTH2", folders: 1, messages: 2 },
};
const notAccepted = (
  result: "refused" | "unreachable",
  probe: "imap" | "smtp" = "imap",
): Finding => ({
  ...login,
  probe,
  result,
  reason: "as the server says",
});

/** A turn that has found nothing to do, but for what is said otherwise. */
function turn(changes: Partial<Turn> = {}): Turn {
  return {
    tokenFile: "/tokens/foo.txt",
    provider: "google",
    server: "oauth.example.test",
    isLookedAt: true,
    life: old,
    identity,
    isAskable: true,
    isRenewed: false,
    findings: undefined,
    error: undefined,
    ...changes,
  };
}

const failure = (code: ErrorCode, changes: Partial<Turn> = {}) =>
  turn({
    error: new MxtokenError(code, `${code}, ${changes.findings?.length ?? 0} logins`),
    ...changes,
  });

/** Every kind of end that a turn may come to. */
const turns = {
  "nothing to do": turn(),
  proven: turn({ findings: [accepted] }),
  renewed: turn({ life: fresh, isRenewed: true }),
  "renewed and proven": turn({ life: fresh, isRenewed: true, findings: [accepted] }),
  "another's token": turn({ life: fresh }),
  interrupted: turn({ error: new Interrupted("SIGTERM") }),
  unreachable: failure("unreachable"),
  "not understood": failure("notUnderstood"),
  unwritable: failure("unwritable"),
  defect: turn({ error: new TypeError("no property of undefined") }),
  "what is no error": turn({ error: "a text" }),
  "wrong setting": failure("configuration"),
  "secret away": turn({ error: new MxtokenError("unreadable", "away", { mayPass: true }) }),
  "refused grant": failure("signInNeeded"),
  "no tokens": failure("signInNeeded", { life: undefined, identity: undefined, isAskable: false }),
  "refused application": failure("applicationRefused"),
  "refused by IMAP": failure("mailboxRefused", { findings: [notAccepted("refused")] }),
  "another's mailbox": failure("wrongAccount", { findings: [accepted] }),
  "refused by SMTP": failure("mailboxRefused", {
    findings: [accepted, notAccepted("refused", "smtp")],
  }),
  "IMAP away": failure("unreachable", { findings: [notAccepted("unreachable")] }),
  "renewed, IMAP away": failure("unreachable", {
    life: fresh,
    isRenewed: true,
    findings: [notAccepted("unreachable")],
  }),
} as const satisfies Record<string, Turn>;

function after(former: AccountState, ...names: readonly (keyof typeof turns)[]): AccountState {
  return names.reduce(
    (state, name) => settle(state, turns[name], account, at(start)).state,
    former,
  );
}

const begun = newState("foo");
const formers = {
  new: begun,
  fresh: after(begun, "proven"),
  retrying: after(begun, "proven", "unreachable"),
  refused: after(begun, "proven", "refused grant"),
  "refused by IMAP": after(begun, "proven", "refused by IMAP"),
  waiting: after(begun, "no tokens"),
} as const satisfies Record<string, AccountState>;

/**
 * What is told, how the account then stands, and after how many seconds its next turn is due; by how it
 * stood.
 */
const table = `
                    | new                      | fresh                         | retrying                      | refused                  | refused by IMAP          | waiting
nothing to do       | - fresh 1                | - fresh 1110                  | worksAgain fresh 7.5          | worksAgain fresh 855     | worksAgain fresh 855     | worksAgain fresh 1110
proven              | proven fresh 1110        | proven fresh 1110             | proven fresh 7.5              | proven fresh 1110        | proven fresh 1110        | proven fresh 1110
renewed             | refreshed fresh 1        | refreshed fresh 1710          | refreshed fresh 1710          | refreshed fresh 855      | refreshed fresh 855      | refreshed fresh 1710
renewed and proven  | refreshed fresh 1710     | refreshed fresh 1710          | refreshed fresh 1710          | refreshed fresh 1710     | refreshed fresh 1710     | refreshed fresh 1710
another's token     | - fresh 1                | refreshedElsewhere fresh 1710 | refreshedElsewhere fresh 1710 | worksAgain fresh 855     | worksAgain fresh 855     | worksAgain fresh 1710
interrupted         | - fresh 1                | - fresh 1110                  | - retrying 7.5                | - refused 855            | - refused 855            | - refused 1110
unreachable         | unreachable retrying 7.5 | unreachable retrying 7.5      | - retrying 15                 | - refused 7.5            | - refused 7.5            | - refused 7.5
not understood      | failed retrying 7.5      | failed retrying 7.5           | failed retrying 15            | - refused 7.5            | - refused 7.5            | - refused 7.5
unwritable          | failed retrying 7.5      | failed retrying 7.5           | failed retrying 15            | - refused 7.5            | - refused 7.5            | - refused 7.5
defect              | failed retrying 7.5      | failed retrying 7.5           | failed retrying 15            | - refused 7.5            | - refused 7.5            | - refused 7.5
what is no error    | failed retrying 7.5      | failed retrying 7.5           | failed retrying 15            | - refused 7.5            | - refused 7.5            | - refused 7.5
wrong setting       | refused refused 855      | failed retrying 7.5           | failed retrying 15            | - refused 7.5            | - refused 7.5            | refused refused 1710
secret away         | failed retrying 7.5      | failed retrying 7.5           | failed retrying 15            | - refused 7.5            | - refused 7.5            | - refused 7.5
refused grant       | refused refused 855      | refused refused 855           | refused refused 855           | - refused 1710           | refused refused 1710     | - refused 1710
no tokens           | refused refused never    | refused refused never         | refused refused never         | - refused never          | refused refused never    | - refused never
refused application | refused refused 855      | refused refused 855           | refused refused 855           | refused refused 1710     | refused refused 1710     | refused refused 1710
refused by IMAP     | refused refused 855      | refused refused 855           | refused refused 855           | refused refused 1710     | - refused 1710           | refused refused 1710
another's mailbox   | refused refused 855      | refused refused 855           | refused refused 855           | refused refused 1710     | refused refused 1710     | refused refused 1710
refused by SMTP     | partlyRefused fresh 1110 | partlyRefused fresh 1110      | partlyRefused fresh 7.5       | partlyRefused fresh 1110 | partlyRefused fresh 1110 | partlyRefused fresh 1110
IMAP away           | unproven fresh 7.5       | unproven fresh 7.5            | unproven fresh 7.5            | - refused 7.5            | - refused 7.5            | - refused 7.5
renewed, IMAP away  | unproven fresh 7.5       | unproven fresh 7.5            | unproven fresh 7.5            | unproven fresh 7.5       | - refused 7.5            | unproven fresh 7.5
`;

describe("what follows from a turn", () => {
  const [[, ...head] = [], ...rows] = table
    .trim()
    .split("\n")
    .map((line) => line.split("|").map((cell) => cell.trim()));
  const expected = new Map(rows.map(([name = "", ...cells]) => [name, cells]));

  test("every kind of turn stands in the table, and every former state", () => {
    assert.deepEqual([...expected.keys()], Object.keys(turns));
    assert.deepEqual(head, Object.keys(formers));
  });

  for (const [name, each] of Object.entries(turns)) {
    test(name, () => {
      const cells = Object.values(formers).map((former) => {
        const { state, event } = settle(former, each, account, at(start));
        const next = ((nextAt(state) ?? Number.POSITIVE_INFINITY) - start) / second;
        const seconds = Number.isFinite(next) ? Math.round(next * 10) / 10 : "never";
        return `${event?.is ?? "-"} ${stateOf(state, start)} ${seconds}`;
      });
      assert.deepEqual(cells, expected.get(name));
    });
  }
});

describe("a state that was written down", () => {
  const pass = fc.integer({ min: 0, max: 7 * hour });
  const anyTurn = fc.constantFrom(...Object.values(turns));
  const step = fc.oneof(
    fc.record({ what: fc.constant("turn"), turn: anyTurn, pass }),
    fc.record({ what: fc.constantFrom("tryAgain", "expired", "clockWasSetBack"), pass }),
  );
  const chance = fc.double({ min: 0, max: 0.999, noNaN: true });

  /** What becomes of it, at a time after the one before. */
  function next(
    state: AccountState,
    each: { what: string; turn?: Turn; pass: number },
    to: Moment,
  ) {
    const { now } = to;
    if (each.turn !== undefined) return settle(state, each.turn, account, to);
    if (each.what === "tryAgain") return tryAgain(state, now);
    if (each.what === "expired") return expired(state, now, now - each.pass);
    return { state: clockWasSetBack(state, each.pass) } satisfies Settled;
  }

  test("is the same, whatever happens in whatever order, and is due again in time", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), chance, (steps, random) => {
        let now = start;
        let state = newState("foo");
        for (const each of steps) {
          now += each.pass;
          const to = at(now, random);
          const settled = next(state, each, to);
          const again = next(copied(state), each, to);
          assert.deepEqual(copied(again.state), copied(settled.state));
          assert.deepEqual(again.event, settled.event);
          const seen = "turn" in each ? each.turn : undefined;
          if (seen !== undefined) {
            const due = nextAt(settled.state);
            assert.ok(due === undefined || due >= now + second, "another turn at once");
            const isParked = settled.state.refused !== undefined && !seen.isAskable;
            assert.ok(due !== undefined || isParked, "it would never have a turn again");
            assert.ok((due ?? now) <= now + 6 * hour, "it would be forgotten");
          }
          state = settled.state;
        }
      }),
    );
  });

  test("a defect, a captive portal or a full disk parks nobody who was not refused before", () => {
    const passing = [turns.defect, turns["what is no error"], turns["not understood"]];
    fc.assert(
      fc.property(
        fc.array(anyTurn),
        fc.constantFrom(...passing, turns.unwritable, turns.unreachable),
        chance,
        (before, last, random) => {
          const to = at(start, random);
          const former = before.reduce(
            (state, each) => settle(state, each, account, to).state,
            begun,
          );
          const { state } = settle(former, last, account, to);
          assert.equal(state.refused, former.refused);
          assert.ok((nextAt(state) ?? Number.POSITIVE_INFINITY) <= start + 5 * minute);
        },
      ),
    );
  });
});

describe("what is due", () => {
  const [hourly, unknown] = [formers.fresh, { ...formers.fresh, life: undefined }];
  for (const [what, state, now, expected] of [
    ["of one that is new: all", begun, start, { refreshes: true, proves: true }],
    ["before its time: nothing", hourly, start + 18 * minute, undefined],
    ["in its time: a token", hourly, start + 19 * minute, { refreshes: true, proves: false }],
    ["after six hours: a login too", hourly, start + 6 * hour, { refreshes: true, proves: true }],
    ["of one that waits for its file: nothing", formers.waiting, start + 99 * hour, undefined],
    [
      "of one that is proven: a token",
      proven(begun, start, at(start)),
      start,
      { refreshes: true, proves: false },
    ],
    ["at once after a turn: nothing", after(begun, "nothing to do"), start + 999, undefined],
    [
      "a second after it",
      after(begun, "nothing to do"),
      start + second,
      { refreshes: false, proves: true },
    ],
    [
      "of one whose token nobody knows",
      unknown,
      start + 19 * minute,
      { refreshes: true, proves: false },
    ],
  ] as const) {
    test(what, () => {
      const order = due(state, at(now));
      assert.deepEqual(order && { refreshes: order.refreshes, proves: order.proves }, expected);
    });
  }

  test("a stored token is replaced as planned, or as another one's life wants it", () => {
    const order = due(formers.fresh, at(start + 19 * minute));
    const isDue = (minutes: number, issued = 0) =>
      order?.isDue({ issuedAt: start + issued * minute, expiresAt: start + minutes * minute });
    assert.equal(order?.isDue(undefined), true);
    assert.equal(isDue(50), true, "the one that was seen");
    assert.equal(isDue(60), false, "another process's, which is new");
    assert.equal(isDue(30), true, "another process's, which is over its half");
    assert.equal(isDue(600, 25), true, "one from the future");
  });
});

describe("an account that is refused", () => {
  const other = { tokens: "other", accessToken: "first" };
  const signedIn = { tokens: "other", accessToken: "other" };
  for (const [stood, tokens, expected] of [
    ["refused", identity, false],
    ["refused", other, true],
    ["refused", undefined, true],
    ["refused by IMAP", identity, false],
    ["refused by IMAP", other, false],
    ["refused by IMAP", signedIn, true],
    ["waiting", undefined, false],
    ["waiting", identity, true],
  ] as const) {
    test(`${stood}, with ${JSON.stringify(tokens)} in its file: ${expected ? "" : "not "}tried`, () => {
      assert.equal(isWorthATry(copied(formers[stood]), tokens), expected);
    });
  }

  test("and is tried again is due at once, and looked at as if for the first time", () => {
    for (const stood of ["refused", "refused by IMAP", "waiting"] as const) {
      const { state, event } = tryAgain(formers[stood], start + 10);
      assert.deepEqual(event, { is: "triedAgain" });
      assert.equal(stateOf(state, start), "waiting");
      assert.ok((nextAt(state) ?? Number.POSITIVE_INFINITY) <= start + 10);
      assert.match(
        settle(state, turns["refused grant"], account, at(start)).event?.is ?? "",
        /refused/,
      );
    }
  });
});

describe("the end of a token", () => {
  const end = old.expiresAt;
  for (const [what, state, now, busySince, is] of [
    ["is told where there is no successor", formers.retrying, end, undefined, "expired"],
    ["not before it", formers.retrying, end - 1, undefined, undefined],
    ["not while a new one is got", formers.fresh, end, end, undefined],
    ["but where that takes over a minute", formers.fresh, end, end - minute - 1, "expired"],
    ["not of one that is refused", formers.refused, end, undefined, undefined],
    ["not of one whose end nobody knows", begun, end, undefined, undefined],
  ] as const) {
    test(what, () => assert.equal(expired(state, now, busySince).event?.is, is));
  }

  test("is told once, and again of the next one", () => {
    const { state } = expired(formers.retrying, end);
    assert.equal(expired(state, end).event, undefined);
    const later = after(state, "renewed", "unreachable");
    assert.equal(expired(later, fresh.expiresAt).event?.is, "expired");
  });
});

test("after the clock was set back, everything comes after as much time as before", () => {
  for (const state of Object.values(formers)) {
    const back = clockWasSetBack(state, hour);
    assert.equal(nextAt(back), minus(nextAt(state), hour));
    assert.equal(back.provenAt, minus(state.provenAt, hour));
  }

  function minus(time: number | undefined, ms: number) {
    return time === undefined ? undefined : time - ms;
  }
});

test("a picture shows what is known, and what was asked for where nothing is", () => {
  const address = { text: "foo@example.test", local: "foo", domain: "example.test" };
  const settings = { address, provider: "gmail" } as Parameters<typeof pictureOf>[1]["settings"];
  const picture = pictureOf(begun, { label: "foo", settings }, start);
  assert.equal(picture.provider, "gmail");
  assert.equal(picture.state, "waiting");
  const {
    provider,
    tokenFile,
    nextAt: next,
  } = pictureOf(formers.waiting, { label: "foo", settings }, start);
  assert.deepEqual(
    { provider, tokenFile, next },
    { provider: "google", tokenFile: "/tokens/foo.txt", next: undefined },
  );
});
