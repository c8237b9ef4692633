import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { MxtokenError } from "../../src/errors.ts";
import { parseIssuer } from "../../src/settings/servers.ts";

describe("an issuer", () => {
  for (const text of [
    "https://login.example.org",
    "https://login.example.org/",
    "https://login.example.org:8443/realms/mail",
    "https://LOGIN.example.org",
    "HTTPS://login.example.org",
    "https://[::1]:8443",
    "https://localhost",
    "https://login.example.org/.well-known/other",
    "https://login.example.org/openid-configuration",
  ]) {
    test(`${text} is taken as it is, without the blanks around it`, () => {
      assert.deepEqual(parseIssuer(`\t${text} \n`), { issuer: text, document: undefined });
    });
  }

  const host = "https://login.example.org";
  for (const [text, issuer] of [
    [`${host}/.well-known/openid-configuration`, host],
    [`${host}/.well-known/oauth-authorization-server`, host],
    [`${host}/a/b/.well-known/openid-configuration`, `${host}/a/b`],
    [`${host}/.well-known/oauth-authorization-server/a/b`, `${host}/a/b`],
    [`${host}/.well-known/openid-configuration/a`, `${host}/a`],
  ] as const) {
    test(`${text} is where the metadata of ${issuer} are`, () => {
      assert.deepEqual(parseIssuer(text), { issuer, document: text });
      assert.deepEqual(parseIssuer(`${text}/`), { issuer, document: text });
    });
  }

  for (const [text, better] of [
    ["login.example.org", host],
    ["//login.example.org", host],
    ["login.example.org/realms/mail", `${host}/realms/mail`],
    ["login.example.org:8443", `${host}:8443`],
    ["localhost:8443", "https://localhost:8443"],
    ["http://login.example.org", host],
    [`${host}?x=1`, host],
    [`${host}/a?x=1#y`, `${host}/a`],
    [`${host}/#`, `${host}/`],
    [`${host}?`, host],
    [`<${host}>`, host],
    [`"${host}"`, host],
    [`"${host}/",`, `${host}/`],
    [
      "login.example.org/.well-known/openid-configuration",
      `${host}/.well-known/openid-configuration`,
    ],
    ["ftp://login.example.org", undefined],
    ["mailto:foo", undefined],
    ["login", undefined],
    ["", undefined],
    ["https://", undefined],
    ["https:/login.example.org", undefined],
    ["https://login example.org", undefined],
    ["https://user:password@login.example.org", undefined],
    ["user:password@login.example.org", undefined],
    ["foo@example.org", undefined],
    ["https://login.example\u200b.org", undefined],
    ["https://login\\.example.org", undefined],
  ] as const) {
    test(`${JSON.stringify(text)} is none${better === undefined ? "" : `; perhaps ${better} is meant`}`, () => {
      assert.throws(
        () => parseIssuer(text),
        (error) => {
          assert.ok(error instanceof MxtokenError && error.code === "usage");
          assert.equal(error.hint, better && `pass --issuer ${better}`);
          assert.ok(!error.message.includes("password"));
          return true;
        },
      );
    });
  }

  test("with a character in it that nobody sees is told so", () => {
    assert.throws(() => parseIssuer("https://login.example\u200b.org"), /U\+200B/);
  });
});
