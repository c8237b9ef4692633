import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import type { AccountPicture, State } from "../../src/keep/events.ts";
import { tableOf } from "../../src/report/live-table.ts";

const now = Date.parse("2026-11-20T12:00:00Z");
const minute = 60_000;
const terminal = { columns: 100, rows: 30 };

function picture(label: string, state: State, more: Partial<AccountPicture> = {}): AccountPicture {
  return {
    label,
    address: label,
    provider: "google",
    tokenFile: `/tokens/${label}`,
    state,
    expiresAt: now + 30 * minute,
    nextAt: now + minute,
    provenAt: now,
    last: undefined,
    ...more,
  };
}

function firstWords(lines: readonly string[]): string[] {
  return lines.slice(1, -1).map((line) => line.split(" ")[0] ?? "");
}

describe("the table", () => {
  test("says of each account its state, how long its token is good, and what happened last", () => {
    const last = {
      at: now,
      is: "refreshed",
      message: "a new token",
      commands: [],
    } as const;
    const lines = tableOf([picture("foo@a.example", "fresh", { last })], now, terminal);
    assert.deepEqual(lines, [
      "account        state  expires in  last event",
      "foo@a.example  fresh  30 minutes  12:00Z a new token",
      "1 fresh",
    ]);
  });

  test("says of one in trouble when it is tried again, where there is one", () => {
    const pictures = [
      picture("a@a.example", "refused", { nextAt: now + 180 * minute }),
      picture("b@a.example", "refused", { nextAt: undefined }),
      picture("c@a.example", "retrying", { nextAt: now }),
      picture("d@a.example", "fresh"),
    ];
    assert.deepEqual(tableOf(pictures, now, terminal), [
      "account       state     expires in  next try  last event",
      "a@a.example   refused   30 minutes  3 hours",
      "b@a.example   refused   30 minutes  new file",
      "c@a.example   retrying  30 minutes  now",
      "d@a.example   fresh     30 minutes",
      "1 fresh, 1 retrying, 2 refused",
    ]);
  });

  test("puts trouble first, and then whose token ends first", () => {
    const states = ["fresh", "waiting", "retrying", "expired", "refused"] as const;
    const pictures = states.map((state) => picture(`${state}@a.example`, state));
    pictures.push(picture("soon@a.example", "fresh", { expiresAt: now + minute }));
    pictures.push(picture("never@a.example", "fresh", { expiresAt: undefined }));
    const lines = tableOf(pictures, now, terminal);
    const names = ["refused", "expired", "retrying", "waiting", "soon", "fresh", "never"];
    assert.deepEqual(
      firstWords(lines),
      names.map((name) => `${name}@a.example`),
    );
    assert.equal(lines.at(-1), "3 fresh, 1 waiting, 1 retrying, 1 expired, 1 refused");
  });

  test("says of a token that has ended, of one without an end, and of one not looked at", () => {
    const pictures = [
      picture("a@a.example", "expired", { expiresAt: now }),
      picture("b@a.example", "waiting", { expiresAt: undefined }),
      picture("c@a.example", "fresh", { expiresAt: undefined }),
    ];
    const lines = tableOf(pictures, now, terminal);
    assert.match(lines[1] ?? "", /^a@a\.example +expired +ended +60 seconds$/);
    assert.match(lines[2] ?? "", /^b@a\.example +waiting$/);
    assert.match(lines[3] ?? "", /^c@a\.example +fresh +unknown$/);
  });

  test("where there is no room for all, the last line says how many are left out", () => {
    const pictures = Array.from({ length: 100 }, (_, index) =>
      picture(`user${index}@a.example`, index === 99 ? "refused" : "fresh"),
    );
    const lines = tableOf(pictures, now, terminal);
    assert.equal(firstWords(lines)[0], "user99@a.example");
    assert.equal(firstWords(lines).length, 13);
    assert.equal(lines.at(-1), "99 fresh, 1 refused; 87 not shown");
  });

  test("of nobody has a head and a foot", () => {
    assert.deepEqual(tableOf([], now, terminal), [
      "account       state  expires in  last event",
      "0 fresh",
    ]);
  });

  test("names that have no room are cut, and stay on one line with their state", () => {
    const label = `${"long".repeat(30)}@a.example`;
    const lines = tableOf([picture(label, "retrying")], now, { columns: 80, rows: 24 });
    assert.match(lines[1] ?? "", /^longlong\S+… {2}retrying {2}30 minutes {2}60 seconds$/);
  });
});

/** How many columns a terminal takes for a text, by what Unicode says of its characters. */
function columnsOf(text: string): number {
  let columns = 0;
  for (const character of text) {
    if (/\p{Mn}/u.test(character)) continue;
    const isWide = /[\p{Script=Han}\p{Script=Hangul}\p{Emoji_Presentation}\uff01-\uff60]/u;
    columns += isWide.test(character) ? 2 : 1;
  }
  return columns;
}

describe("whatever the room and the names", () => {
  const state = fc.constantFrom<State>("waiting", "fresh", "retrying", "expired", "refused");
  const letters = fc.string({
    unit: fc.constantFrom("a", "M", ".", "-", "ü", "猫", "한", "！", "🙂", "e\u0301", " "),
    maxLength: 90,
  });
  const account = fc
    .record({
      label: letters.map((local) => `${local}@a.example`),
      state,
      expiresAt: fc.option(fc.integer({ min: now - 100 * minute, max: now + 1e12 }), {
        nil: undefined,
      }),
      message: fc.option(letters, { nil: undefined }),
    })
    .map(({ label, state: is, expiresAt, message }) =>
      picture(label, is, {
        expiresAt,
        last: message === undefined ? undefined : { at: now, is: "proven", message, commands: [] },
      }),
    );

  test("no line reaches the last column, and there are at most half as many lines as rows", () => {
    const room = fc.record({
      columns: fc.integer({ min: 1, max: 200 }),
      rows: fc.integer({ min: 9, max: 100 }),
    });
    fc.assert(
      fc.property(fc.array(account, { maxLength: 60 }), room, (pictures, { columns, rows }) => {
        const lines = tableOf(pictures, now, { columns, rows });
        for (const line of lines) {
          const taken = columnsOf(line);
          assert.ok(taken <= columns - 1, `${taken} of ${columns}: ${line}`);
          assert.doesNotMatch(line, /\p{Cc}/u);
        }
        assert.ok(lines.length <= Math.max(5, rows / 2), `${lines.length} lines in ${rows} rows`);
        assert.ok(lines.length - 2 <= pictures.length);
      }),
    );
  });

  test("who is shown needs somebody sooner than whoever is left out", () => {
    const order: State[] = ["refused", "expired", "retrying", "waiting", "fresh"];
    fc.assert(
      fc.property(fc.array(state, { minLength: 1, maxLength: 60 }), (states) => {
        const pictures = states.map((is, index) => picture(`${index}@a.example`, is));
        const lines = tableOf(pictures, now, terminal);
        const shown = lines.slice(1, -1).map((line) => order.indexOf(stateIn(line)));
        const all = states.map((is) => order.indexOf(is)).sort((one, other) => one - other);
        assert.deepEqual(shown, all.slice(0, shown.length));
        const left = states.length - shown.length;
        assert.equal(
          /; (\d+) not shown$/.exec(lines.at(-1) ?? "")?.[1],
          left ? `${left}` : undefined,
        );
      }),
    );
  });

  function stateIn(line: string): State {
    return line.split(/ +/)[1] as State;
  }
});
