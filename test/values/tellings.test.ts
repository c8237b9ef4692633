import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Event } from "../../src/events.ts";
import type { KeepEvent } from "../../src/keep/events.ts";
import { keepTellings, runTellings } from "../../src/report/keep-tellings.ts";
import { written } from "../../src/report/line.ts";
import { Families, isTold, type Level, linesOf, type Telling } from "../../src/report/telling.ts";
import { tellings } from "../../src/report/tellings.ts";

function kindsAt(level: Level, rows: Readonly<Record<string, Pick<Telling<never>, "level">>>) {
  return Object.entries(rows).flatMap(([is, row]) => (row.level === level ? [is] : []));
}

describe("how much each kind of event matters", () => {
  test("what a person must answer or know is told in any case", () => {
    assert.deepEqual(kindsAt("always", tellings).sort(), [
      ...["answerRefused", "browserNotOpened", "deviceCode", "deviceCodeExpired"],
      ...["finishingRequest", "noRefreshToken", "notRevoked", "nothingHere", "otherAccount"],
      ...["revokedByHand", "signIn", "tokenWanted", "tokensBeside", "tokensKeptBeside"],
    ]);
  });

  test("what went another way than one may think is told to a program as well", () => {
    assert.deepEqual(kindsAt("warning", tellings).sort(), [
      ...["clockDiffers", "keptUntilProven", "notStored", "readableByEverybody"],
      ...["rolesMissing", "scopeNotDelegated", "scopesMissing", "shortLived"],
    ]);
  });

  test("of kept accounts, what goes wrong; the end without any of them is an error's", () => {
    assert.deepEqual(kindsAt("always", keepTellings).sort(), [
      ...["commandFailed", "expired", "failed", "listNotRead", "partlyRefused"],
      ...["refused", "statusNotWritten", "unproven", "unreachable"],
    ]);
    assert.deepEqual(kindsAt("never", keepTellings), ["nothingAlive"]);
    assert.deepEqual(kindsAt("step", runTellings), ["waitingForToken"]);
  });

  test("a level is told to some, and with --quiet and --verbose to fewer and to more", () => {
    const listeners = ["person", "program", "bystander"] as const;
    const levels = ["always", "warning", "step", "detail", "never"] as const;
    const told = (quiet: boolean, verbose: boolean) =>
      listeners.map(
        (listener) => levels.filter((level) => isTold(level, listener, { quiet, verbose })).length,
      );
    assert.deepEqual(told(false, false), [3, 2, 1]);
    assert.deepEqual(told(true, false), [1, 1, 1]);
    assert.deepEqual(told(false, true), [4, 4, 4]);
  });
});

describe("a line", () => {
  const reader = { now: 0 };
  const lines = (event: Event, account?: string) => {
    const telling: Telling<Event> = tellings[event.is];
    return linesOf(telling, event, reader, account).map((line) => written(line, undefined));
  };

  test("has our mark, the account where there are many, and its kind", () => {
    const event = { is: "tokensBeside", path: "/a" } as const;
    const text = "warning: /a holds tokens too, and is left alone";
    assert.deepEqual(lines(event), [`mxtoken: ${text}`]);
    assert.deepEqual(lines(event, "foo@a.example"), [`mxtoken: foo@a.example: ${text}`]);
    assert.deepEqual(lines({ is: "beforeSignIn", remarks: ["one", "two"] }), [
      "mxtoken: note: one",
      "mxtoken: note: two",
    ]);
  });

  test("that is to be copied has neither, and a command stands apart", () => {
    const nothing = { account: "foo@a.example", why: "x", consentName: undefined, timeout: 60 };
    const told = lines(
      {
        ...{ is: "signIn", ...nothing, url: "https://a.example/?x", opensBrowser: false },
        ...{ redirectUri: "http://localhost/", isTerminal: true, listener: undefined },
        tunnel: { port: 1, command: "ssh -L 1:localhost:1 a.example" },
      },
      "foo@a.example",
    );
    assert.ok(told.includes("https://a.example/?x"));
    assert.ok(told.includes("  ssh -L 1:localhost:1 a.example"));
  });

  test("of another's power over the terminal has none", () => {
    assert.equal(written({ copy: "a\u001b[2Jb" }, 80), "a�[2Jb");
    assert.equal(written({ draw: "\u001b[97;40m█\u001b[0m" }, 80), "\u001b[97;40m█\u001b[0m");
  });
});

describe("what many accounts have in common", () => {
  let now = 0;
  const families = () => {
    now = 1_000_000;
    return new Families<string>(() => now);
  };

  test("is told of three, and then of all others at once", () => {
    const all = families();
    const alone = ["a", "b", "c", "d", "e"].map((name) => all.isAlone("x", "gone", name));
    assert.deepEqual(alone, [true, true, true, false, false]);
    assert.deepEqual(all.take(), []);
    assert.equal(all.wait, 1000);
    now += 1000;
    assert.deepEqual(all.take(), [{ event: "gone", like: "c", others: ["d", "e"] }]);
    assert.equal(all.wait, undefined);
    assert.deepEqual(all.take(true), []);
  });

  test("is told more and more rarely, at last once a minute", () => {
    const all = families();
    for (const name of ["a", "b", "c"]) all.isAlone("x", "gone", name);
    const waits = ["d", "e", "f", "g"].map((name) => {
      all.isAlone("x", "gone", name);
      const { wait = 0 } = all;
      now += wait;
      assert.deepEqual(all.take()[0]?.others, [name]);
      return wait;
    });
    assert.deepEqual(waits, [1000, 10_000, 60_000, 60_000]);
  });

  test("is not of another kind, and begins anew after a while", () => {
    const all = families();
    for (const name of ["a", "b", "c"]) assert.ok(all.isAlone("x", "gone", name));
    assert.ok(all.isAlone("y", "gone", "d"));
    assert.ok(!all.isAlone("x", "gone", "d"));
    assert.ok(all.holds("d"));
    assert.equal(all.take(true).length, 1);
    now += 6 * 60_000;
    assert.ok(all.isAlone("x", "gone", "e"));
  });

  test("is told of an account again that it was told of before", () => {
    const all = families();
    for (const name of ["a", "b", "c"]) all.isAlone("x", "gone", name);
    assert.ok(all.isAlone("x", "gone", "b"));
  });

  test("waits for no longer where the clock was set back", () => {
    const all = families();
    for (const name of ["a", "b", "c", "d"]) all.isAlone("x", "gone", name);
    now -= 3_600_000;
    assert.equal(all.wait, 1000);
    assert.equal(all.take().length, 1);
  });
});

describe("the sentences of kept accounts", () => {
  const known = { issuedAt: 0, expiresAt: 3_600_000 };
  const unknown = { issuedAt: 0, expiresAt: undefined };
  const trouble = {
    ...{ code: "signInNeeded", reason: "there are no tokens in /a", kind: "k", family: "f" },
    ...{ isAnswer: false, hint: undefined, commands: [] },
  };
  const said = (event: KeepEvent) => {
    const telling: Telling<KeepEvent> = keepTellings[event.is];
    const [line] = linesOf(telling, event, { now: 0 });
    return line !== undefined && "say" in line ? line.say : "";
  };
  const label = "foo@a.example";
  const common = { label, isAgain: false, findings: undefined };

  for (const [event, sentence] of [
    [{ is: "refreshed", life: known, ...common }, "a new token, good until 1970-01-01T01:00:00Z"],
    [
      { is: "refreshed", life: unknown, ...common },
      "a new token, and the server does not say how long it is good",
    ],
    [
      { is: "proven", life: unknown, ...common, findings: [] },
      "the stored token is kept, and how long it is good nobody has said",
    ],
    [
      { is: "worksAgain", life: known, label },
      "that works again; the stored token is good until 1970-01-01T01:00:00Z",
    ],
    [
      { is: "refused", trouble, life: undefined, nextAt: undefined, label },
      "needs somebody: there are no tokens in /a; nothing is tried before its token file changes",
    ],
    [
      { is: "refused", trouble: { ...trouble, isAnswer: true }, life: known, nextAt: 0, label },
      "refused: there are no tokens in /a; the old token, good until 1970-01-01T01:00:00Z, is kept; trying again at 1970-01-01T00:00:00Z, and as soon as its token file changes",
    ],
    [{ is: "nothingAlive", accounts: 1 }, "the account needs somebody"],
    [
      { is: "clockSet", ms: 7_200_000 },
      "the machine slept for 2 hours, or the clock was set ahead by as much",
    ],
  ] as const satisfies readonly (readonly [KeepEvent, string])[]) {
    test(sentence, () => assert.equal(said(event), sentence));
  }
});
