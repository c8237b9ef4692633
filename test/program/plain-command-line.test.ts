import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { parseCommandLine } from "../../src/cli/command-line.ts";
import {
  certCommand,
  checkCommand,
  getCommand,
  providerCommand,
  revokeCommand,
  showCommand,
} from "../../src/cli/commands.ts";
import { keepCommand, runCommand } from "../../src/cli/keep-and-run.ts";
import { atDoubleDash, readPlain } from "../../src/cli/plain-command-line.ts";
import { MxtokenError } from "../../src/errors.ts";
import type { CommandName, OptionRow } from "../../src/settings/account-options.ts";
import type { Given } from "../../src/settings/given.ts";
import { rowsOf } from "../../src/settings/option-rows.ts";
import { spellingsOf } from "../../src/settings/words.ts";
import { user } from "../scene/scene.ts";

// Plain command lines are read from the rows of the options, and yargs is not loaded. Both must agree: what
// is read without it, yargs reads in the same way.

const commands = [
  ...[getCommand, showCommand, keepCommand, runCommand, checkCommand],
  ...[providerCommand, revokeCommand, certCommand],
];

const rows = rowsOf("show");

/** What is given, by the names of the rows. */
function contents(name: CommandName, { args, words, behind }: Given) {
  const own = rowsOf(name).flatMap((row) => (row.name in args ? [[row.name, args[row.name]]] : []));
  return { name, options: Object.fromEntries(own), words, behind };
}

function readQuickly(argv: readonly string[]) {
  const plain = readPlain(atDoubleDash(argv), {});
  return plain && contents(plain.name, plain.given);
}

/** @returns undefined for a command line that is refused, or for help */
async function readByYargs(argv: readonly string[]) {
  try {
    const asked = await parseCommandLine(atDoubleDash(argv), commands, {});
    return asked.is === "command" ? contents(asked.command.name, asked.given) : undefined;
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

/**
 * The same for many command lines, of which more than one in `share` has to be read quickly.
 *
 * @returns how many were
 */
async function assertAgreementOf(
  commandLine: fc.Arbitrary<string[]>,
  numRuns: number,
  share: number,
): Promise<string> {
  let runs = 0;
  let quick = 0;
  await fc.assert(
    fc.asyncProperty(commandLine, async (argv) => {
      runs += 1;
      if (await assertAgreement(argv)) quick += 1;
    }),
    { numRuns, includeErrorInReport: true },
  );
  const told = `${quick} of ${runs} were read quickly`;
  assert.ok(quick > runs / share, told);
  return told;
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
        assert.ok(isQuick, JSON.stringify(words));
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
      ...[[], ["show"], ["SHOW", user], ["--json", "show", user], ["show", "--json"]],
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
    context.diagnostic(await assertAgreementOf(commandLine, 300, 5));
  });
});

describe("other commands", () => {
  const lines: readonly (readonly [argv: readonly string[], isQuick: boolean])[] = [
    [[user], true],
    [["--json", user], true],
    [[user, "--startover", "--home", "x"], true],
    [["get", user], false],
    [["get"], false],
    [["keepp"], true],
    [[user, "keep"], false],
    [["--quiet", "keep"], false],
    [["true"], false],
    [["keep", user, "bar@example.test"], true],
    [["keep", "keep"], true],
    [["keep", user, "--", "bar@example.test"], false],
    [["keep"], false],
    [["run", user, "bar@example.test", "--", "imapsync", "--automap"], true],
    [["run", user, "--provider2", "google", "--", "true"], true],
    [["run", user, "--"], true],
    [["run", user], true],
    [["run", "--", "imapsync"], false],
    [["check", user, "--verify", "imap,pop"], true],
    [["check", user, "--startover"], false],
    [["provider", "example.test"], true],
    [["provider", "example.test", "other.test"], false],
    [["revoke", user, "--local-only"], true],
    [["revoke", "--all"], false],
    [["cert"], true],
    [["cert", "--renew"], true],
    [["cert", user], false],
  ];
  for (const [argv, isQuick] of lines) {
    test(`${JSON.stringify(argv)} is ${isQuick ? "read quickly" : "left to yargs"}`, async () => {
      assert.equal(await assertAgreement(argv), isQuick);
    });
  }

  test("whatever the command line", async (context) => {
    const name = fc.constantFrom(...commands.map((command) => command.name));
    const word = fc.constantFrom(user, "bar@example.test", "--", "imapsync", "keep", "--json", "x");
    const commandLine = name.chain((command) => {
      const option = fc.constantFrom(...rowsOf(command)).chain((row) => {
        const way = fc.constantFrom(...waysToWrite(row));
        if (row.kind === "flag") return way.map((spelling) => [spelling]);
        return fc.tuple(way, fc.constantFrom("x", "a b", ...oddValues)).map((pair) => [...pair]);
      });
      const part = fc.oneof(
        { weight: 3, arbitrary: option },
        word.map((one) => [one]),
      );
      return fc
        .array(part, { maxLength: 4 })
        .map((parts) => [...(command === "get" ? [] : [command]), user, ...parts.flat()]);
    });
    context.diagnostic(await assertAgreementOf(commandLine, 400, 8));
  });
});
