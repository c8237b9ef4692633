import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import fc from "fast-check";
import { atDoubleDash, parseCommandLine } from "../../src/cli/command-line.ts";
import { getCommand, showCommand } from "../../src/cli/commands.ts";
import { readPlain, showQuickly } from "../../src/cli/show-token.ts";
import { MxtokenError } from "../../src/errors.ts";
import type { OptionRow } from "../../src/settings/account-options.ts";
import type { Given } from "../../src/settings/given.ts";
import { rowsOf } from "../../src/settings/option-rows.ts";
import { spellingsOf } from "../../src/settings/words.ts";
import { temporaryDirectory } from "../scene/certificates.ts";
import { runMain, tokenFileText, user } from "../scene/scene.ts";
import { type TestWorld, testWorld } from "../scene/world.ts";

// `mxtoken show` is read from the rows of its options before yargs is loaded. Both must agree: what is
// read quickly, yargs reads in the same way.

const directory = temporaryDirectory();
const tokens = join(directory, "tokens");
mkdirSync(tokens, { mode: 0o700 });
for (const [name, notes] of [
  [`oauth2_tokens_${user}.txt`, {}],
  [`oauth2_tokens_${user}_office365.txt`, { Provider: "office365" }],
  ["odd name=1.txt", {}],
  ["oauth2_tokens_o'dd@example.test.txt", { Account: "o'dd@example.test" }],
] as const) {
  writeFileSync(
    join(tokens, name),
    tokenFileText(`access of ${name}`.replaceAll(/\W/g, "-"), "r", notes),
  );
}
const empty = temporaryDirectory();

const rows = rowsOf("show");

/** What is given, by the names of the rows; undefined for a command line that is refused, or for help. */
function contents({ args, words, behind }: Given) {
  const options = rows.flatMap(({ name }) => (name in args ? [[name, args[name]]] : []));
  return { options: Object.fromEntries(options), words: [...words, ...behind] };
}

function readQuickly(argv: readonly string[]) {
  try {
    return contents(readPlain(argv, testWorld({ cwd: directory })));
  } catch (error) {
    if (error instanceof MxtokenError) return undefined;
    throw error;
  }
}

async function readByYargs(argv: readonly string[]) {
  try {
    const asked = await parseCommandLine(atDoubleDash(argv), [getCommand, showCommand], {});
    return asked.is === "command" && asked.command === showCommand
      ? contents(asked.given)
      : undefined;
  } catch (error) {
    if (error instanceof MxtokenError) return undefined;
    throw error;
  }
}

/** @returns whether it is read quickly */
async function assertAgreement(argv: readonly string[]): Promise<boolean> {
  const quick = readQuickly(argv);
  if (quick === undefined) return false;
  assert.deepEqual(quick, await readByYargs(argv), JSON.stringify(argv));
  return true;
}

/** Each way to write an option, with oauth2_imap's. */
function waysToWrite(row: OptionRow): string[] {
  return spellingsOf(row).flatMap((spelling) => [
    ...[spelling, spelling.replaceAll(/\b-/g, "_"), spelling.slice(1)],
  ]);
}

const oddValues = [
  ...["", " ", "-", "--", "-x", "-1", "-token_file", "--json", "--home=x", "--frobnicate"],
  ...["true", "false", "'q'", '"q"', `"q" q`, "q'", "o'q", 'o"q', "a=b", "=", "a b", "a\nb", "ü"],
  ...["1e3", "0x10", "1.0", "$(x)", "[object]", user, "show", "no", "__proto__"],
];

for (const row of rows) {
  describe(`--${row.name}`, () => {
    const isFlag = row.kind === "flag";
    const usual = (word: string) => (isFlag ? [[word]] : [[word, "x"], [`${word}=x`]]);

    test("is read in every way to write it", async () => {
      for (const [index, words] of waysToWrite(row).flatMap(usual).entries()) {
        const isQuick = await assertAgreement(
          index % 2 === 0 ? ["show", user, ...words] : ["show", ...words, user],
        );
        assert.equal(isQuick, row.name !== "verbose", JSON.stringify(words));
      }
    });

    test("and left to yargs twice, without its value, or with one that it does not take", async () => {
      const [word = ""] = waysToWrite(row);
      for (const wrong of [
        ...waysToWrite(row).map((other) => [...(usual(word)[0] ?? []), ...(usual(other)[0] ?? [])]),
        ...(isFlag ? [[`${word}=`], [`${word}=true`], [word, "true"]] : [[word], [`${word}=`]]),
        ...[[word.toUpperCase()], [`${word}.x`, "y"], [`--no-${row.name}`]],
      ]) {
        assert.equal(readQuickly(["show", user, ...wrong]), undefined, JSON.stringify(wrong));
      }
    });
  });
}

// How a value is read is the same for all rows of a kind.
for (const name of ["json", "home", "scope"]) {
  test(`--${name} with any value`, async () => {
    for (const value of oddValues) {
      await assertAgreement(["show", user, `--${name}`, value]);
      await assertAgreement(["show", `--${name}`, value, user]);
      await assertAgreement(["show", user, `--${name}=${value}`]);
    }
  });
}

describe("beside the options", () => {
  const lines: readonly (readonly [argv: readonly string[], isQuick: boolean])[] = [
    [["show", user], true],
    [["show", "FOO@EXAMPLE.test"], true],
    [["show", ` ${user} `], true],
    [["show", "o'dd@example.test"], true],
    [["show", "foo"], true],
    [["show", "show"], true],
    ...[
      ...[[], ["show"], ["SHOW", user], [user], ["--json", "show", user], ["show", "--json"]],
      ...[
        ["show", "--"],
        ["show", "--", user],
        ["show", user, "--"],
        ["show", user, "--", "--json"],
      ],
      ...["", "-", "-z", "-h", "--help", "--version", "true", "bar@example.test"].map((word) => [
        ...["show", user, word],
      ]),
      ...["true", "false", "-", "--", "", "--help"].map((word) => ["show", word]),
      ...["--frobnicate", "--frobnicate=1", "--constructor", "--startover", "--no-json"].map(
        (word) => ["show", user, word],
      ),
      ["show", user, "--verify", "imap"],
      ["show", user, "--address", "bar@example.test"],
      ["show", user, "--__proto__", "x"],
      ["show", user, "--tokenFile", "x"],
    ].map((argv) => [argv, false] as const),
  ];
  for (const [argv, isQuick] of lines) {
    test(`${JSON.stringify(argv)} is ${isQuick ? "read quickly" : "left to yargs"}`, async () => {
      assert.equal(await assertAgreement(argv), isQuick);
    });
  }

  test("and whatever the command line", async (context) => {
    const value = fc.oneof(fc.constantFrom("x", ...oddValues), fc.string({ maxLength: 4 }));
    const option = fc
      .tuple(fc.constantFrom(...rows), fc.nat(), value, fc.boolean())
      .map(([row, way, text, isInline]) => {
        const ways = waysToWrite(row);
        const word = ways[way % ways.length] ?? "";
        if (row.kind === "flag" && way % 9 > 0) return [word];
        return isInline ? [`${word}=${text}`] : [word, text];
      });
    const part = fc.oneof(
      { weight: 8, arbitrary: option },
      fc.constantFrom(...oddValues).map((word) => [word]),
    );
    const commandLine = fc
      .tuple(fc.array(part, { maxLength: 4 }), fc.nat({ max: 4 }))
      .map(([parts, place]) => ["show", ...parts.toSpliced(place, 0, [user]).flat()]);
    let runs = 0;
    let quick = 0;
    await fc.assert(
      fc.asyncProperty(commandLine, async (argv) => {
        runs += 1;
        if (await assertAgreement(argv)) quick += 1;
      }),
      { numRuns: 300, includeErrorInReport: true },
    );
    context.diagnostic(`${quick} of ${runs} were read quickly`);
    assert.ok(quick > runs / 5, `${quick} of ${runs} were read quickly`);
  });
});

/** One in which nobody can be asked anything, and no command is run. */
function closedWorld(env: Record<string, string> = {}): TestWorld {
  const world = testWorld({ cwd: directory, env });
  world.http = () => Promise.reject(new MxtokenError("unreachable", "there is no network"));
  world.run = async () => ({ status: 1, stdout: "" });
  return world;
}

/** Whether it is printed quickly, and as the whole program prints it; else how that ends. */
async function decidedBy(
  argv: readonly string[],
  env?: Record<string, string>,
): Promise<"quick" | number> {
  const world = closedWorld(env);
  const printed = await showQuickly(argv, world);
  assert.deepEqual({ ...world.written }, { stdout: "", stderr: "" });
  const result = await runMain(argv, closedWorld(env));
  if (printed === undefined) return result.status;
  assert.deepEqual(result, { status: 0, stdout: printed, stderr: "" });
  return "quick";
}

describe("what is printed quickly is what the whole program prints", () => {
  const odd = join(tokens, "odd name=1.txt");
  const lines: readonly (readonly [words: readonly string[], decides: "quick" | number])[] = [
    [[], "quick"],
    [["--json"], "quick"],
    [["--verbose"], 0],
    [["--debug"], 0],
    [["--quiet", "--verbose"], 78],
    [["--format", "xoauth2"], "quick"],
    [["--format", "HEADER"], "quick"],
    [["--format", "yaml"], 64],
    [["--json", "--format", "json"], "quick"],
    [["--json", "--format", "raw"], 78],
    [["--format=oauthbearer", "--protocol=smtp"], "quick"],
    [["--format=oauthbearer", "--imap-server", "imap.example:143"], "quick"],
    [["--format=oauthbearer", "--imap_server=starttls://imap.example:1"], "quick"],
    [["--protocol", "imap,pop"], 64],
    [["--home", directory], "quick"],
    [["--home", empty], 77],
    [["--home", " "], 64],
    [["--token-file", odd], "quick"],
    [["-token_file", join("tokens", "odd name=1.txt")], "quick"],
    [["--token-file", `"${odd}"`], 77],
    [[`--token-file='${odd}'`], 77],
    [["--provider", "GMail"], "quick"],
    [["--provider=office365"], "quick"],
    [["--provider", "nobody"], 64],
    [["--provider=google", "--provider=office365"], 64],
    [["--client-id", "test-client"], "quick"],
    [["--client_id", "another"], 78],
    [["--tenant", "1.0"], "quick"],
    [["--tenant", "-1"], 0],
    [["--tenant=-1"], 0],
    [["--login", "p@example.test", "--format", "xoauth2", "--protocol", "smtp"], "quick"],
    [["--login", "nobody"], 64],
    [["--login=a=b@example.test", "--json", "--protocol", "smtp"], "quick"],
    [["--min-life", "1h"], "quick"],
    [["--min_life=90"], "quick"],
    [["--min-life", "2h"], 75],
    [["--min-life", "soon"], 64],
    [["--thunderbird"], "quick"],
    [["--thunderbird", "--app", "imapsync"], 78],
    [["--app", "own"], "quick"],
    [["--application", "own"], "quick"],
    [["--application=own", "--app=own"], 64],
    [["--scope-string", "a b"], "quick"],
    [["--scope", "a\nb"], "quick"],
    [["--scope=-a"], 0],
    [["--scope", '"a" b'], 0],
    [["--access", "imap,smtp"], "quick"],
    [["--access", "imap,nntp"], 64],
    [["--flow", "device"], "quick"],
    [["--flow", "client-credentials"], 78],
    [["--flow", "magic"], 64],
    [["--dns-server", "192.0.2.1:53"], "quick"],
    [["--dns-server", "nowhere"], 64],
    [["--client-secret", "s"], 0],
    [["--client-secret-file", "f"], "quick"],
    [["--client-secret-file=a", "--client-secret-command=b"], 78],
    [["--nocache"], 75],
    [["--access-token-stdin"], 64],
    [["--refresh-token-stdin"], 64],
    [["--access-token-stdin", "--refresh-token-stdin"], 78],
    [["bar@example.test"], 64],
    [["--"], 0],
    [["--help"], 0],
    [["--version"], 0],
  ];
  for (const [words, decides] of lines) {
    test(
      JSON.stringify(words).replaceAll(directory, "DIR").replaceAll(empty, "EMPTY"),
      async () => {
        assert.equal(await decidedBy(["show", user, ...words]), decides);
      },
    );
  }

  for (const [argv, decides] of [
    [["show", "--format", "xoauth2", user], "quick"],
    [["show", "FOO@EXAMPLE.test"], "quick"],
    [["show", ` ${user} `], "quick"],
    [["show", "o'dd@example.test"], "quick"],
    [["show", "'o'dd@example.test'"], 64],
    [["show", `"${user}"`], 64],
    [["show", "--", user], 0],
    [["--json", "show", user], 0],
    [["show", "bar@example.test"], 77],
    [["show", "foo"], 64],
    [["show"], 64],
    [["SHOW", user], 64],
    [[], 64],
  ] as const) {
    test(JSON.stringify(argv), async () => {
      assert.equal(await decidedBy(argv), decides);
    });
  }

  const secret = { MXTOKEN_CLIENT_SECRET: "s" };
  for (const [env, decides] of [
    [{ MXTOKEN_FORMAT: "header" }, "quick"],
    [{ MXTOKEN_FORMAT: "yaml" }, 64],
    [{ MXTOKEN_FORMAT: " " }, "quick"],
    [
      { MXTOKEN_PROTOCOL: "smtp", MXTOKEN_LOGIN: "p@example.test", MXTOKEN_FORMAT: "xoauth2" },
      "quick",
    ],
    [{ MXTOKEN_MIN_LIFE: "2h" }, 75],
    [{ MXTOKEN_MIN_LIFE: "garbage" }, 64],
    [{ MXTOKEN_HOME: directory }, "quick"],
    [{ MXTOKEN_HOME: empty }, 77],
    [{ MXTOKEN_TOKEN_FILE: odd }, "quick"],
    [{ MXTOKEN_PROVIDER: "office365" }, "quick"],
    [{ MXTOKEN_PROVIDER: "nobody" }, 64],
    [{ MXTOKEN_CLIENT_ID: "another" }, 78],
    [{ MXTOKEN_VERIFY: "none" }, "quick"],
    [{ MXTOKEN_VERIFY: "nntp" }, 64],
    [{ MXTOKEN_ACCESS: "nntp" }, 64],
    [secret, "quick"],
    [{ ...secret, MXTOKEN_CLIENT_SECRET_FILE: "f" }, 78],
    [{ MXTOKEN_JSON: "true", MXTOKEN_VERBOSE: "true" }, "quick"],
  ] as const) {
    test(JSON.stringify(env).replaceAll(directory, "DIR").replaceAll(empty, "EMPTY"), async () => {
      assert.equal(await decidedBy(["show", user], env), decides);
    });
  }
});
