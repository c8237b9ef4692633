import assert from "node:assert/strict";
import { resolve } from "node:path";
import { describe, test } from "node:test";
import { parseAddress } from "../../src/mailbox.ts";
import { signInCommand } from "../../src/programs/commands-to-copy.ts";
import { parseAccountList } from "../../src/settings/account-list.ts";
import { commandNames, type OptionRow, optionGroups } from "../../src/settings/account-options.ts";
import { combined, environmentName, Given } from "../../src/settings/given.ts";
import {
  accountRows,
  optionRows,
  rowsOf,
  sideRows,
  sides,
} from "../../src/settings/option-rows.ts";
import { resolveCommonSettings } from "../../src/settings/settings.ts";
import { spellingsOf } from "../../src/settings/words.ts";
import { secretsIn } from "../../src/world/builtins.ts";
import { runMain } from "../scene/scene.ts";
import { testWorld } from "../scene/world.ts";

const cwd = "/home/foo";
const address = parseAddress("foo@example.test");
const valuesOfKind = { text: "x", path: "x/y", number: "7", duration: "7m", protocols: "smtp" };

/** A value that the option takes; true for a flag. */
function valueFor({ name, kind, words }: OptionRow): string | true {
  if (kind === "flag") return true;
  if (kind === "word") return words?.[0] ?? "";
  const odd: Record<string, string> = { login: "p@example.test", "dns-server": "192.0.2.1" };
  return odd[name] ?? valuesOfKind[kind];
}

for (const row of optionRows) {
  const { name, kind } = row;
  describe(`--${name}`, () => {
    test("is a whole row: of a command, of a group, with a help in our style", () => {
      assert.match(name, /^[a-z]+(-[a-z]+)*$/);
      assert.ok(row.of.length > 0 && row.of.every((each) => commandNames.includes(each)));
      assert.ok(optionGroups.includes(row.group));
      for (const help of [row.help, ...Object.values(row.helpOf ?? {})]) {
        assert.doesNotMatch(help, /\.$|^$/);
      }
      assert.equal(kind === "word", row.words !== undefined);
      assert.ok(kind === "number" || row.largest === undefined);
      assert.ok(!(row.isSecret && row.isForSignIn), "a secret is shown to nobody");
    });

    test("is read from the command line and from the environment", () => {
      const value = valueFor(row);
      const args = { [name]: value };
      const env = { [environmentName(name)]: String(value) };
      assert.equal(new Given(args, {}).valueOf(row), kind === "flag" ? undefined : value);
      // What is given or not, no environment gives.
      assert.equal(new Given({}, env).valueOf(row), kind === "flag" ? undefined : value);
      if (row.isSecret) assert.deepEqual(secretsIn(env), env, "child processes would inherit it");
    });
  });
}

test("names in the environment", () => {
  assert.equal(environmentName("token-file"), "MXTOKEN_TOKEN_FILE");
  assert.equal(environmentName("scope"), "MXTOKEN_SCOPE");
  assert.equal(
    new Set(optionRows.map(({ name }) => environmentName(name))).size,
    optionRows.length,
  );
});

for (const command of commandNames) {
  test(`the help of ${command} has its rows, each with its words, and no other option`, async () => {
    const argv = command === "get" ? ["--help"] : [command, "--help"];
    const { stdout } = await runMain(argv, testWorld({ cwd }));
    const [, options = ""] = stdout.split("Options:");
    const rows = rowsOf(command).filter(({ isHidden }) => isHidden !== true);
    const shown = [...options.matchAll(/^ +(?:-h, )?(--[^ ]+(?:, --[^ ]+)*) {2}/gm)].map(
      (match) => match[1],
    );
    assert.deepEqual(
      shown.toSorted(),
      [...rows.map((row) => spellingsOf(row).join(", ")), "--help", "--version"].toSorted(),
    );
    const text = options.replaceAll(/\s+/g, " ");
    for (const { help, helpOf } of rows) {
      const words = (helpOf?.[command] ?? help).split(" ").slice(0, 3).join(" ");
      assert.ok(text.includes(words), words);
    }
  });

  test(`no two options of ${command} are written in the same way`, () => {
    const spellings = rowsOf(command).flatMap(spellingsOf);
    assert.equal(new Set(spellings).size, spellings.length);
  });
}

describe("what is one account's own", () => {
  const given = Object.fromEntries(accountRows.map((row) => [row.name, valueFor(row)]));
  const said = ({ name }: OptionRow, value: string | true) =>
    value === true ? `--${name}` : `--${name} ${value}`;

  for (const row of accountRows) {
    const value = valueFor(row);

    test(`--${row.name} may stand in a line of a list, however it is written`, () => {
      for (const spelling of spellingsOf(row)) {
        const line = `foo@example.test ${spelling}${value === true ? "" : ` ${value}`}`;
        const [listed] = [...parseAccountList(line, "list")];
        assert.deepEqual(listed?.args, { [row.name]: value });
      }
    });

    test(`--${row.name} is there for each side of run, with its alias`, () => {
      for (const side of sides) {
        const sided = sideRows(side).find(({ name }) => name === `${row.name}${side}`);
        assert.ok(sided);
        const spellings = spellingsOf(row).map((spelling) => `${spelling}${side}`);
        assert.deepEqual([sided.kind, spellingsOf(sided)], [row.kind, spellings]);
        assert.ok(rowsOf("run").some(({ name }) => name === sided.name));
      }
    });

    test(`--${row.name} ${row.isForSignIn ? "is told" : "is not told"} to who must sign in`, () => {
      const command = signInCommand({ [row.name]: value }, testWorld({ cwd }), address);
      const told = row.kind === "path" ? resolve(cwd, String(value)) : value;
      assert.equal(command.includes(said(row, told)), row.isForSignIn === true, command);
      assert.equal(command.includes(`--${row.name}`), row.isForSignIn === true, command);
    });

    test(`--${row.name} of one account replaces what is said of all, in whatever way`, () => {
      const others = accountRows.filter((other) => other.choice !== row.choice || !row.choice);
      const expected = others
        .filter((other) => other !== row)
        .map(({ name }) => [name, given[name]]);
      const own = { [row.name]: "own" };
      assert.deepEqual(combined(given, own), { ...Object.fromEntries(expected), ...own });
    });

    // What several options say together, or what is no text, has tests of its own.
    const isSetting = row.kind !== "flag" && !["access", "app", "login"].includes(row.name);
    if (isSetting && !/^(?:dns-server|verify|flow|client-secret.*)$/.test(row.name)) {
      test(`--${row.name} is a setting`, () => {
        const settings = resolveCommonSettings(
          new Given({ [row.name]: value }, {}),
          () => undefined,
        );
        const name = row.name.replaceAll(/-./g, (part) => part.slice(1).toUpperCase());
        assert.equal(Object.entries(settings).find(([key]) => key === name)?.[1], value);
      });
    }
  }

  test("a secret never stands in the command for a sign-in", () => {
    const secret = "kept-to-itself";
    const secrets = accountRows.filter(({ isSecret }) => isSecret);
    assert.ok(secrets.length > 0);
    const args = { ...given, ...Object.fromEntries(secrets.map(({ name }) => [name, secret])) };
    const env = Object.fromEntries(secrets.map(({ name }) => [environmentName(name), secret]));
    for (const command of [
      signInCommand(args, testWorld({ cwd }), address),
      signInCommand({}, testWorld({ cwd, env }), address),
    ]) {
      assert.ok(!command.includes(secret), command);
    }
  });
});
