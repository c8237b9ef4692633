import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { MxtokenError } from "../../src/errors.ts";
import { Secret } from "../../src/secret.ts";
import { formatTokenFile } from "../../src/store/token-file.ts";
import { tokenFrom } from "../../src/token.ts";
import { parseTokenFile } from "../scene/tokens.ts";

function parsed(text: string) {
  const { accessToken, refreshToken, notes } = parseTokenFile(text, "file");
  return { access: accessToken?.reveal(), refresh: refreshToken?.reveal(), notes };
}

const ours = `access-token
refresh-token
# Line 1 is the access token, line 2 the refresh token. The rest is for people.
# Account: foo@example.com
# Provider: office365
# App: thunderbird
# Client: 9e5f94bc-e8a4-4e73-b8be-63364c29d753
# Tenant: common
# Token endpoint: https://login.microsoftonline.com/common/oauth2/v2.0/token
# Scope: https://outlook.office.com/IMAP.AccessAsUser.All offline_access
# Signed in: 2026-11-18T09:14:02Z
# Expires: 2026-11-20T19:02:11Z
# Verified: 2026-11-20T18:02:12Z by IMAP at outlook.office365.com:993
`;

test("what was read is written again, letter by letter", () => {
  assert.equal(formatTokenFile(parseTokenFile(ours, "file")), ours);
});

test("a file of oauth2_imap is understood", () => {
  const text = [
    "eyJ0eXAiOiJKV1QiLCJub25jZSI6",
    "0.AXoAbcdef",
    "# The first   line is the access  token",
    "# The second  line is the refresh token",
    "# Account foo@example.com",
    "# Generated on Tue Aug 20 10:11:12 2024",
    "# by: oauth2_imap --provider office365 foo@example.com",
    "",
  ].join("\n");
  const { access, refresh, notes } = parsed(text);
  assert.deepEqual([access, refresh], ["eyJ0eXAiOiJKV1QiLCJub25jZSI6", "0.AXoAbcdef"]);
  assert.equal(notes.provider, undefined);
});

for (const [what, text] of [
  ["two lines only", "access\nrefresh\n"],
  ["no line end", "access\nrefresh"],
  ["CRLF", "access\r\nrefresh\r\n# Provider: google\r\n"],
  ["a byte-order mark", "\uFEFFaccess\nrefresh\n"],
  ["all of it, and blanks", "\uFEFF  access \t\r\n refresh  \r\n"],
] as const) {
  test(`${what} is read as well`, () => {
    const { access, refresh } = parsed(text);
    assert.deepEqual([access, refresh], ["access", "refresh"]);
  });
}

test("an empty second line is no refresh token", () => {
  assert.deepEqual(parsed("access\n\n# Provider: google\n").refresh, undefined);
  assert.deepEqual(parsed("access").refresh, undefined);
});

test("notes that make no sense are left out", () => {
  const { notes } = parsed(
    "access\n\n# Expires: soon\n# Provider:\n#Tenant: x\n# an expiry: 2026-01-01\n",
  );
  assert.deepEqual([notes.expiresAt, notes.provider, notes.tenant], [undefined, undefined, "x"]);
});

for (const text of [
  "# Provider: google\naccess\n",
  "two words\nrefresh\n",
  "access\nBearer refresh\n",
  '{"access_token":"x",\n"refresh_token": "y"}',
  "acc\u0000ess\nrefresh\n",
  "zug\u00e4nge\nrefresh\n",
]) {
  test(`${JSON.stringify(text)} is no token file`, () => {
    assert.throws(
      () => parseTokenFile(text, "the/path"),
      (error) =>
        error instanceof MxtokenError &&
        error.exitStatus === 65 &&
        /^the\/path( is no token file)?: line \d /.test(error.message) &&
        error.hint !== undefined,
    );
  });
}

test("a file is never written with an empty first line", () => {
  assert.throws(
    () => formatTokenFile({ accessToken: undefined, refreshToken: new Secret("r"), notes: {} }),
    (error) => error instanceof MxtokenError && error.code === "defect",
  );
});

const tokenText = fc.stringMatching(/^[\x21-\x7e]{1,200}$/);
const noteText = fc.string({ unit: "binary", maxLength: 60 });
const moment = fc.integer({ min: 0, max: 4_102_444_800 }).map((seconds) => seconds * 1000);

test("every record comes back as it was, and no note can leave its line", () => {
  fc.assert(
    fc.property(
      tokenText,
      fc.option(tokenText),
      noteText,
      moment,
      (access, refresh, note, expiresAt) => {
        const text = formatTokenFile({
          accessToken: new Secret(access),
          refreshToken: refresh === null ? undefined : new Secret(refresh),
          notes: { account: note, provider: "google", expiresAt },
        });
        const again = parsed(text);
        assert.equal(again.access, access);
        assert.equal(again.refresh, refresh ?? undefined);
        assert.equal(again.notes.provider, "google");
        assert.equal(again.notes.expiresAt, expiresAt);
        assert.equal(text.split("\n").length, 7);
        assert.doesNotMatch(text, /\r/);
      },
    ),
  );
});

test("whatever a file holds, it is understood or refused", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      try {
        const record = parseTokenFile(text, "file");
        for (const token of [record.accessToken, record.refreshToken]) {
          if (token !== undefined) assert.match(token.reveal(), /^[\x21-\x7e]+$/);
        }
      } catch (error) {
        assert.ok(error instanceof MxtokenError && error.code === "unreadable");
      }
    }),
  );
});

test("a token response becomes a token with an absolute expiry", () => {
  const previous = new Secret("old-refresh");
  const asked = { scope: "mail", unechoedScopes: [] };
  const token = tokenFrom({ access_token: "a", expires_in: 3599 }, 1_000_000, asked, previous);
  assert.equal(token.expiresAt, 4_599_000);
  assert.equal(token.refreshToken, previous);
  assert.equal(token.scope, "mail");
  const rotated = tokenFrom({ access_token: "a", refresh_token: "new" }, 0, asked, previous);
  assert.equal(rotated.refreshToken?.reveal(), "new");
  assert.equal(rotated.expiresAt, undefined);
});

test("offline_access that was granted in silence is still written down", () => {
  const token = tokenFrom(
    { access_token: "a", scope: "IMAP SMTP" },
    0,
    { scope: "IMAP offline_access openid", unechoedScopes: ["offline_access"] },
    undefined,
  );
  assert.equal(token.scope, "IMAP SMTP offline_access");
});

for (const bad of ["two words", "line\nbreak", "tab\there", "zug\u00e4nge"]) {
  test(`a token like ${JSON.stringify(bad)} cannot stand in a file and is refused`, () => {
    for (const response of [{ access_token: bad }, { access_token: "a", refresh_token: bad }]) {
      assert.throws(
        () => tokenFrom(response, 0, { scope: "", unechoedScopes: [] }, undefined),
        (error) => error instanceof MxtokenError && error.exitStatus === 76,
      );
    }
  });
}
