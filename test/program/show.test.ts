import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import {
  type Result,
  runMain,
  type Scene,
  setScene,
  tokenFileText,
  user,
  withoutRefusal,
} from "../scene/scene.ts";
import type { Answer } from "../scene/token-endpoint.ts";
import { type TestWorld, testWorld } from "../scene/world.ts";

let scene: Scene;

beforeEach(async () => {
  scene = await setScene();
});
afterEach(() => scene?.close());

const hour = "2026-11-20T13:00:00Z";
const past = "2026-11-20T11:00:00Z";

/** As {@link Result}, with everything that was written to standard output, write by write. */
interface Shown extends Result {
  readonly writes: readonly string[];
  readonly world: TestWorld;
}

/** Runs `mxtoken show` for the scene's mailbox. */
function show(more: readonly string[] = [], world = scene.world()): Promise<Shown> {
  return run(["show", user, ...scene.options, ...more], world);
}

async function run(args: readonly string[], world = scene.world()): Promise<Shown> {
  const writes: string[] = [];
  const write = world.stdout.write.bind(world.stdout);
  world.stdout.write = (chunk: string, done?: unknown) => {
    writes.push(chunk);
    return write(chunk, done as BufferEncoding);
  };
  const result = await runMain(args, world);
  return { ...result, writes, world };
}

function withInput(text: string, env?: Record<string, string>): TestWorld {
  const world = scene.world(env);
  world.stdin.end(text);
  return world;
}

/** The scene's options without these. */
function optionsWithout(...names: string[]): string[] {
  const kept: string[] = [];
  for (let index = 0; index < scene.options.length; index += 2) {
    const [name = "", value = ""] = scene.options.slice(index, index + 2);
    if (!names.includes(name)) kept.push(name, value);
  }
  return kept;
}

/** Nothing but this, in one write. */
function assertPrinted(result: Shown, text: string): void {
  assert.equal(result.status, 0, result.stderr);
  assert.deepEqual(result.writes, [text]);
}

/** A program must find nothing on standard output that it could take for a token. */
function assertFailed(result: Shown, status: number, words: RegExp): void {
  assert.equal(result.status, status, result.stderr);
  assert.match(result.stderr, words);
  assert.deepEqual(result.writes, []);
}

function assertAskedNobody(world: TestWorld): void {
  assert.deepEqual(world.requests, []);
  assert.equal(scene.endpoint.requests.length, 0);
  assert.equal(scene.imap.logins.length, 0);
}

function namesIn(directory: string): string[] {
  return readdirSync(directory).sort();
}

const beside = () => scene.kept();

describe("a token that is fresh", () => {
  beforeEach(() => scene.write(tokenFileText("stored-access", "stored-refresh")));

  test("is printed from the file, in one write, and nobody is asked or told", async () => {
    const before = scene.read();
    const result = await show();
    assertPrinted(result, "stored-access\n");
    assert.equal(result.stderr, "");
    assertAskedNobody(result.world);
    assert.equal(scene.read(), before);
    assert.deepEqual(namesIn(dirname(scene.tokenFile)), [`oauth2_tokens_${user}.txt`]);
  });

  test("needs no option but where the file is", async () => {
    assertPrinted(await run(["show", user, "--home", scene.directory]), "stored-access\n");
    assertPrinted(await run(["show", user, "--token-file", scene.tokenFile]), "stored-access\n");
  });

  test("is found by another way to write the address", async () => {
    assertPrinted(
      await run(["show", "FOO@Example.TEST", "--home", scene.directory]),
      "stored-access\n",
    );
  });

  test("is read through a symbolic link", async () => {
    const link = join(scene.directory, "link.txt");
    symlinkSync(scene.tokenFile, link);
    assertPrinted(await show(["--token-file", link]), "stored-access\n");
  });

  test("has a scope of its own: whatever is asked for is not compared before a refresh", async () => {
    const options = [...optionsWithout("--scope"), "--scope", "another"];
    const result = await run(["show", user, ...options]);
    assertPrinted(result, "stored-access\n");
    assert.equal(result.stderr, "");
  });

  for (const [options, expires, isFresh] of [
    [[], "2026-11-20T12:05:00Z", true],
    [[], "2026-11-20T12:04:59Z", false],
    [["--min-life", "90s"], "2026-11-20T12:01:30Z", true],
    [["--min-life", "90s"], "2026-11-20T12:01:29Z", false],
    [["--min-life", "90"], "2026-11-20T12:01:30Z", true],
    [["--min-life", "90"], "2026-11-20T12:01:29Z", false],
    [["--min-life", "5m"], "2026-11-20T12:05:00Z", true],
    [["--min-life=5M"], "2026-11-20T12:04:59Z", false],
    [["--min-life", "1h"], "2026-11-20T13:00:00Z", true],
    [["--min_life=1h"], "2026-11-20T12:59:59Z", false],
    [["--min-life", "0"], "2026-11-20T12:00:00Z", true],
    [["--min-life", "0"], "2026-11-20T11:59:59Z", false],
  ] as const) {
    test(`that ends at ${expires} is ${isFresh ? "" : "not "}fresh with ${options.join(" ") || "5 minutes"}`, async () => {
      scene.write(tokenFileText("stored-access", scene.account.current, { Expires: expires }));
      const result = await show(options);
      assert.equal(result.status, 0, result.stderr);
      assert.equal(result.stdout === "stored-access\n", isFresh);
      assert.equal(scene.endpoint.requests.length, isFresh ? 0 : 1);
    });
  }

  test("MXTOKEN_MIN_LIFE counts where the option is not given", async () => {
    scene.endpoint.answer = scene.account.answer;
    const env = { MXTOKEN_MIN_LIFE: "2h" };
    scene.write(tokenFileText("stored-access", scene.account.current));
    assertPrinted(await show(["--min-life", "1h"], scene.world(env)), "stored-access\n");
    await show([], scene.world(env));
    assert.equal(scene.endpoint.requests.length, 1);
  });

  for (const garbage of ["soon", "5 m", "1.5h", "5d", "m", "0x10", "99999999", "9999h", " "]) {
    test(`--min-life ${JSON.stringify(garbage)}: 64`, async () => {
      const result = await show([`--min-life=${garbage}`]);
      assertFailed(result, 64, /--min-life/);
      assertAskedNobody(result.world);
    });
  }
});

describe("a token that is not fresh", () => {
  beforeEach(() => {
    scene.write(tokenFileText("old-access", scene.account.current, { Expires: past }));
  });

  test("is refreshed, both lines are stored, and the new one is printed: no login, no question", async () => {
    const result = await show();
    const { accessToken, refreshToken } = scene.lines();
    assertPrinted(result, `${accessToken}\n`);
    assert.notEqual(accessToken, "old-access");
    assert.equal(refreshToken, scene.account.current);
    assert.equal(result.stderr, "");
    assert.equal(scene.imap.logins.length, 0);
    assert.equal(scene.endpoint.requests.length, 1);
    assert.match(
      scene.read() ?? "",
      /^# Expires: 2026-11-20T13:00:00Z\n# Verified: no, unverified: not tried yet at 2026-11-20T12:00:00Z$/m,
    );
  });

  test("is refreshed by what the file was made with", async () => {
    const options = optionsWithout("--provider", "--client-id", "--scope");
    const result = await run(["show", user, ...options]);
    assertPrinted(result, `${scene.lines().accessToken}\n`);
    assert.equal(scene.endpoint.requests[0]?.get("client_id"), "test-client");
  });

  test("is printed from the file again the next time", async () => {
    const first = await show();
    assertPrinted(await show(), first.stdout);
    assert.equal(scene.endpoint.requests.length, 1);
  });

  test("keeps when somebody signed in, and who", async () => {
    const notes = { Expires: past, "Signed in": "2026-11-01T08:00:00Z", Login: "p@example.test" };
    scene.write(tokenFileText("old-access", scene.account.current, notes));
    assert.equal((await show()).status, 0);
    assert.match(scene.read() ?? "", /^# Signed in: 2026-11-01T08:00:00Z$/m);
    assert.match(scene.read() ?? "", /^# Login: p@example\.test$/m);
  });

  test("is one whose end nobody knows", async () => {
    scene.write(`old-access\n${scene.account.current}\n`);
    assertPrinted(await show(), `${scene.lines().accessToken}\n`);
    assert.equal(scene.endpoint.requests.length, 1);
  });

  test("where the server never says how long a token lives, one that was issued within the hour will do", async () => {
    scene.endpoint.answer = () => ({
      status: 200,
      body: { access_token: "lasting-access", refresh_token: "r-2", token_type: "Bearer" },
    });
    const first = await show(["--verbose"]);
    assertPrinted(first, "lasting-access\n");
    assert.match(first.stderr, /does not say how long the token lives; an hour is assumed/);
    assert.doesNotMatch(scene.read() ?? "", /^# Expires:/m);
    const later = (minutes: number) =>
      testWorld({
        cwd: scene.directory,
        now: Date.parse("2026-11-20T12:00:00Z") + minutes * 60_000,
      });
    for (const [minutes, requests] of [
      [1, 1],
      [50, 1],
      [59, 2],
    ] as const) {
      const again = await run(["show", user, ...scene.options], later(minutes));
      assertPrinted(again, "lasting-access\n");
      assert.equal(again.stderr, "");
      assert.equal(scene.endpoint.requests.length, requests, `${minutes} minutes`);
    }
  });

  test("is one that is missing beside a refresh token", async () => {
    scene.write(tokenFileText("", scene.account.current));
    assertPrinted(await show(), `${scene.lines().accessToken}\n`);
    assert.notEqual(scene.lines().accessToken, "");
  });

  test("tells what it does with --verbose, on standard error alone, and shows no secret", async () => {
    const result = await show(["--verbose"]);
    assertPrinted(result, `${scene.lines().accessToken}\n`);
    assert.match(result.stderr, /asking for a new access token/);
    for (const secret of scene.account.secrets) assert.ok(!result.stderr.includes(secret));
  });

  test("warns of a scope that the stored consent lacks", async () => {
    const options = [...optionsWithout("--scope"), "--scope", "mail more"];
    const result = await run(["show", user, ...options]);
    assert.equal(result.status, 0, result.stderr);
    assert.match(
      result.stderr,
      /warning: the scope more was not granted when somebody signed in; to add it, sign in anew with --startover/,
    );
  });
});

describe("a sign-in that is needed", () => {
  const nobody = "198.51.100.1";

  test("no tokens: 77 with the very command to run, and nobody is asked, not even DNS", async () => {
    const world = testWorld({ cwd: scene.directory, resolvers: [nobody] });
    const result = await run(["show", user, "--home", scene.directory], world);
    assertFailed(result, 77, /there are no tokens in \S+oauth2_tokens_foo@example\.test\.txt$/m);
    assert.match(result.stderr, /somebody must sign in, by this command in a terminal:$/m);
    assert.ok(result.stderr.endsWith(`\n  mxtoken ${user} --home ${scene.directory}\n`));
    assertAskedNobody(world);
    assert.deepEqual(namesIn(scene.directory), ["ca-localhost.pem"]);
  });

  test("the same where the provider is named: nothing is made on the disk", async () => {
    const result = await show();
    assertFailed(result, 77, /there are no tokens in/);
    assertAskedNobody(result.world);
    assert.deepEqual(namesIn(scene.directory), ["ca-localhost.pem"]);
  });

  test("the command has every option that leads there, quoted, and the secret is not among them", async () => {
    const secret = "a secret's own words";
    const result = await show([
      ...["--client-secret", secret, "--login", "person@example.test"],
      ...["--group", "mail readers", "--format", "xoauth2", "--min-life", "1h", "--nocache"],
    ]);
    assertFailed(result, 77, /there are no tokens/);
    assert.ok(
      result.stderr.includes(
        `\n  mxtoken ${user} --provider google --login person@example.test --home ${scene.directory} --group 'mail readers' --authorize-uri https://localhost/authorize --token-uri ${scene.endpoint.uri} --scope mail --client-id test-client --imap-server localhost:${scene.imap.port} --ca-file ${scene.certificates.caFile}\n`,
      ),
      result.stderr,
    );
    assert.ok(!result.stderr.includes(secret));
    assert.ok(!result.stderr.includes("own words"));
  });

  test("the command can be run as it stands", async () => {
    const odd = join(scene.directory, "it's a directory");
    const first = await run([
      ...[
        "show",
        user,
        ...optionsWithout("--home", "--scope"),
        "--home",
        odd,
        "--scope=-dashed scope",
      ],
    ]);
    const [command = ""] = /^ {2}mxtoken .*$/m.exec(first.stderr) ?? [];
    const words = execFileSync("sh", ["-c", `printf '%s\\n' ${command.trim()}`], {
      encoding: "utf8",
    })
      .trimEnd()
      .split("\n")
      .slice(1);
    const second = await runMain(words, scene.world());
    assert.equal(second.status, 77, second.stderr);
    assert.match(second.stderr, /a person must sign in, and nobody is there/);
    assert.ok(second.stderr.includes(odd));
  });

  test("a protocol that is asked for is part of the command: the token must open it", async () => {
    const home = ["--home", scene.directory];
    const of = async (...more: string[]) => {
      const { stderr } = await run(["show", user, ...home, ...more]);
      return / --access (\S+)/.exec(stderr)?.[1];
    };
    assert.equal(await of(), undefined);
    assert.equal(await of("--protocol", "imap"), undefined);
    assert.equal(await of("--protocol", "smtp"), "imap,smtp");
    assert.equal(await of("--protocol", "pop", "--access", "smtp"), "smtp,pop");
    assert.equal(await of("--protocol", "smtp", "--access", "smtp"), "smtp");
  });

  test("a token that was signed in for sending alone lacks nothing", async () => {
    const scope = "https://outlook.office.com/SMTP.Send offline_access";
    const notes = { Provider: "office365", Scope: scope, Expires: past };
    scene.write(tokenFileText("old-access", scene.account.current, notes));
    const args = ["show", user, "--home", scene.directory, "--token-uri", scene.endpoint.uri];
    const trust = ["--ca-file", scene.certificates.caFile];
    const only = ["--access", "smtp", "--protocol", "smtp"];
    const result = await run([...args, ...trust, ...only]);
    assertPrinted(result, `${scene.lines().accessToken}\n`);
    assert.equal(result.stderr, "");
    const both = await run([...args, ...trust, "--protocol", "smtp", "--min-life", "2h"]);
    assert.match(both.stderr, /the scope https:\/\/outlook\.office\.com\/IMAP\S+ was not granted/);
  });

  test("--json: the command is data, and the document is no token", async () => {
    const result = await run(["show", user, "--home", scene.directory, "--json"]);
    assert.equal(result.status, 77);
    const { ok, error } = JSON.parse(result.stdout);
    assert.equal(ok, false);
    assert.equal(error.code, "signInNeeded");
    assert.equal(error.exitStatus, 77);
    assert.deepEqual(error.commands, [`mxtoken ${user} --home ${scene.directory}`]);
  });

  for (const word of ["invalid_grant", "interaction_required"]) {
    test(`a refresh token that is refused (${word}): 77 with the command, the file kept`, async () => {
      scene.write(tokenFileText("old-access", "spent", { Expires: past }));
      const before = scene.read();
      scene.endpoint.answer = () => ({ status: 400, body: { error: word } });
      const result = await show();
      assertFailed(
        result,
        77,
        new RegExp(`${word}[\\s\\S]*\n {2}mxtoken ${user} --provider google`),
      );
      assert.equal(withoutRefusal(scene.read()), before);
      assert.equal(scene.endpoint.requests.length, 1);
    });
  }

  test("no refresh token: 77 with the command, and nothing is asked", async () => {
    scene.write(tokenFileText("old-access", "", { Expires: past }));
    const result = await show();
    assertFailed(result, 77, /there is no refresh token in [\s\S]*\n {2}mxtoken foo@example\.test/);
    assertAskedNobody(result.world);
  });
});

describe("a failure", () => {
  const cases: [string, Answer, number, RegExp][] = [
    ["503", { status: 503, body: "busy" }, 75, /status 503/],
    ["a dropped connection", "drop", 75, /dropped/],
    ["HTML", { status: 200, body: "<!DOCTYPE html><title>Wi-Fi</title>" }, 76, /HTML page/],
    ["no token", { status: 200, body: { hello: "world" } }, 76, /without an access token/],
    [
      "invalid_client",
      { status: 401, body: { error: "invalid_client" } },
      77,
      /refuses the application: invalid_client/,
    ],
  ];
  for (const [what, answer, status, words] of cases) {
    for (const format of ["raw", "xoauth2", "json"]) {
      test(`${what}, as ${format}: ${status}, nothing on standard output, nothing changed`, async () => {
        scene.write(tokenFileText("old-access", "old-refresh", { Expires: past }));
        const before = scene.read();
        scene.endpoint.answer = () => answer;
        const result = await show(["--format", format]);
        assertFailed(result, status, words);
        assert.doesNotMatch(result.stderr, /must sign in/);
        assert.equal(scene.endpoint.requests.length, 1);
        assert.equal(scene.read(), before);
      });
    }
  }

  test("nobody there: 75", async () => {
    scene.write(tokenFileText("old-access", "old-refresh", { Expires: past }));
    await scene.endpoint.close();
    assertFailed(await show(), 75, /connection was refused/);
  });

  test("a file that is none: 65, and it is not sent anywhere", async () => {
    scene.write("not a token\nneither\n");
    const result = await show();
    assertFailed(result, 65, /is no token file: line 1 has more than one word/);
    assertAskedNobody(result.world);
  });

  for (const [words, status, message] of [
    [["--format", "yaml"], 64, /--format: "yaml" is no format[\s\S]*known are raw, xoauth2/],
    [["--protocol", "nntp"], 64, /--protocol: "nntp" is no protocol/],
    [["--protocol", "imap,smtp"], 64, /--protocol takes one protocol/],
    [["--json", "--format", "raw"], 78, /--json and --format raw contradict each other/],
    [["--json", "--format=header"], 78, /--json and --format header contradict/],
    [["--access-token-stdin", "--refresh-token-stdin"], 78, /contradict each other/],
    [["--provider", "google"], 64, /more than once/],
    [["--verify", "imap"], 64, /unknown option --verify/],
    [["--startover"], 64, /unknown option --startover/],
  ] as const) {
    test(`${words.join(" ")}: ${status}, also where the token is fresh`, async () => {
      scene.write(tokenFileText("stored-access", "stored-refresh"));
      const result = await show(words);
      assert.equal(result.status, status, result.stderr);
      assert.match(result.stderr, message);
      assert.ok(!result.stdout.includes("stored-access"));
      assertAskedNobody(result.world);
    });
  }
});

describe("--format", () => {
  beforeEach(() => scene.write(tokenFileText("stored-access", "stored-refresh")));

  const base64 = (text: string) => Buffer.from(text).toString("base64");
  const xoauth2 = (name: string) => `user=${name}\u0001auth=Bearer stored-access\u0001\u0001`;
  const oauthbearer = (name: string, host: string, port: number) =>
    `n,a=${name},\u0001host=${host}\u0001port=${port}\u0001auth=Bearer stored-access\u0001\u0001`;

  for (const [format, printed] of [
    ["raw", "stored-access"],
    ["RAW", "stored-access"],
    ["xoauth2", base64(xoauth2(user))],
    ["xoauth2-plain", xoauth2(user)],
    ["header", "Authorization: Bearer stored-access"],
    ["imapsync", "stored-access\nstored-refresh"],
  ] as const) {
    test(`${format}: these bytes and a line end`, async () => {
      const result = await show(["--format", format]);
      assertPrinted(result, `${printed}\n`);
      assert.equal(result.stderr, "");
      assertAskedNobody(result.world);
    });
  }

  test("MXTOKEN_FORMAT counts where the option is not given", async () => {
    const world = scene.world({ MXTOKEN_FORMAT: "header" });
    assertPrinted(await show([], world), "Authorization: Bearer stored-access\n");
  });

  test("imapsync without a refresh token has an empty second line", async () => {
    scene.write(tokenFileText("stored-access", ""));
    assertPrinted(await show(["--format", "imapsync"]), "stored-access\n\n");
  });

  test("oauthbearer names the server of the protocol", async () => {
    const servers = ["--smtp-server", "smtp.example:587", "--pop-server", "pop.example"];
    for (const [protocol, host, port] of [
      [undefined, "localhost", scene.imap.port],
      ["imap", "localhost", scene.imap.port],
      ["smtp", "smtp.example", 587],
      ["pop", "pop.example", 995],
    ] as const) {
      const named = protocol === undefined ? [] : ["--protocol", protocol];
      const result = await show(["--format", "oauthbearer", ...servers, ...named]);
      assertPrinted(result, `${base64(oauthbearer(user, host, port))}\n`);
    }
  });

  test("oauthbearer takes the server from the file's provider where none is named", async () => {
    for (const [protocol, host, port] of [
      ["imap", "imap.gmail.com", 993],
      ["smtp", "smtp.gmail.com", 465],
      ["pop", "pop.gmail.com", 995],
    ] as const) {
      const args = ["show", user, "--home", scene.directory, "--protocol", protocol];
      const result = await run([...args, "--format", "oauthbearer"]);
      assertPrinted(result, `${base64(oauthbearer(user, host, port))}\n`);
    }
  });

  test("oauthbearer escapes the user name (RFC 5801)", async () => {
    const odd = `o=${user}`;
    const file = join(scene.directory, "odd.txt");
    writeFileSync(file, tokenFileText("stored-access", "r", { Account: odd }));
    const result = await run([
      ...["show", odd, "--token-file", file, "--format", "oauthbearer", "--protocol", "pop"],
    ]);
    assertPrinted(result, `${base64(oauthbearer(`o=3D${user}`, "pop.gmail.com", 995))}\n`);
  });

  test("oauthbearer without a server that is known: 78", async () => {
    scene.write(tokenFileText("stored-access", "stored-refresh", { Provider: "custom" }));
    const result = await run(["show", user, "--home", scene.directory, "--format", "oauthbearer"]);
    assertFailed(result, 78, /--format oauthbearer needs the server[\s\S]*--imap-server/);
  });

  for (const words of [["--json"], ["--format", "json"], ["--json", "--format", "json"]]) {
    test(`${words.join(" ")}: one document`, async () => {
      const result = await show(words);
      const document = {
        ok: true,
        token: "stored-access",
        tokenType: "Bearer",
        expires: hour,
        scope: "mail",
        account: user,
        user,
        provider: "google",
      };
      assertPrinted(result, `${JSON.stringify(document, null, 2)}\n`);
    });
  }

  test("json after a refresh tells the new token's end and scope", async () => {
    scene.write(tokenFileText("old-access", scene.account.current, { Expires: past }));
    const result = await show(["--json"]);
    const document = JSON.parse(result.stdout);
    assert.equal(document.token, scene.lines().accessToken);
    assert.equal(document.expires, hour);
    assert.equal(document.scope, "mail");
    assert.ok(!result.stdout.includes(scene.account.current));
  });
});

describe("the user name", () => {
  const person = "person@example.test";
  const nameIn = async (words: readonly string[], notes: Record<string, string> = {}) => {
    scene.write(tokenFileText("stored-access", "stored-refresh", notes));
    const { stdout } = await show(["--format", "xoauth2-plain", ...words]);
    return stdout.split("\u0001")[0]?.replace("user=", "");
  };

  for (const protocol of ["imap", "smtp", "pop"] as const) {
    const expected = protocol === "smtp" ? person : user;
    test(`of a shared mailbox by ${protocol} is ${expected}'s`, async () => {
      const named = ["--protocol", protocol];
      assert.equal(await nameIn(named), user);
      assert.equal(await nameIn([...named, "--login", person]), expected);
      assert.equal(await nameIn(named, { Login: person }), expected);
      // The token is somebody else's.
      assert.equal(await nameIn([...named, "--login", person], { Login: "x@y.test" }), "");
    });
  }

  test("stands in the JSON document beside the mailbox", async () => {
    scene.write(tokenFileText("stored-access", "stored-refresh", { Login: person }));
    const { stdout } = await show(["--json", "--protocol", "smtp"]);
    const { account, user: name } = JSON.parse(stdout);
    assert.deepEqual({ account, name }, { account: user, name: person });
  });

  test("that is given at a refresh is used, and the file goes on saying who signed in", async () => {
    scene.write(tokenFileText("old-access", scene.account.current, { Expires: past }));
    const first = await show([
      "--login",
      person,
      "--protocol",
      "smtp",
      "--format",
      "xoauth2-plain",
    ]);
    assert.ok(first.stdout.startsWith(`user=${person}\u0001`), first.stdout);
    assert.doesNotMatch(scene.read() ?? "", /^# Login:/m);
  });
});

describe("--nocache", () => {
  beforeEach(() => scene.write(tokenFileText("stored-access", scene.account.current)));

  test("gets a new token and leaves line 1 and its comments; a new refresh token is stored", async () => {
    const before = (scene.read() ?? "").split("\n");
    const result = await show(["--nocache"]);
    const [printed = ""] = result.stdout.split("\n");
    assertPrinted(result, `${printed}\n`);
    assert.ok(printed.startsWith("access-1-"));
    const { accessToken, refreshToken } = scene.lines();
    assert.equal(accessToken, "stored-access");
    assert.equal(refreshToken, scene.account.current);
    const after = (scene.read() ?? "").split("\n");
    const comments = (lines: string[]) =>
      lines.filter((line) => /^# [A-Z]\w+:/.test(line) && !line.startsWith("# Tokens:"));
    assert.deepEqual(comments(after), comments(before));
  });

  test("writes nothing where the refresh token stays the same", async () => {
    scene.endpoint.answer = () => ({
      status: 200,
      body: { access_token: "fresh-access", token_type: "Bearer", expires_in: 60 },
    });
    const before = scene.read();
    const result = await show(["--nocache", "--json"]);
    const { token, expires } = JSON.parse(result.stdout);
    assert.deepEqual(
      { token, expires },
      { token: "fresh-access", expires: "2026-11-20T12:01:00Z" },
    );
    assert.equal(scene.read(), before);
  });

  test("is a new token every time", async () => {
    const first = await show(["--nocache"]);
    const second = await show(["--nocache"]);
    assert.equal(second.status, 0);
    assert.notEqual(first.stdout, second.stdout);
    assert.ok(scene.account.isAlive);
  });

  test("never leaves line 1 empty", async () => {
    scene.write(tokenFileText("", scene.account.current));
    const result = await show(["--nocache"]);
    assertPrinted(result, `${scene.lines().accessToken}\n`);
  });

  test("without tokens: 77", async () => {
    assertFailed(await show(["--nocache", "--token-file", "none.txt"]), 77, /there are no tokens/);
  });
});

describe("--access-token-stdin", () => {
  const format = (...more: string[]) => ["--access-token-stdin", ...more];

  for (const [name, printed] of [
    ["raw", "brought-token"],
    ["header", "Authorization: Bearer brought-token"],
    ["xoauth2-plain", `user=${user}\u0001auth=Bearer brought-token\u0001\u0001`],
    ["imapsync", "brought-token\n"],
  ] as const) {
    test(`prints it as ${name}; no file, nobody asked`, async () => {
      const world = withInput("\r\n  brought-token \r\nmore\n");
      const result = await run(["show", user, ...format("--format", name)], world);
      assertPrinted(result, `${printed}\n`);
      assertAskedNobody(world);
      assert.deepEqual(namesIn(scene.directory), ["ca-localhost.pem"]);
    });
  }

  test("oauthbearer takes the server of the provider that is named", async () => {
    const args = ["show", user, "--provider", "gmail", ...format("--format", "oauthbearer")];
    const result = await run(args, withInput("brought-token"));
    const text = Buffer.from(result.stdout, "base64").toString();
    assert.ok(text.includes("\u0001host=imap.gmail.com\u0001port=993\u0001"), text);
  });

  test("json tells what is known of it", async () => {
    const result = await run(
      ["show", user, "--provider", "gmail", ...format("--json")],
      withInput("brought-token"),
    );
    assert.deepEqual(JSON.parse(result.stdout), {
      ok: true,
      token: "brought-token",
      tokenType: "Bearer",
      account: user,
      user,
      provider: "google",
    });
  });

  test("a stored token is neither read nor changed", async () => {
    scene.write(tokenFileText("stored-access", "stored-refresh"));
    const before = scene.read();
    assertPrinted(await show(format(), withInput("brought-token\n")), "brought-token\n");
    assert.equal(scene.read(), before);
  });

  for (const [what, input, words] of [
    ["nothing", "", /no access token came on standard input/],
    ["blank lines", "\n \n", /no access token came on standard input/],
    ["what is no token", "two words\n", /what came on standard input is no access token/],
  ] as const) {
    test(`${what}: 64, and it is not shown`, async () => {
      const result = await show(format(), withInput(input));
      assertFailed(result, 64, words);
      assert.ok(!result.stderr.includes("two words"));
    });
  }

  test("a provider that is not known: 64, as everywhere", async () => {
    const args = ["show", user, "--provider", "nobody", ...format()];
    assertFailed(await run(args, withInput("brought-token")), 64, /"nobody" is not known/);
  });
});

describe("--refresh-token-stdin", () => {
  const brought = ["--refresh-token-stdin"];

  test("no file: a new token is printed and stored, with its refresh token", async () => {
    const result = await show(brought, withInput(`${scene.account.current}\n`));
    const { accessToken, refreshToken } = scene.lines();
    assertPrinted(result, `${accessToken}\n`);
    assert.equal(refreshToken, scene.account.current);
    assert.match(scene.read() ?? "", /^# Verified: no, unverified/m);
    assert.deepEqual(beside(), []);
    assertPrinted(await show(), `${accessToken}\n`);
  });

  test("no file, and the refresh token stays the same: stored as well", async () => {
    scene.endpoint.answer = () => ({
      status: 200,
      body: { access_token: "fresh-access", token_type: "Bearer", expires_in: 3600 },
    });
    assertPrinted(await show(brought, withInput("brought-refresh\n")), "fresh-access\n");
    assert.deepEqual(scene.lines(), {
      accessToken: "fresh-access",
      refreshToken: "brought-refresh",
    });
  });

  test("a file there: the stored account stays, and a new refresh token is kept beside it", async () => {
    scene.write(tokenFileText("stored-access", "stored-refresh"));
    const before = scene.read();
    const result = await show(brought, withInput(`${scene.account.current}\n`));
    assert.equal(result.status, 0, result.stderr);
    assert.equal(scene.read(), before);
    const [path = "", ...others] = beside();
    assert.deepEqual(others, []);
    const [accessToken, refreshToken] = readFileSync(path, "utf8").split("\n");
    assert.deepEqual(result.writes, [`${accessToken}\n`]);
    assert.equal(refreshToken, scene.account.current);
    assert.ok(result.stderr.includes(path), "nobody would find it");
  });

  test("a file there, and the refresh token stays the same: nothing is written", async () => {
    scene.write(tokenFileText("stored-access", "stored-refresh"));
    const before = scene.read();
    scene.endpoint.answer = () => ({ status: 200, body: { access_token: "fresh-access" } });
    assertPrinted(await show(brought, withInput("brought-refresh\n")), "fresh-access\n");
    assert.equal(scene.read(), before);
    assert.deepEqual(beside(), []);
  });

  test("the very one that is stored: the file gets its successor, or it would be lost", async () => {
    scene.write(tokenFileText("stored-access", scene.account.current));
    const result = await show(brought, withInput(`${scene.account.current}\n`));
    assertPrinted(result, `${scene.lines().accessToken}\n`);
    assert.equal(scene.lines().refreshToken, scene.account.current);
    assert.deepEqual(beside(), []);
  });

  test("with --nocache and no file, only a new refresh token is a reason to write", async () => {
    scene.endpoint.answer = () => ({ status: 200, body: { access_token: "fresh-access" } });
    const words = [...brought, "--nocache"];
    assertPrinted(await show(words, withInput("brought-refresh\n")), "fresh-access\n");
    assert.equal(scene.read(), undefined);
    scene.endpoint.answer = scene.account.answer;
    assert.equal((await show(words, withInput(`${scene.account.current}\n`))).status, 0);
    assert.equal(scene.lines().refreshToken, scene.account.current);
  });

  test("one that is refused: 77 with the command, and nothing is written", async () => {
    const result = await show(brought, withInput("spent\n"));
    assertFailed(
      result,
      77,
      /invalid_grant[\s\S]*\n {2}mxtoken foo@example\.test --provider google/,
    );
    assert.equal(scene.read(), undefined);
  });
});

describe("an application's own token", () => {
  const office = () => [
    ...["--provider", "office365", "--tenant", "contoso.example", "--client-id", "test-client"],
    ...["--token-uri", scene.endpoint.uri, "--ca-file", scene.certificates.caFile],
  ];
  const secret = { MXTOKEN_CLIENT_SECRET: "the-secret" };
  let serial = 0;
  beforeEach(() => {
    serial = 0;
    scene.endpoint.answer = () => {
      serial += 1;
      return {
        status: 200,
        body: { access_token: `app-access-${serial}`, token_type: "Bearer", expires_in: 3600 },
      };
    };
  });

  function byKey(): string[] {
    const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
    const key = join(scene.directory, "key.json");
    writeFileSync(
      key,
      JSON.stringify({
        type: "service_account",
        client_email: "robot@project.example",
        client_id: "123456789",
        private_key: privateKey.export({ type: "pkcs8", format: "pem" }),
      }),
      { mode: 0o600 },
    );
    return [
      ...["--provider", "google", "--service-account-key", key],
      ...["--token-uri", scene.endpoint.uri, "--ca-file", scene.certificates.caFile],
    ];
  }

  const ways = [
    {
      name: "client credentials",
      grant: "client_credentials",
      options: () => [...office(), "--flow", "client-credentials"],
      env: secret,
    },
    {
      name: "a service account",
      grant: "urn:ietf:params:oauth:grant-type:jwt-bearer",
      options: byKey,
      env: {},
    },
  ];

  for (const { name, grant, options, env } of ways) {
    test(`by ${name}: got without a person, stored, printed from the file, got again`, async () => {
      const args = ["show", user, ...options(), "--home", scene.directory];
      const world = () => scene.world(env);
      const first = await run(args, world());
      assertPrinted(first, "app-access-1\n");
      assert.equal(first.stderr, "");
      assert.equal(scene.endpoint.requests[0]?.get("grant_type"), grant);
      assert.deepEqual(scene.lines(), { accessToken: "app-access-1", refreshToken: "" });
      // What the file says is enough while it is fresh: no secret and no key.
      assertPrinted(await run(["show", user, "--home", scene.directory]), "app-access-1\n");
      const later = world();
      later.advance(3_400_000);
      assertPrinted(await run(args, later), "app-access-2\n");
      assert.equal(scene.lines().accessToken, "app-access-2");
      assert.equal(scene.endpoint.requests.length, 2);
    });

    test(`by ${name} with --nocache: nothing is written`, async () => {
      const args = ["show", user, ...options(), "--nocache"];
      const home = ["--home", scene.directory];
      assertPrinted(await run([...args, ...home], scene.world(env)), "app-access-1\n");
      assert.equal(scene.read(), undefined);
      // Not even where nothing can be written.
      assertPrinted(await run([...args, "--home", "/proc/x"], scene.world(env)), "app-access-2\n");
      scene.write(tokenFileText("stored-access", "", { Provider: "", Client: "" }));
      const before = scene.read();
      assertPrinted(await run([...args, ...home], scene.world(env)), "app-access-3\n");
      assert.equal(scene.read(), before);
    });

    test(`by ${name} where nothing can be written: it is printed, and that is said`, async () => {
      const args = ["show", user, ...options(), "--home", "/proc/x"];
      const result = await run(args, scene.world(env));
      assert.equal(result.status, 0, result.stderr);
      assert.equal(result.stdout, "app-access-1\n");
      assert.match(result.stderr, /warning: the token is not stored: cannot/);
    });
  }

  test("the flow that the file was made with is used again without being named", async () => {
    const home = ["--home", scene.directory];
    const flow = ["--flow", "client-credentials"];
    await run(["show", user, ...office(), ...home, ...flow], scene.world(secret));
    const later = scene.world(secret);
    later.advance(3_600_000);
    assertPrinted(await run(["show", user, ...office(), ...home], later), "app-access-2\n");
  });

  test("a token without the role it needs is not printed and not stored: 77", async () => {
    const payload = Buffer.from(JSON.stringify({ roles: ["Other.Role"] })).toString("base64url");
    scene.endpoint.answer = () => ({
      status: 200,
      body: { access_token: `e30.${payload}.x`, token_type: "Bearer", expires_in: 3600 },
    });
    const args = ["show", user, ...office(), "--flow", "client-credentials"];
    const result = await run([...args, "--home", scene.directory], scene.world(secret));
    assertFailed(result, 77, /the token has no role IMAP\.AccessAsApp/);
    assert.equal(scene.read(), undefined);
  });

  test("an application that is refused: 77, and nobody is told to sign in", async () => {
    scene.endpoint.answer = () => ({ status: 401, body: { error: "invalid_client" } });
    const args = ["show", user, ...office(), "--flow", "client-credentials"];
    const result = await run([...args, "--home", scene.directory], scene.world(secret));
    assertFailed(result, 77, /refuses the application/);
    assert.doesNotMatch(result.stderr, /must sign in/);
  });
});

describe("a file that belongs to something else", () => {
  for (const [what, notes, words] of [
    ["provider", { Provider: "yahoo" }, /belongs to yahoo, not to google/],
    ["client", { Client: "another-client" }, /made for the client id another-client, not for test/],
    ["account", { Account: "bar@example.test" }, /made for the mailbox bar@example\.test/],
  ] as const) {
    for (const [state, expires] of [
      ["fresh", hour],
      ["expired", past],
    ]) {
      test(`another ${what} than the file's, ${state}: 78, nothing printed, nothing asked`, async () => {
        scene.write(tokenFileText("stored-access", "r", { ...notes, Expires: expires ?? "" }));
        const before = scene.read();
        const result = await show(["--token-file", scene.tokenFile]);
        assertFailed(result, 78, words);
        assertAskedNobody(result.world);
        assert.equal(scene.read(), before);
      });
    }
  }

  test("another tenant than the file's: 78, fresh or not", async () => {
    for (const Expires of [hour, past]) {
      scene.write(
        tokenFileText("a", "r", { Provider: "office365", Tenant: "one.example", Expires }),
      );
      const args = ["show", user, "--home", scene.directory, "--tenant", "two.example"];
      const result = await run(args);
      assertFailed(result, 78, /made for the tenant one\.example, not for two\.example/);
      assertAskedNobody(result.world);
    }
  });
});

describe("the same address at two providers", () => {
  const second = () => join(scene.directory, "tokens", `oauth2_tokens_${user}_office365.txt`);
  beforeEach(() => {
    scene.write(tokenFileText("google-access", "google-refresh"));
    writeFileSync(second(), tokenFileText("office-access", "r", { Provider: "office365" }));
  });
  const args = (...more: string[]) => ["show", user, "--home", scene.directory, ...more];

  test("--provider chooses, by any of its names", async () => {
    assertPrinted(await run(args()), "google-access\n");
    assertPrinted(await run(args("--provider", "gmail")), "google-access\n");
    assertPrinted(await run(args("--provider", "office365")), "office-access\n");
    assertPrinted(await run(args("--provider", "microsoft365")), "office-access\n");
  });

  test("an expired one is refreshed in its own file; the other stays as it was", async () => {
    const notes = { Provider: "office365", Expires: past };
    writeFileSync(second(), tokenFileText("office-access", scene.account.current, notes));
    const before = scene.read();
    const own = ["--client-id", "test-client", "--token-uri", scene.endpoint.uri];
    const trust = ["--ca-file", scene.certificates.caFile];
    const result = await run(args("--provider", "office365", ...own, ...trust));
    const [accessToken, refreshToken] = readFileSync(second(), "utf8").split("\n");
    assertPrinted(result, `${accessToken}\n`);
    assert.equal(refreshToken, scene.account.current);
    assert.equal(scene.read(), before);
  });

  test("a third provider has no tokens: 77, and none of theirs is shown", async () => {
    const result = await run(args("--provider", "fastmail", "--client-id", "x", "--scope", "y"));
    assertFailed(result, 77, /there are no tokens in \S+_fastmail\.txt/);
    assertAskedNobody(result.world);
  });
});

describe("a place that cannot be written", () => {
  test("a symbolic link that is not fresh: 73 with the real path, and nothing is asked", async () => {
    scene.write(tokenFileText("old-access", "old-refresh", { Expires: past }));
    const link = join(scene.directory, "link.txt");
    symlinkSync(scene.tokenFile, link);
    const result = await show(["--token-file", link]);
    assertFailed(result, 73, /is a symbolic link, which is not written through/);
    assert.ok(result.stderr.includes(scene.tokenFile));
    assertAskedNobody(result.world);
  });

  test("a lock that cannot be made: 73, and nothing is asked", async () => {
    scene.write(tokenFileText("old-access", "old-refresh", { Expires: past }));
    mkdirSync(join(dirname(scene.tokenFile), `.oauth2_tokens_${user}.txt.lock`));
    const result = await show();
    assertFailed(result, 73, /cannot/);
    assertAskedNobody(result.world);
  });

  test("no file and no place for one: a sign-in is what is missing, 77", async () => {
    const options = [...optionsWithout("--home"), "--home", "/proc/x"];
    assertFailed(await run(["show", user, ...options]), 77, /there are no tokens/);
  });
});

test("a signal while the refresh is on the wire: the answer is saved, 130, nothing printed", async () => {
  scene.write(tokenFileText("old-access", scene.account.current, { Expires: past }));
  const world = scene.world();
  scene.endpoint.answer = (request) => {
    world.interrupt("SIGINT");
    return scene.account.answer(request);
  };
  const result = await show([], world);
  assert.equal(scene.lines().refreshToken, scene.account.current);
  assert.ok(scene.lines().accessToken?.startsWith("access-1-"));
  assertFailed(result, 130, /interrupted/);
});
