import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { MxtokenError } from "../../src/errors.ts";
import type { Mailbox } from "../../src/mailbox.ts";
import { parseAddress } from "../../src/mailbox.ts";
import { checkPlaceholders, fillPlaceholders } from "../../src/run/run.ts";
import { Secret } from "../../src/secret.ts";
import type { Obtained } from "../../src/tasks/get.ts";

function outcome(address: string, tokenFile: string, host: string, port: number): Obtained {
  const mailbox: Mailbox = {
    address: parseAddress(address),
    login: "person@example.test",
    provider: "google",
    title: "",
    imap: { host, port, tls: "implicit" },
    smtp: undefined,
    pop: undefined,
    verify: ["imap"],
    isPopTokenOnNextLine: false,
    mechanisms: ["XOAUTH2"],
    ca: undefined,
    caFile: undefined,
    proxy: undefined,
  };
  return {
    mailbox,
    client: {} as Obtained["client"],
    tokenFile,
    evidence: {} as Obtained["evidence"],
    source: "refreshed",
    expiresAt: undefined,
    findings: [],
  };
}

const outcomes = [
  outcome("old@example.test", "/home/me/my tokens/$&.txt", "imap.example.test", 993),
  outcome("new@example.test", "/tokens/{user:1}.txt", "localhost", 1993),
];

describe("placeholders", () => {
  for (const [given, expected] of [
    ["{token-file:1}", "/home/me/my tokens/$&.txt"],
    ["{user:1}", "old@example.test"],
    ["{user:2}", "new@example.test"],
    ["{host:1}", "imap.example.test"],
    ["{port:1}", "993"],
    ["{host:2}:{port:2}", "localhost:1993"],
    ["{user:2}{user:1}{user:2}", "new@example.testold@example.testnew@example.test"],
    ["--user1={user:1}", "--user1=old@example.test"],
    ["sh -c 'cat {token-file:1} | head -n 1'", "sh -c 'cat /home/me/my tokens/$&.txt | head -n 1'"],
    // What is put in is not looked at again.
    ["{token-file:2}", "/tokens/{user:1}.txt"],
    ["{{user:1}}", "{old@example.test}"],
    ["{user:01}", "old@example.test"],
  ] as const) {
    test(`${given} is ${expected}`, () => {
      assert.deepEqual(fillPlaceholders([given], outcomes), [expected]);
      checkPlaceholders([given], outcomes.length);
    });
  }

  for (const word of [
    "",
    " ",
    "{}",
    "{1}",
    "{user}",
    "{user:}",
    "{user:-1}",
    "{user:x}",
    "{ user:1 }",
    "{User:1}",
    "{USER:1}",
    "{token_file:1}",
    "{token-file}",
    "{password:1}",
    "$HOME",
    "$1 $& $` \\1",
    "s{user:a}{user:b}g",
    "s/a{1,2}/b/",
    "{user :1}",
    "привет {ü:1}",
  ]) {
    test(`${JSON.stringify(word)} stays as it is`, () => {
      assert.deepEqual(fillPlaceholders([word], outcomes), [word]);
      checkPlaceholders([word], outcomes.length);
    });
  }

  test("every argument is filled, and none is added, joined or dropped", () => {
    assert.deepEqual(fillPlaceholders(["", "{user:1}", "--", "{user:2}", ""], outcomes), [
      "",
      "old@example.test",
      "--",
      "new@example.test",
      "",
    ]);
    assert.deepEqual(fillPlaceholders([], outcomes), []);
  });

  for (const [word, count, message] of [
    ["{user:2}", 1, "{user:2}: there is one address"],
    ["{user:3}", 2, "{user:3}: there are 2 addresses"],
    ["{token-file:0}", 2, "{token-file:0}: there are 2 addresses"],
    ["{host:99999999999999999999}", 2, "{host:100000000000000000000}: there are 2 addresses"],
    ["x{port:3}x", 2, "{port:3}: there are 2 addresses"],
  ] as const) {
    test(`${word} among ${count}: usage`, () => {
      const isRefused = (error: unknown) =>
        error instanceof MxtokenError && error.code === "usage" && error.message === message;
      assert.throws(() => checkPlaceholders(["fine", word], count), isRefused);
      assert.throws(() => fillPlaceholders(["fine", word], outcomes.slice(0, count)), isRefused);
    });
  }

  for (const word of ["{token:1}", "{token:2}", "{token:9}", "Bearer {token:1}", "{token:0}"]) {
    test(`${word}: usage, and says what to pass instead`, () => {
      const isRefused = (error: unknown) =>
        error instanceof MxtokenError &&
        error.code === "usage" &&
        /a token never stands in an argument/.test(error.message) &&
        /\{token-file:\d\}/.test(error.hint ?? "");
      assert.throws(() => checkPlaceholders([word], 2), isRefused);
      assert.throws(() => fillPlaceholders([word], outcomes), isRefused);
    });
  }
});

describe("whatever the arguments are", () => {
  const piece = fc.oneof(
    fc.string(),
    fc.constantFrom("token", "token-file", "user", "host", "port", "{", "}", ":", "1", "2", "$&"),
    fc
      .tuple(
        fc.constantFrom("token", "token-file", "user", "host", "port", "access-token", "password"),
        fc.integer({ min: 0, max: 3 }),
      )
      .map(([name, number]) => `{${name}:${number}}`),
  );
  const word = fc.array(piece, { maxLength: 6 }).map((pieces) => pieces.join(""));

  test("no token is ever in the result", () => {
    const secret = "ya29.the-access-token";
    // As they would be if somebody began to carry tokens along.
    const carrying = outcomes.map((each) => ({
      ...each,
      accessToken: new Secret(secret),
      token: secret,
      mailbox: { ...each.mailbox, token: secret, accessToken: secret },
    }));
    fc.assert(
      fc.property(fc.array(word), (words) => {
        let filled: string[];
        try {
          filled = fillPlaceholders(words, carrying);
        } catch (error) {
          assert.ok(error instanceof MxtokenError && error.code === "usage");
          return;
        }
        assert.equal(filled.length, words.length);
        assert.ok(!filled.some((each) => each.includes(secret)));
        assert.ok(!words.some((each) => /\{token:\d+\}/.test(each)));
      }),
      { numRuns: 1000 },
    );
  });

  test("what is refused in the end was refused before anybody was asked for a token", () => {
    const verdict = (work: () => unknown) => {
      try {
        work();
        return "fine";
      } catch (error) {
        return error instanceof MxtokenError ? error.message : error;
      }
    };
    fc.assert(
      fc.property(fc.array(word), fc.integer({ min: 1, max: 2 }), (words, count) => {
        assert.equal(
          verdict(() => checkPlaceholders(words, count)),
          verdict(() => fillPlaceholders(words, outcomes.slice(0, count))),
        );
      }),
      { numRuns: 1000 },
    );
  });
});
