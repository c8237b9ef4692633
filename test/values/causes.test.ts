import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { CauseRow, Facts, Pattern } from "../../src/causes/cause.ts";
import {
  causeOf,
  causeRows,
  diagnose,
  diagnosed,
  explained,
  remedyOf,
} from "../../src/causes/diagnose.ts";
import { MxtokenError } from "../../src/errors.ts";

const rows: readonly CauseRow[] = causeRows;

/** A pattern that asks for nothing but facts. */
function isExample(pattern: Pattern): pattern is Facts {
  return !Object.values(pattern).some((wanted) => wanted instanceof RegExp);
}

/** Facts of each kind that a row may put into its words. */
const facts: Facts = {
  ...{ host: "mail.example:993", endpoint: "token endpoint", protocol: "imap", port: 993 },
  ...{ mailbox: "foo@a.example", login: "bar@a.example", owner: "baz@a.example" },
  ...{ client: "the-client", tenant: "a.example", serviceAccount: "sa@a.example" },
  ...{ scopes: ["one", "two"], roles: ["IMAP.AccessAsApp"], access: ["imap", "smtp"] },
  ...{
    isInDoubt: true,
    namedIssuer: "https://a.example/{tenant}",
    retryAfter: 7,
    tokenLength: 9000,
    elsewhere: "/a/b.txt",
    option: "--token-file /a/b.txt",
  },
};

test("no two known failures have one name", () => {
  const ids = rows.map(({ id }) => id);
  assert.deepEqual(ids, [...new Set(ids)]);
  for (const id of ids) assert.match(id, /^[a-z]+(?:-[a-z]+)*$/);
});

for (const row of rows) {
  describe(row.id, () => {
    test("is recognised by what it is an example of, before any other", () => {
      const { matches = [], examples = matches.filter(isExample) } = row;
      assert.equal(matches.length === 0, examples.length === 0);
      for (const example of examples) assert.equal(diagnose(example)[0]?.id, row.id);
    });

    test("says what it is, what can be done about it, and where that is written", () => {
      const cause = causeOf(row, facts);
      assert.match(cause, /^(?:[a-z]|SMTP AUTH).*[^.]$/);
      // Where somebody else has to act, one waits; and a question says what to look at.
      const isForOthers = row.who === "provider" || cause.includes("?");
      assert.ok(isForOthers || remedyOf(row, facts).length > 0);
      for (const text of [cause, ...remedyOf(row, facts)]) {
        assert.doesNotMatch(JSON.stringify(text), /undefined|\[object|: *$/);
      }
      assert.match(row.source, /^(?:RFC \d+|OpenID Connect |POSIX, |https:\/\/|MicrosoftDocs\/)/);
    });
  });
}

describe("an explanation", () => {
  test("is words, and commands to be copied", () => {
    const { causeId, hint, commands } = explained("application-without-right-to-mailbox", facts);
    assert.equal(causeId, "application-without-right-to-mailbox");
    assert.match(hint ?? "", /^the application needs a right to this mailbox/);
    assert.deepEqual(commands, [
      "Connect-ExchangeOnline -Organization a.example",
      "New-ServicePrincipal -AppId the-client -ObjectId <OBJECT-ID>",
      "Add-MailboxPermission -Identity 'foo@a.example' -User <OBJECT-ID> -AccessRights FullAccess",
      "Add-RecipientPermission -Identity 'foo@a.example' -Trustee <OBJECT-ID> -AccessRights SendAs",
    ]);
  });

  test("puts nothing into a command but ids, and quotes the mailbox", () => {
    const odd = { mailbox: "o'neil@a.example", client: "x; rm", tenant: "$(x)" };
    const { commands = [] } = explained("role-missing", odd);
    assert.deepEqual(commands.slice(0, 2), [
      "Connect-ExchangeOnline -Organization <TENANT-ID>",
      "New-ServicePrincipal -AppId <APPLICATION-ID> -ObjectId <OBJECT-ID>",
    ]);
    assert.match(commands[2] ?? "", /'o''neil@a\.example'/);
  });

  test("of what nobody knows is its facts alone", () => {
    const unknown = { oauthError: "something_new", said: "something new" };
    assert.deepEqual(diagnose("something new"), []);
    assert.deepEqual(diagnosed(unknown), {
      ...{ causeId: undefined, facts: unknown, hint: undefined, commands: undefined },
    });
  });

  test("stays with its error, until another one is given", () => {
    const dropped = { code: "ECONNRESET", isInDoubt: true };
    const error = new MxtokenError("unreachable", "it broke off", diagnosed(dropped));
    const otherwise = error.with({ message: "it broke off here" });
    assert.equal(otherwise.causeId, "connection-dropped");
    assert.deepEqual(otherwise.facts, dropped);
    assert.match(otherwise.hint ?? "", /may have arrived all the same/);
    const sure = error.with(diagnosed({ ...error.facts, isInDoubt: false }));
    assert.deepEqual([sure.causeId, sure.hint], ["connection-dropped", undefined]);
  });
});
