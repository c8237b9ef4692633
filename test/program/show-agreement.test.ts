import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { showQuickly } from "../../src/cli/show-token.ts";
import { MxtokenError } from "../../src/errors.ts";
import { temporaryDirectory } from "../scene/certificates.ts";
import { runMain, tokenFileText, user } from "../scene/scene.ts";
import { type TestWorld, testWorld } from "../scene/world.ts";

// What `mxtoken show` prints from the beginning of the program, the whole program must print in the same way.

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
