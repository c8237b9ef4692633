import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Event } from "../../src/events.ts";
import { keepTellings, runTellings } from "../../src/report/keep-tellings.ts";
import { written } from "../../src/report/line.ts";
import { isTold, type Level, linesOf, type Telling } from "../../src/report/telling.ts";
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
