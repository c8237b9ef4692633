import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import fc from "fast-check";
import { readShowOrder, type ShowOrder, showOptions } from "../../src/cli/show-options.ts";
import { parsePlain, showQuickly } from "../../src/cli/show-quickly.ts";
import { MxtokenError } from "../../src/errors.ts";
import { printable } from "../../src/report/line.ts";
import type { Arguments } from "../../src/settings/options.ts";
import { withDashes } from "../../src/settings/spelling.ts";
import { temporaryDirectory } from "../scene/certificates.ts";
import { type Result, runMain, tokenFileText, user } from "../scene/scene.ts";
import { type TestWorld, testWorld } from "../scene/world.ts";

// `mxtoken show` is parsed before the parser of command lines is loaded. Both must agree: wherever
// the quick one decides, the whole program prints the same.

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

/** One in which nobody can be asked anything, and no command is run. */
function closedWorld(cwd: string, env: Record<string, string> = {}): TestWorld {
  const world = testWorld({ cwd, env });
  world.http = () => Promise.reject(new MxtokenError("unreachable", "there is no network"));
  world.run = async () => ({ status: 1, stdout: "" });
  return world;
}

async function quickly(argv: readonly string[], env?: Record<string, string>) {
  const world = closedWorld(directory, env);
  const printed = await showQuickly(argv.map(withDashes), world);
  assert.deepEqual({ ...world.written }, { stdout: "", stderr: "" });
  return printed;
}

function wholly(argv: readonly string[], env?: Record<string, string>, cwd = directory) {
  return runMain(argv, closedWorld(cwd, env));
}

/** Fails where the quick parser decides, and the whole program says something else. */
async function assertAgreement(
  argv: readonly string[],
  env?: Record<string, string>,
): Promise<{ printed: string | undefined; result: Result }> {
  const printed = await quickly(argv, env);
  const result = await wholly(argv, env);
  if (printed !== undefined) {
    assert.deepEqual(result, { status: 0, stdout: printed, stderr: "" }, argv.join(" "));
  }
  await assertSameOptions(argv, env);
  return { printed, result };
}

/** Without a token file the program repeats its options: in the command by which one is got. */
async function assertSameOptions(
  argv: readonly string[],
  env?: Record<string, string>,
): Promise<void> {
  const args = parsePlain(argv.map(withDashes));
  if (args === undefined || args["home"] !== undefined) return;
  const { status, stderr } = await wholly([...argv, "--home", empty], env, empty);
  const expected = orderOf({ ...args, home: empty }, closedWorld(empty, env));
  if (expected instanceof MxtokenError) {
    assert.ok(stderr.includes(`mxtoken: ${expected.message}\n`), `${argv.join(" ")}: ${stderr}`);
    assert.equal(status, expected.exitStatus, argv.join(" "));
  } else if (stderr.includes("somebody must sign in")) {
    const { signInCommand } = expected.request;
    // A terminal is shown no control characters.
    const shown = printable(signInCommand);
    assert.ok(stderr.includes(`\n  ${shown}\n`), `${signInCommand}: ${stderr}`);
  } else {
    assert.doesNotMatch(stderr, /unknown option|needs a value|takes no value/, argv.join(" "));
  }
}

function orderOf(args: Arguments, world: TestWorld): ShowOrder | MxtokenError {
  try {
    return readShowOrder(args, world, () => undefined);
  } catch (error) {
    if (error instanceof MxtokenError) return error;
    throw error;
  }
}

const show = ["show", user];
type Line = readonly [words: readonly string[], decides: "quick" | number];

const lines: readonly Line[] = [
  [show, "quick"],
  [["show", "FOO@EXAMPLE.test"], "quick"],
  [[...show, "--json"], "quick"],
  [["show", "--json", user], "quick"],
  [["show", "--quiet", user, "--json"], "quick"],
  [["show", "--format", "xoauth2", user], "quick"],
  [[...show, "--format", "xoauth2"], "quick"],
  [[...show, "--format=xoauth2"], "quick"],
  [[...show, "-format=header"], "quick"],
  [[...show, "--format", "HEADER"], "quick"],
  [[...show, "--format=oauthbearer", "--protocol=smtp"], "quick"],
  [[...show, "--format=oauthbearer", "--imap-server", "imap.example:143"], "quick"],
  [[...show, "--format=oauthbearer", "--imap_server=starttls://imap.example:1"], "quick"],
  [[...show, "--home", directory], "quick"],
  [[...show, `--home=${directory}`], "quick"],
  [[...show, "--home="], 64],
  [[...show, "--home", ""], 64],
  [[...show, "--home", " "], 64],
  [[...show, "--home"], 64],
  [[...show, "--token-file", join(tokens, "odd name=1.txt")], "quick"],
  [[...show, `--token-file=${join(tokens, "odd name=1.txt")}`], "quick"],
  [[...show, `--token_file=${join(tokens, "odd name=1.txt")}`], "quick"],
  [[...show, "-token_file", join("tokens", "odd name=1.txt")], "quick"],
  [[...show, "--tokenFile", join("tokens", "odd name=1.txt")], 64],
  [[...show, "--TOKEN-FILE", "x"], 64],
  [[...show, "--token-file", `"${join(tokens, "odd name=1.txt")}"`], 77],
  [[...show, `--token-file='${join(tokens, "odd name=1.txt")}'`], 77],
  [["show", "o'dd@example.test"], "quick"],
  [["show", "'o'dd@example.test'"], 64],
  [["show", `"${user}"`], 64],
  [["show", `'${user}'`], 64],
  [["show", ` ${user} `], "quick"],
  [[...show, "--provider", "google"], "quick"],
  [[...show, "--provider", "GMail"], "quick"],
  [[...show, "--provider=office365"], "quick"],
  [[...show, "--provider", "nobody"], 64],
  [[...show, "--provider", "google", "--provider", "google"], 64],
  [[...show, "--provider=google", "--provider=office365"], 64],
  [[...show, "--client-id", "test-client"], "quick"],
  [[...show, "--client_id", "another"], 78],
  [[...show, "--tenant", "1.0"], "quick"],
  [[...show, "--tenant", "-1"], 0],
  [[...show, "--tenant=-1"], 0],
  [[...show, "--login", "p@example.test", "--format", "xoauth2", "--protocol", "smtp"], "quick"],
  [[...show, "--login", "nobody"], 64],
  [[...show, "--login=a=b@example.test", "--json", "--protocol", "smtp"], "quick"],
  [[...show, "--min-life", "1h"], "quick"],
  [[...show, "--min_life=90"], "quick"],
  [[...show, "--min-life", "2h"], 75],
  [[...show, "--min-life", "soon"], 64],
  [[...show, "--min-life", "1h", "--min-life", "1h"], 64],
  [[...show, "--json", "--json"], 0],
  [[...show, "--json=true"], 64],
  [[...show, "--json=false"], 64],
  [[...show, "--json", "true"], 64],
  [[...show, "--json", "false"], 64],
  [["show", "--json", "true", user], 64],
  [[...show, "--no-json"], 64],
  [[...show, "--thunderbird"], "quick"],
  [[...show, "--thunderbird", "--app", "imapsync"], 78],
  [[...show, "--app", "own"], "quick"],
  [[...show, "--application", "own"], 0],
  [[...show, "--application=own", "--app=own"], 64],
  [[...show, "--scope", "a b c"], "quick"],
  [[...show, "--scope-string", "a b"], 0],
  [[...show, "--scope_string=a"], 0],
  [[...show, "--scope", "-a"], 64],
  [[...show, "--scope=-a"], 0],
  [[...show, "--scope", "--json"], 64],
  [[...show, "--scope", "--"], 64],
  [[...show, "--scope", "a\nb"], "quick"],
  [[...show, "--scope=a\nb"], "quick"],
  [[...show, "--scope", 'a"b'], "quick"],
  [[...show, "--scope", '"a" b'], 0],
  [[...show, "--scope=''"], 0],
  [[...show, "--access", "imap,smtp"], "quick"],
  [[...show, "--access", "imap,nntp"], 64],
  [[...show, "--flow", "device"], "quick"],
  [[...show, "--flow", "client-credentials"], 78],
  [[...show, "--flow", "magic"], 64],
  [["show", "--nocache", "false"], 64],
  [["show", "--nocache", "true", user], 64],
  [[...show, "--quiet", "false"], 64],
  [[...show, "--dns-server", "192.0.2.1:53"], "quick"],
  [[...show, "--dns-server", "nowhere"], 64],
  [[...show, "--client-secret", "s"], 0],
  [[...show, "--client-secret-file", "f"], "quick"],
  [[...show, "--client-secret-file=a", "--client-secret-command=b"], 78],
  [[...show, "--verbose"], 0],
  [[...show, "--debug"], 0],
  [[...show, "--quiet", "--verbose"], 78],
  [[...show, "--nocache"], 75],
  [[...show, "--access-token-stdin"], 64],
  [[...show, "--refresh-token-stdin"], 64],
  [[...show, "--access-token-stdin", "--refresh-token-stdin"], 78],
  [[...show, "--json", "--format", "raw"], 78],
  [[...show, "--json", "--format", "json"], "quick"],
  [[...show, "--format", "yaml"], 64],
  [[...show, "--protocol", "imap,pop"], 64],
  [[...show, "--frobnicate"], 64],
  [[...show, "--frobnicate=1"], 64],
  [[...show, "--startover"], 64],
  [[...show, "--verify", "imap"], 64],
  [[...show, "-z"], 64],
  [[...show, "-"], 64],
  [[...show, "--"], 0],
  [["show", "--", user], 0],
  [[...show, "--", "--json"], 64],
  [[...show, "bar@example.test"], 64],
  [[...show, ""], 64],
  [["show", "", user], 64],
  [["show", "foo"], 64],
  [["show", "show"], 64],
  [["show"], 64],
  [["show", "--json"], 64],
  [["--json", "show", user], 0],
  [["show", "--help"], 0],
  [[...show, "--help"], 0],
  [[...show, "-h"], 0],
  [[...show, "--version"], 0],
  [[...show, "--address", "bar@example.test"], 64],
  [[...show, "--home.x", "y"], 64],
  [[...show, "--constructor"], 64],
  [[...show, "--__proto__", "x"], 64],
  [["show", "bar@example.test"], 77],
  [["SHOW", user], 64],
  [[], 64],
];

describe("both parsers, given the same command line", () => {
  for (const [argv, decides] of lines) {
    test(JSON.stringify(argv).replaceAll(directory, "DIR"), async () => {
      const { printed, result } = await assertAgreement(argv);
      assert.equal(printed !== undefined, decides === "quick", result.stderr);
      assert.equal(result.status, decides === "quick" ? 0 : decides, result.stderr);
    });
  }

  test("there are enough of either kind", () => {
    const quick = lines.filter(([, decides]) => decides === "quick").length;
    assert.ok(quick >= 30 && lines.length - quick >= 30, `${quick} of ${lines.length}`);
  });
});

describe("and the same environment", () => {
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
    [{ MXTOKEN_TOKEN_FILE: join(tokens, "odd name=1.txt") }, "quick"],
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
      const { printed, result } = await assertAgreement(show, env);
      assert.equal(printed !== undefined, decides === "quick", result.stderr);
      assert.equal(result.status, decides === "quick" ? 0 : decides, result.stderr);
    });
  }
});

describe("whatever the command line", () => {
  const names = Object.keys(showOptions) as (keyof typeof showOptions)[];
  const fitting: Partial<Record<(typeof names)[number], readonly string[]>> = {
    format: ["raw", "xoauth2", "json", "header", "oauthbearer"],
    protocol: ["imap", "smtp", "pop"],
    "min-life": ["1h", "5m", "0", "90s", "2h"],
    provider: ["google", "office365", "Gmail"],
    login: ["p@example.test", "o'dd@example.test"],
    home: [directory, "."],
    "token-file": [join(tokens, "odd name=1.txt"), "tokens/odd name=1.txt"],
    access: ["imap", "smtp,pop"],
    flow: ["code", "device"],
    "client-id": ["test-client"],
    "dns-server": ["192.0.2.1"],
    "imap-server": ["imap.example", "starttls://imap.example:1143"],
  };
  const odd = fc.oneof(
    fc.constantFrom("", " ", "-", "--", "-x", "--json", "true", "false", "'q'", '"q"', "'", "a=b"),
    fc.constantFrom("a b", "$(x)", "1e3", "0x10", "-1", "a\nb", "ü", user, "show", "[object]"),
    fc.string({ maxLength: 4 }),
  );
  const option = fc.constantFrom(...names).chain((name) => {
    const values = fitting[name] ?? ["x"];
    const value = fc.oneof(
      { weight: 12, arbitrary: fc.constantFrom(...values) },
      { weight: 1, arbitrary: odd },
    );
    const isFlag = showOptions[name].type === "boolean";
    const spelling = fc.constantFrom(
      ...[`--${name}`, `--${name}`, `--${name.replaceAll("-", "_")}`, `-${name}`],
    );
    return fc
      .tuple(spelling, value, fc.integer({ min: 0, max: 19 }))
      .map(([word, text, way]): string[] => {
        const isUsual = way > 0;
        if (isFlag === isUsual) return [word];
        return way % 2 === 0 ? [`${word}=${text}`] : [word, text];
      });
  });
  const part = fc.oneof(
    { weight: 8, arbitrary: option },
    { weight: 1, arbitrary: odd.map((word) => [word]) },
  );
  const commandLine = fc
    .tuple(
      fc.uniqueArray(part, { maxLength: 4, selector: (words) => words.join(" ") }),
      fc.nat({ max: 4 }),
      fc.integer({ min: 0, max: 19 }),
    )
    .map(([parts, place, chance]) => {
      const address = chance === 0 ? [] : [[user]];
      return ["show", ...parts.toSpliced(place, 0, ...address).flat()];
    });

  test("they agree", async (context) => {
    let decided = 0;
    let runs = 0;
    await fc.assert(
      fc.asyncProperty(commandLine, async (argv) => {
        const { printed } = await assertAgreement(argv);
        runs += 1;
        if (printed !== undefined) decided += 1;
      }),
      { numRuns: 150, includeErrorInReport: true },
    );
    context.diagnostic(`the quick parser decided ${decided} of ${runs}`);
    assert.ok(decided > 20, `the quick parser decided ${decided} of ${runs}`);
  });
});
