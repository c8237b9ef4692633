import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import {
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";
import { quoteForShell } from "../../src/programs/commands-to-copy.ts";
import {
  type AuthorizationServer,
  startAuthorizationServer,
} from "../scene/authorization-server.ts";
import { issueCertificates, temporaryDirectory } from "../scene/certificates.ts";
import { type Dovecot, startDovecot } from "../scene/dovecot.ts";
import {
  programPath,
  type Run,
  type RunOptions,
  runCommand,
  runProgram,
} from "../scene/program.ts";
import { type Scene, setScene, tokenFileText, user } from "../scene/scene.ts";
import type { Answer } from "../scene/token-endpoint.ts";
import { testWorld } from "../scene/world.ts";

// The built program, as mail programs run it, by the real clock.

let scene: Scene;
beforeEach(async () => {
  scene = await setScene();
});
afterEach(() => scene?.close());

function writeFresh(): void {
  const Expires = new Date(Date.now() + 3_600_000).toISOString();
  scene.write(tokenFileText("stored-access", "stored-refresh", { Expires }));
}

function writeExpired(): void {
  const Expires = new Date(Date.now() - 60_000).toISOString();
  scene.write(tokenFileText("old-access", scene.account.current, { Expires }));
}

function show(more: readonly string[] = [], options: Partial<RunOptions> = {}): Run {
  return runProgram(["show", user, ...scene.options, ...more], {
    cwd: scene.directory,
    ...options,
  });
}

async function ended(run: Run) {
  const { status, signal } = await run.ended;
  return { status, signal, ...run.written };
}

describe("mxtoken show as a child process", () => {
  test("a fresh token: 0, the token and a line end, nothing else anywhere", async () => {
    writeFresh();
    const result = await ended(show());
    assert.deepEqual(result, { status: 0, signal: null, stdout: "stored-access\n", stderr: "" });
  });

  test("one that is not fresh: the same, of the new token", async () => {
    writeExpired();
    const result = await ended(show());
    const stdout = `${scene.lines().accessToken}\n`;
    assert.deepEqual(result, { status: 0, signal: null, stdout, stderr: "" });
    assert.equal(scene.lines().refreshToken, scene.account.current);
  });

  test("from standard input, in another form", async () => {
    const run = show(["--access-token-stdin", "--format", "header"], { input: "brought\n" });
    const stdout = "Authorization: Bearer brought\n";
    assert.deepEqual(await ended(run), { status: 0, signal: null, stdout, stderr: "" });
  });

  test("oauth2_imap's spelling is read by both", async () => {
    writeFresh();
    const args = ["show", user, "-token_file", scene.tokenFile, "-format=header"];
    const { stdout, status } = await ended(runProgram(args, { cwd: scene.directory }));
    assert.deepEqual(
      { stdout, status },
      { stdout: "Authorization: Bearer stored-access\n", status: 0 },
    );
  });

  const failures: [string, string[], Answer | undefined, number][] = [
    ["no tokens", ["--token-file", "none.txt"], undefined, 77],
    ["a refresh token that is refused", [], { status: 400, body: { error: "invalid_grant" } }, 77],
    ["nobody who answers", [], "drop", 75],
    ["HTML", [], { status: 200, body: "<html>" }, 76],
    ["another client", ["--token-file", "other.txt"], undefined, 78],
    ["a symbolic link", ["--token-file", "link.txt"], undefined, 73],
    ["no token file at all", ["--token-file", "garbage.txt"], undefined, 65],
    ["an unknown option", ["--frobnicate"], undefined, 64],
    ["a bad length of time", ["--min-life", "soon"], undefined, 64],
    ["a contradiction", ["--json", "--format", "raw"], undefined, 78],
  ];
  for (const [what, more, answer, status] of failures) {
    test(`${what}: ${status}, and nothing that could be taken for a token`, async () => {
      writeExpired();
      const at = (name: string) => join(scene.directory, name);
      writeFileSync(at("other.txt"), tokenFileText("a", "r", { Client: "another" }));
      writeFileSync(at("garbage.txt"), "this is no token file\n");
      symlinkSync(scene.tokenFile, at("link.txt"));
      if (answer !== undefined) scene.endpoint.answer = () => answer;
      const result = await ended(show(more));
      assert.equal(result.status, status, result.stderr);
      assert.match(result.stderr, /^mxtoken: /);
      const isDocument = more.includes("--json");
      assert.equal(
        isDocument ? JSON.parse(result.stdout).ok : result.stdout,
        isDocument ? false : "",
      );
    });
  }

  test("nobody is asked anything, also on a terminal: 77", async () => {
    const words = [process.execPath, programPath, "show", user, "--home", scene.directory];
    const command = words.map(quoteForShell).join(" ");
    const run = runCommand("script", ["-qefc", command, "/dev/null"], {
      cwd: scene.directory,
      keepOpen: true,
    });
    assert.equal((await run.ended).status, 77, run.written.stdout);
    run.child.stdin?.destroy();
    assert.match(run.written.stdout, /somebody must sign in/);
  });
});

describe("what a fresh token costs", () => {
  /** The built program without anything that is loaded later. */
  function bareProgram(): string {
    const bare = join(scene.directory, "bare");
    cpSync(dirname(programPath), bare, { recursive: true });
    rmSync(join(bare, "program.js"));
    rmSync(join(bare, "chunks"), { recursive: true });
    return join(bare, "cli.js");
  }

  function bare(args: readonly string[], options: Partial<RunOptions> = {}) {
    const words = [bareProgram(), ...args];
    return ended(runCommand(process.execPath, words, { cwd: scene.directory, ...options }));
  }

  for (const more of [
    [],
    ["--json"],
    ["--format", "oauthbearer"],
    ["--format=xoauth2", "--protocol", "smtp"],
    ["--provider", "google", "--min-life", "30m", "--login", "p@example.test"],
  ]) {
    test(`${more.join(" ") || "raw"}: nothing but one file of the program is read`, async () => {
      writeFresh();
      const args = ["show", user, "--home", scene.directory, ...more];
      const result = await bare(args);
      const whole = await ended(runProgram(args, { cwd: scene.directory }));
      assert.equal(result.status, 0, result.stderr);
      assert.deepEqual(result, whole);
    });
  }

  test("the environment's options cost nothing either", async () => {
    writeFresh();
    const env = { MXTOKEN_HOME: scene.directory, MXTOKEN_FORMAT: "header" };
    const { stdout } = await bare(["show", user], { env });
    assert.equal(stdout, "Authorization: Bearer stored-access\n");
  });

  test("the version costs nothing either", async () => {
    const { version } = JSON.parse(
      readFileSync(join(dirname(programPath), "../package.json"), "utf8"),
    );
    assert.deepEqual(await bare(["--version"]), {
      status: 0,
      signal: null,
      stdout: `${version}\n`,
      stderr: "",
    });
  });

  for (const args of [["--version"], ["show", user, "--verbose"], ["check", user], ["show"]]) {
    test(`${args.join(" ")} needs the rest of the program`, async () => {
      writeFresh();
      const { status, stdout } = await bare([...args, "--home", scene.directory]);
      assert.notEqual(status, 0);
      assert.equal(stdout, "");
    });
  }

  test("a token that is not fresh needs it too", async () => {
    writeExpired();
    assert.notEqual((await bare(["show", user, "--home", scene.directory])).status, 0);
  });

  test("Node's own network, TLS and cryptography are not loaded", async () => {
    writeFresh();
    const list = join(scene.directory, "loaded.json");
    const hook = join(scene.directory, "hook.cjs");
    writeFileSync(
      hook,
      `process.on("exit", () => require("node:fs").writeFileSync(${JSON.stringify(list)}, JSON.stringify(process.moduleLoadList)));`,
    );
    const args = ["--require", hook, programPath, "show", user, "--home", scene.directory];
    // On a file, because Node's stream for a pipe is a socket.
    const command = [process.execPath, ...args].map(quoteForShell).join(" ");
    const token = join(scene.directory, "token");
    execFileSync("sh", ["-c", `${command} > ${quoteForShell(token)}`]);
    assert.equal(readFileSync(token, "utf8"), "stored-access\n");
    const loaded: string[] = JSON.parse(readFileSync(list, "utf8"));
    assert.ok(loaded.length > 50);
    for (const name of ["net", "tls", "https", "_http_client", "dgram", "dns", "crypto", "zlib"]) {
      assert.ok(!loaded.includes(`NativeModule ${name}`), name);
    }
  });
});

test("20 at once, at a server that revokes everything when a token is reused: one refresh, one token", async () => {
  writeExpired();
  const runs = Array.from({ length: 20 }, () => show());
  const results = await Promise.all(runs.map(ended));
  for (const { status, stderr, stdout } of results) {
    assert.equal(status, 0, stderr);
    assert.equal(stdout, `${scene.lines().accessToken}\n`);
  }
  assert.equal(scene.endpoint.requests.length, 1);
  assert.ok(scene.account.isAlive);
  assert.equal(scene.lines().refreshToken, scene.account.current);
});

test("a show beside a whole run: both have a token, and the account lives", async () => {
  writeExpired();
  const whole = runProgram([user, ...scene.options], { cwd: scene.directory });
  const results = await Promise.all([whole, show(), show(["--nocache"])].map(ended));
  for (const { status, stderr } of results) assert.equal(status, 0, stderr);
  assert.ok(scene.account.isAlive);
  assert.equal(scene.lines().refreshToken, scene.account.current);
});

test("kill -9 while the refresh is on the wire: the file is as it was, and the next show works", async () => {
  writeExpired();
  const before = scene.read();
  let arrive: () => void = () => undefined;
  const arrived = new Promise<void>((resolve) => {
    arrive = resolve;
  });
  scene.endpoint.answer = () => {
    arrive();
    return new Promise<Answer>(() => undefined);
  };
  const run = show();
  await arrived;
  run.child.kill("SIGKILL");
  const { signal, stdout } = await ended(run);
  assert.deepEqual({ signal, stdout }, { signal: "SIGKILL", stdout: "" });
  assert.equal(scene.read(), before);
  scene.endpoint.answer = scene.account.answer;
  const next = await ended(show());
  assert.equal(next.status, 0, next.stderr);
  assert.equal(next.stdout, `${scene.lines().accessToken}\n`);
  const names = readdirSync(dirname(scene.tokenFile)).filter((name) => name.endsWith(".tmp"));
  assert.deepEqual(names, []);
});

describe("standard output that takes nothing", () => {
  const cases = [
    ["fresh", writeFresh],
    ["not fresh", writeExpired],
  ] as const;
  for (const [what, write] of cases) {
    test(`a full disk, ${what}: 73`, async () => {
      write();
      const words = [process.execPath, programPath, "show", user, ...scene.options];
      const command = `${words.map(quoteForShell).join(" ")} > /dev/full`;
      const result = await ended(runCommand("sh", ["-c", command], { cwd: scene.directory }));
      assert.equal(result.status, 73, result.stderr);
      assert.match(result.stderr, /cannot write to standard output: the disk is full/);
      if (what === "not fresh") assert.equal(scene.lines().refreshToken, scene.account.current);
    });

    test(`a reader that has gone, ${what}: 73, and what was refreshed is stored`, async () => {
      write();
      const child = spawn(process.execPath, [programPath, "show", user, ...scene.options], {
        cwd: scene.directory,
        env: { PATH: process.env["PATH"], HOME: scene.directory },
        stdio: ["ignore", "pipe", "pipe"],
      });
      child.stdout.destroy();
      let stderr = "";
      child.stderr.on("data", (chunk) => {
        stderr += chunk;
      });
      const status = await new Promise((resolve) => child.once("close", resolve));
      assert.equal(status, 73, stderr);
      assert.match(stderr, /cannot write to standard output: nobody reads it any more/);
      if (what === "not fresh") assert.equal(scene.lines().refreshToken, scene.account.current);
    });
  }
});

describe("curl, which takes the token for IMAP", () => {
  let directory: string;
  let server: AuthorizationServer;
  let dovecot: Dovecot;
  let options: string[];

  before(async () => {
    directory = temporaryDirectory();
    const certificates = await issueCertificates(directory);
    server = await startAuthorizationServer(certificates);
    dovecot = await startDovecot(directory, certificates, server, [user]);
    const home = join(directory, "home");
    mkdirSync(home);
    options = [
      ...["--provider", "office365", "--client-id", server.clientId],
      ...["--scope", "mail offline_access", "--redirect-uri", "https://localhost"],
      ...["--authorize-uri", server.authorizeUri, "--token-uri", server.tokenUri],
      ...["--imap-server", `localhost:${dovecot.imaps}`, "--ca-file", certificates.caFile],
      ...["--home", home],
    ];
    const world = testWorld({ cwd: directory, now: Date.now() });
    const { main } = await import("../../src/cli/main.ts");
    const signingIn = main([user, ...options, "--remotebrowser"], world);
    const address = /^https:\/\/\S+code_challenge\S+$/m;
    await world.shown(address);
    world.stdin.end(`${await server.signIn(address.exec(world.written.stderr)?.[0] ?? "")}\n`);
    assert.equal(await signingIn, 0, world.written.stderr);
  });
  after(async () => {
    await dovecot?.close();
    await server?.close();
  });

  for (const [what, more] of [
    ["stored", []],
    ["new", ["--min-life", "2h"]],
  ] as const) {
    test(`opens the mailbox with a ${what} token`, async () => {
      const args = ["show", user, ...options, ...more];
      const shown = await ended(runProgram(args, { cwd: directory }));
      assert.equal(shown.status, 0, shown.stderr);
      const ca = options[options.indexOf("--ca-file") + 1];
      const config = [
        `url = "imaps://localhost:${dovecot.imaps}/INBOX"`,
        `user = "${user}"`,
        `oauth2-bearer = "${shown.stdout.trimEnd()}"`,
        `cacert = "${ca}"`,
        'request = "STATUS INBOX (MESSAGES)"',
        "silent",
        "show-error",
      ];
      const run = runCommand("curl", ["-K", "-"], {
        cwd: directory,
        input: `${config.join("\n")}\n`,
      });
      const { status, stdout, stderr } = await ended(run);
      assert.equal(status, 0, stderr);
      assert.match(stdout, /STATUS INBOX \(MESSAGES 2\)/);
    });
  }
});
