import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { MxtokenError } from "../../src/errors.ts";
import { Given } from "../../src/settings/given.ts";
import type { OptionName } from "../../src/settings/option-rows.ts";

type TextName = Parameters<Given["text"]>[0] & OptionName;

function errorOf(args: Record<string, string>, env: Record<string, string>, name: TextName) {
  try {
    new Given(args, env).text(name);
  } catch (error) {
    assert.ok(error instanceof MxtokenError, String(error));
    return error;
  }
  return assert.fail("it was taken");
}

describe("what cannot be seen, or looks like another character, is named with its place", () => {
  for (const [name, value, number, place] of [
    ["redirect-uri", "https://local\u200bhost/", "200B", 14],
    ["redirect-uri", "https://my\u2013app.example/", "2013", 11],
    ["client-id", "\u200eabc", "200E", 1],
    ["client-id", "abc\u00addef", "00AD", 4],
    ["scope", "mail\u00a0offline_access", "00A0", 5],
    ["scope", "mail\u2003more", "2003", 5],
    ["tenant", "\u201ccommon\u201d", "201C", 1],
    ["imap-server", "imap\u2010a.example", "2010", 5],
    ["imap-server", "imap.example\u3002com", "3002", 13],
    ["token-uri", "https\uff1a//a.example", "FF1A", 6],
    ["provider", "goo\u2060gle", "2060", 4],
    ["login", "foo\u200d@example.com", "200D", 4],
    ["client-secret", "s3cr\u202eet", "202E", 5],
    ["min-life", "5\u00a0m", "00A0", 2],
    ["issuer", "https://a.example/\u0007", "0007", 19],
    ["app", "thunder\u{e0001}bird", "E0001", 8],
  ] as const) {
    test(`--${name} with U+${number}`, () => {
      const error = errorOf({ [name]: value }, {}, name);
      assert.equal(error.exitStatus, 64);
      assert.ok(error.message.startsWith(`--${name}: character ${place} is U+${number}, `));
      assert.ok(!error.message.includes(value));
    });
  }

  test("in the environment", () => {
    const error = errorOf({}, { MXTOKEN_CLIENT_ID: "abc\u200b1" }, "client-id");
    assert.match(error.message, /^MXTOKEN_CLIENT_ID: character 4 is U\+200B/);
  });
});

describe("taken as it is", () => {
  for (const [name, value] of [
    ["imap-server", "imap.bücher.example"],
    ["login", "jörg@bücher.example"],
    ["imap-server", "почта.рф"],
    ["scope", "https://outlook.office.com/IMAP.AccessAsUser.All offline_access"],
    ["client-secret", "a~b!c$d%e&f*g(h)i"],
    ["token-file", "/home/j\u00f6rg/My\u00a0tokens\u2013old.txt"],
    ["home", "/srv/\u200btokens"],
    ["client-secret-command", "pass show \u201cmail\u201d"],
  ] as const) {
    test(`--${name} ${JSON.stringify(value)}`, () => {
      assert.equal(new Given({ [name]: value }, {}).text(name), value);
    });
  }
});
