import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import fc from "fast-check";
import { accountsToKeep } from "../../src/cli/accounts-to-keep.ts";
import { MxtokenError } from "../../src/errors.ts";
import { parseAccountList, readAccountList } from "../../src/settings/account-list.ts";
import type { Arguments } from "../../src/settings/given.ts";
import { temporaryDirectory } from "../scene/certificates.ts";
import { testWorld } from "../scene/world.ts";

const world = testWorld({ cwd: "/home/foo" });
const path = "/home/foo/accounts.txt";

function parse(...lines: string[]) {
  return [...parseAccountList(lines.join("\n"), path)];
}

async function keep(
  text: string,
  common: Arguments = {},
  warn: (text: string) => void = () => undefined,
) {
  return accountsToKeep([...parseAccountList(text, path)], common, world, warn);
}

/** What is wrong at which line. */
async function assertWrong(work: () => unknown, line: number, words: RegExp): Promise<void> {
  await assert.rejects(
    async () => work(),
    (error) => {
      assert.ok(error instanceof MxtokenError, String(error));
      assert.equal(error.exitStatus, 65, error.message);
      assert.ok(error.message.startsWith(`${path}:${line}: `), error.message);
      assert.match(error.message, words);
      return true;
    },
  );
}

describe("a list", () => {
  test("has one address a line, with comments and blank lines, and says where each is", async () => {
    const listed = parse(
      "# our mailboxes",
      "",
      "foo@a.example",
      "   \t ",
      "  bar@a.example   # Bar, who is new",
      "baz+#1@a.example",
      "#gone@a.example",
    );
    assert.deepEqual(listed, [
      { address: "foo@a.example", args: {}, place: `${path}:3` },
      { address: "bar@a.example", args: {}, place: `${path}:5` },
      { address: "baz+#1@a.example", args: {}, place: `${path}:6` },
    ]);
  });

  for (const [what, text] of [
    ["LF", "foo@a.example\nbar@a.example\n"],
    ["CRLF", "foo@a.example\r\nbar@a.example\r\n"],
    ["CR", "foo@a.example\rbar@a.example"],
    ["a byte-order mark", "\uFEFFfoo@a.example\nbar@a.example"],
  ] as const) {
    test(`with ${what}`, async () => {
      const listed = [...parseAccountList(text, path)];
      assert.deepEqual(
        listed.map(({ address, place }) => [address, place]),
        [
          ["foo@a.example", `${path}:1`],
          ["bar@a.example", `${path}:2`],
        ],
      );
    });
  }

  test("that is empty, or only comments, has nobody", async () => {
    for (const text of ["", "\n\n", "# nobody", "\uFEFF"]) assert.deepEqual(parse(text), []);
  });

  const spellings: [string, Arguments][] = [
    ["--provider office365", { provider: "office365" }],
    ["--provider=office365", { provider: "office365" }],
    ["--token-file a.txt --login bar@a.example", { "token-file": "a.txt", login: "bar@a.example" }],
    ["--token_file a.txt", { "token-file": "a.txt" }],
    ["-token_file=a.txt", { "token-file": "a.txt" }],
    ["-provider office365", { provider: "office365" }],
    ["--scope_string 'a b'", { scope: "a b" }],
    ["--application imapsync", { app: "imapsync" }],
    ["--thunderbird --tenant contoso.example", { thunderbird: true, tenant: "contoso.example" }],
    ['--scope "a b"', { scope: "a b" }],
    ['--scope="a b"', { scope: "a b" }],
    ["--token-file 'Kaïs file.txt' # his", { "token-file": "Kaïs file.txt" }],
    [`--token-file "it's.txt"`, { "token-file": "it's.txt" }],
    [`--token-file a" "'b'"c"`, { "token-file": "a bc" }],
    ["--token-file '#1.txt'", { "token-file": "#1.txt" }],
    ["--token-file C:\\tokens\\a.txt", { "token-file": "C:\\tokens\\a.txt" }],
    ["--scope=a=b", { scope: "a=b" }],
  ];
  for (const [text, args] of spellings) {
    test(`takes ${text}`, async () => {
      assert.deepEqual(parse(`foo@a.example ${text}`), [
        { address: "foo@a.example", args, place: `${path}:1` },
      ]);
    });
  }

  const wrong: [string, RegExp][] = [
    ["foo@a.example --frobnicate", /"--frobnicate" is no option for one account/],
    ["foo@a.example --frobnicate=yes", /is no option for one account/],
    ["foo@a.example bar@a.example", /"bar@a.example" is no option/],
    ["foo@a.example --list more.txt", /is no option/],
    ["foo@a.example --json", /is no option/],
    ["foo@a.example --every 5m", /is no option/],
    ["foo@a.example --constructor x", /is no option/],
    ["foo@a.example --__proto__ x", /is no option/],
    ["foo@a.example --PROVIDER google", /is no option/],
    ["foo@a.example -", /is no option/],
    ["foo@a.example --", /is no option/],
    ["foo@a.example --provider", /--provider needs a value/],
    ["foo@a.example --provider=", /--provider needs a value/],
    ["foo@a.example --provider ''", /--provider needs a value/],
    ["foo@a.example --provider # google", /--provider needs a value/],
    ["foo@a.example --thunderbird=yes", /--thunderbird takes no value/],
    ["foo@a.example --app a --application b", /--app is given more than once/],
    ["foo@a.example --token-file a --token_file a", /--token-file is given more than once/],
    ["foo@a.example --scope 'a b", /the quote ' has no end/],
    ['foo@a.example --scope a"b', /the quote " has no end/],
    ["'", /the quote ' has no end/],
  ];
  for (const [line, words] of wrong) {
    test(`refuses ${line}, and says where`, async () => {
      await assertWrong(() => parse("# the first line", line, "bar@a.example"), 2, words);
    });
  }

  test("that cannot be read: 65 with the reason, relative to the current directory", async () => {
    const cwd = temporaryDirectory();
    mkdirSync(join(cwd, "directory"));
    writeFileSync(join(cwd, "list.txt"), "foo@a.example\n");
    const here = testWorld({ cwd });
    const place = `${join(cwd, "list.txt")}:1`;
    const expected = [{ address: "foo@a.example", args: {}, place }];
    assert.deepEqual(await readAccountList(here, "list.txt"), expected);
    for (const [name, words] of [
      ["missing.txt", /cannot read .*missing\.txt: it does not exist/],
      ["directory", /directory is not a regular file/],
    ] as const) {
      await assert.rejects(readAccountList(here, name), (error) => {
        assert.ok(error instanceof MxtokenError);
        assert.equal(error.exitStatus, 65);
        assert.match(error.message, words);
        return true;
      });
    }
  });
});

describe("the accounts of a list", () => {
  const settingsOf = async (text: string, common: Arguments = {}) =>
    (await keep(text, common)).map(({ settings }) => settings);

  test("have the common options, and a line's own ones replace them", async () => {
    const common = { provider: "google", home: "/srv/mail", "imap-server": "a.example" };
    const [one, other] = await settingsOf(
      "foo@a.example\nbar@a.example --provider office365",
      common,
    );
    assert.deepEqual([one?.provider, other?.provider], ["google", "office365"]);
    for (const settings of [one, other]) {
      assert.deepEqual([settings?.home, settings?.imapServer], ["/srv/mail", "a.example"]);
    }
  });

  const alternatives: [string, Arguments, string, Record<string, unknown>][] = [
    [
      "a secret in a file takes the place of a common command",
      { "client-secret-command": "pass show app" },
      "--client-secret-file s.txt",
      { clientSecret: { file: "s.txt" }, clientCertificate: undefined },
    ],
    [
      "a certificate takes the place of a common secret",
      { "client-secret-file": "s.txt" },
      "--client-certificate c.pem",
      { clientSecret: { command: undefined }, clientCertificate: "c.pem" },
    ],
    [
      "an application takes the place of Thunderbird",
      { thunderbird: true },
      "--app imapsync",
      { app: "imapsync" },
    ],
    [
      "Thunderbird takes the place of an application",
      { app: "imapsync" },
      "--thunderbird",
      { app: "thunderbird" },
    ],
    [
      "a service account takes the place of a flow",
      { flow: "device" },
      "--service-account-key k.json",
      { flow: "service-account", serviceAccountKey: "k.json" },
    ],
    [
      "a flow takes the place of a service account",
      { "service-account-key": "k.json" },
      "--flow device",
      { flow: "device", serviceAccountKey: undefined },
    ],
  ];
  for (const [what, common, line, expected] of alternatives) {
    test(what, async () => {
      const [settings] = await settingsOf(`foo@a.example ${line}`, common);
      const found = Object.keys(expected).map((name) => [name, Reflect.get(settings ?? {}, name)]);
      assert.deepEqual(Object.fromEntries(found), expected);
    });
  }

  test("the same address twice with the same options is one account", async () => {
    for (const text of [
      "foo@a.example\nfoo@a.example",
      "foo@a.example\nFoo@A.example",
      "foo@a.example --provider google\nfoo@a.example --provider=google",
      "foo@a.example --provider google --app imapsync\nfoo@a.example --app imapsync --provider google",
    ]) {
      assert.equal((await keep(text)).length, 1, text);
    }
  });

  test("with different options it is an error that names both places", async () => {
    for (const [one, other] of [
      ["", "--tenant contoso.example"],
      ["--provider google --app imapsync", "--provider google"],
      ["--token-file a.txt", "--token-file a.txt --login bar@a.example"],
      // Two names of one provider, and so one token file.
      ["--provider google", "--provider gmail"],
    ]) {
      await assertWrong(
        () => keep(`foo@a.example ${one}\nbar@a.example\nfoo@a.example ${other}`),
        3,
        new RegExp(`is there twice with different options, also at ${path}:1$`),
      );
    }
  });

  test("what a line repeats of the common options makes no difference", async () => {
    const text = "foo@a.example\nfoo@a.example --provider google";
    assert.equal((await keep(text, { provider: "google" })).length, 1);
  });

  test("named on the command line as well: the same, or an error", async () => {
    const named = { address: "foo@a.example", args: {}, place: "" };
    const both = (line: string) =>
      accountsToKeep([named, ...parse(line)], { provider: "google" }, world, () => undefined);
    assert.equal((await both("foo@a.example")).length, 1);
    await assertWrong(() => both("foo@a.example --app imapsync"), 1, /is there twice/);
  });

  test("at two providers it is two accounts, and their labels tell them apart", async () => {
    const text =
      "foo@a.example --provider google\nfoo@a.example --provider office365\nbar@a.example";
    assert.deepEqual(
      (await keep(text)).map(({ label }) => label),
      ["foo@a.example (google)", "foo@a.example (office365)", "bar@a.example"],
    );
  });

  test("in two files it is two accounts, and their labels tell them apart", async () => {
    for (const common of [{}, { provider: "google" }]) {
      const text = "foo@a.example --token-file a.txt\nfoo@a.example --token-file b.txt";
      const labels = (await keep(text, common)).map(({ label }) => label);
      assert.equal(new Set(labels).size, 2, labels.join(" and "));
      for (const label of labels) assert.match(label, /^foo@a\.example \(/);
    }
  });

  test("know the command by which a person signs in, with the options of their line", async () => {
    const [account] = await keep(
      "foo@a.example --provider office365 --client-secret-file 's 1.txt'",
      {
        home: "mail",
        "client-id": "own",
      },
    );
    const command = account?.signInCommand() ?? "";
    assert.match(command, /^mxtoken foo@a\.example --provider office365 /);
    assert.match(command, / --client-id own( |$)/);
    assert.match(command, / --client-secret-file '\/home\/foo\/s 1\.txt'( |$)/);
    assert.match(command, / --home \/home\/foo\/mail( |$)/);
  });

  test("warn of a secret that everybody can read, once and not for every line", async () => {
    const warnings: string[] = [];
    await keep("foo@a.example\nbar@a.example", { "client-secret": "sesame" }, (text) =>
      warnings.push(text),
    );
    assert.equal(warnings.length, 1);
    assert.doesNotMatch(warnings.join(), /sesame/);
  });

  for (const [line, words] of [
    ["foo", /is not a mailbox address/],
    ["''", /is not a mailbox address/],
    ["foo@a.example --flow sideways", /--flow: "sideways" is no flow/],
    ["foo@a.example --verify ftp", /--verify: "ftp" is no protocol/],
    ["foo@a.example --login nobody", /--login: /],
    ["foo@a.example --dns-server nowhere.example", /dns-server/],
    ["foo@a.example --thunderbird --app imapsync", /contradict each other/],
    ["foo@a.example --client-secret-file a --client-secret-command b", /more than once/],
  ] as const) {
    test(`refuse ${line}, and say where`, async () => {
      await assertWrong(() => keep(`# comment\n\n${line}\n`), 3, words);
    });
  }

  test("an error of the command line has no place of the list", async () => {
    const listed = [{ address: "foo", args: {}, place: "" }];
    await assert.rejects(
      () => accountsToKeep(listed, {}, world, () => undefined),
      (error) => error instanceof MxtokenError && error.exitStatus === 64,
    );
  });
});

describe("whatever the text", () => {
  const piece = fc.oneof(
    fc.string({ unit: "binary", maxLength: 8 }),
    fc.constantFrom(
      ...["foo@a.example", "--provider", "google", "--provider=x", "-token_file", "--thunderbird"],
      ...["#", '"', "'", "''", "\\", "\n", "\r\n", " ", "\t", "\uFEFF", "\u2028", "--", "-", "="],
      ...["--__proto__=x", "--constructor", "--flow", "device", "--verify", "none", "--login"],
    ),
  );
  const text = fc
    .array(piece, { maxLength: 40 })
    .chain((pieces) => fc.constantFrom("", " ").map((between) => pieces.join(between)));

  test("there are accounts, or an error that says where", async () => {
    let read = 0;
    await fc.assert(
      fc.asyncProperty(text, async (whole) => {
        const lines = whole.split(/\r\n|\n|\r/).length;
        try {
          for (const { label } of await keep(whole)) assert.match(label, /@/);
          read += 1;
        } catch (error) {
          assert.ok(error instanceof MxtokenError, String(error));
          assert.equal(error.code, "unreadable");
          const [, line] = /^\/home\/foo\/accounts\.txt:(\d+): /.exec(error.message) ?? [];
          assert.ok(Number(line) >= 1 && Number(line) <= lines, error.message);
        }
      }),
      { numRuns: 2000 },
    );
    assert.ok(read > 0);
  });

  test("a word that is quoted comes out as it is", async () => {
    const value = fc
      .string({ unit: "binary", minLength: 1, maxLength: 20 })
      .filter((given) => !/["\r\n]/.test(given) && given.trim() !== "");
    fc.assert(
      fc.property(value, (given) => {
        const [listed] = parse(`foo@a.example --scope "${given}" # comment`);
        assert.deepEqual(listed?.args, { scope: given });
      }),
      { examples: [["--provider google"], ["#"], ["'"], ["-a_b"], ["=\u2028"]] },
    );
  });
});
