import assert from "node:assert/strict";
import { cpSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { temporaryDirectory } from "./peers/certificates.ts";
import { type Run, runCommand } from "./peers/program.ts";
import { type Scene, setScene, tokenFileText, user } from "./peers/scene.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const other = "nobody@example.test";

let scene: Scene;
/** the project as somebody has it who edits the scripts: its `tokens/` is the scene's */
let project: string;
beforeEach(async () => {
  scene = await setScene();
  project = temporaryDirectory();
  cpSync(join(root, "scripts"), join(project, "scripts"), { recursive: true });
  symlinkSync(join(root, "dist"), join(project, "dist"));
  symlinkSync(join(scene.directory, "tokens"), join(project, "tokens"));
});
afterEach(() => scene.close());

/** Changes the line at the top of the script, as a person does. */
function edit(script: string, name: string, value: string): void {
  const path = join(project, "scripts", script);
  const text = readFileSync(path, "utf8");
  const line = new RegExp(`^${name}=".*"$|^${name}=\\S*$`, "m");
  assert.match(text, line);
  writeFileSync(path, text.replace(line, `${name}="${value}"`));
}

/** Runs the script from another directory; the environment leads it to the scene's servers. */
function runScript(script: string, keepOpen = false): Run {
  return runLine(join(project, "scripts", script), [], keepOpen);
}

function runLine(command: string, args: readonly string[], keepOpen = false): Run {
  const { endpoint, imap, certificates } = scene;
  return runCommand(command, args, {
    cwd: scene.directory,
    env: {
      MXTOKEN_CLIENT_ID: "test-client",
      MXTOKEN_SCOPE: "mail",
      MXTOKEN_AUTHORIZE_URI: "https://localhost/authorize",
      MXTOKEN_TOKEN_URI: endpoint.uri,
      MXTOKEN_IMAP_SERVER: `localhost:${imap.port}`,
      MXTOKEN_CA_FILE: certificates.caFile,
    },
    keepOpen,
    isGroupLeader: true,
  });
}

/** As Ctrl-C in a terminal, which reaches every process of the group. */
function interrupt(run: Run): void {
  process.kill(-Number(run.child.pid), "SIGINT");
}

describe("the loop", () => {
  beforeEach(() => {
    edit("oauth2_example_loop.sh", "addresses", `${other} ${user}`);
    edit("oauth2_example_loop.sh", "options", "--provider google --redirect-uri http://localhost");
    scene.write(tokenFileText("old-access", scene.account.current));
  });

  test("goes on after a turn that failed, says when the next one is, and ends on Ctrl-C", async () => {
    const run = runScript("oauth2_example_loop.sh");
    await run.shown(/^The next turn is at \S+.*\. Ctrl-C ends this\.$/m);
    assert.match(
      run.written.stderr,
      /^No fresh token for nobody@example\.test this time: status 77\.$/m,
    );
    assert.equal(run.written.stdout, `${join(project, "tokens", `oauth2_tokens_${user}.txt`)}\n`);
    assert.equal(scene.lines().refreshToken, scene.account.current);
    assert.notEqual(scene.lines().accessToken, "old-access");
    interrupt(run);
    assert.deepEqual(await run.ended, { status: 130, signal: null });
  });

  test("turns again when the interval is over", async () => {
    edit("oauth2_example_loop.sh", "interval", "0.001");
    const run = runScript("oauth2_example_loop.sh");
    await run.shown(/(The next turn is at.*){2}/s);
    interrupt(run);
    assert.equal((await run.ended).status, 130);
    assert.ok(scene.endpoint.requests.length >= 2);
  });

  test("ends on Ctrl-C while somebody is to sign in", async () => {
    const run = runScript("oauth2_example_loop.sh", true);
    await run.shown("waiting 5 minutes");
    interrupt(run);
    assert.deepEqual(await run.ended, { status: 130, signal: null });
    assert.equal(scene.endpoint.requests.length, 0, "no turn of the second address");
  });

  test("ends on Ctrl-C that is typed while somebody is to sign in, at the first one", async () => {
    edit("oauth2_example_loop.sh", "addresses", `${other} second@example.test`);
    const loop = join(project, "scripts", "oauth2_example_loop.sh");
    const run = runLine("script", ["-qec", loop, "/dev/null"], true);
    await new Promise<void>((resolve) => {
      run.child.stdout?.on("data", () => {
        if (run.written.stdout.includes("waiting 5 minutes")) resolve();
      });
    });
    run.child.stdin?.write("\u0003");
    assert.deepEqual(await run.ended, { status: 130, signal: null });
    assert.doesNotMatch(run.written.stdout, /second@example\.test/);
  });

  test("takes the provider of an address behind a colon", async () => {
    edit("oauth2_example_loop.sh", "addresses", `${user}:google ${user}:outlook`);
    edit("oauth2_example_loop.sh", "options", "");
    const run = runScript("oauth2_example_loop.sh");
    await run.shown("The next turn is at");
    interrupt(run);
    assert.equal((await run.ended).status, 130);
    assert.match(run.written.stderr, new RegExp(`^mxtoken: ${user} at google `, "m"));
    assert.match(run.written.stderr, new RegExp(`^mxtoken: ${user} at outlook `, "m"));
    assert.match(
      run.written.stderr,
      new RegExp(`^No .* for ${user}:outlook .* status 77\\.$`, "m"),
    );
  });

  test("says that no addresses are written: 64", async () => {
    edit("oauth2_example_loop.sh", "addresses", "");
    const run = runScript("oauth2_example_loop.sh");
    assert.equal((await run.ended).status, 64);
    assert.match(run.written.stderr, /^No addresses are written at the top of \S+_loop\.sh\.$/m);
  });

  test("warns of an interval in which a token dies", async () => {
    edit("oauth2_example_loop.sh", "interval", "90");
    const run = runScript("oauth2_example_loop.sh");
    await run.shown("The next turn is at");
    interrupt(run);
    await run.ended;
    assert.match(run.written.stderr, /^A token lives about 60 minutes: /);
  });

  test("says the time at which the interval is over", async () => {
    const timeIn30Minutes = () => new Date(Date.now() + 30 * 60_000).toLocaleTimeString();
    const args = [join(root, "scripts/wait.js"), "30", String(process.pid)];
    const earliest = timeIn30Minutes();
    const waiting = runCommand(process.execPath, args, { cwd: scene.directory });
    await waiting.shown(" Ctrl-C ends this.");
    const latest = timeIn30Minutes();
    waiting.child.kill();
    await waiting.ended;
    const [, shown = ""] = /^The next turn is at (.*)\. Ctrl-C/.exec(waiting.written.stderr) ?? [];
    const [from, to, at] = [earliest, latest, shown].map((time) => Date.parse(`1/1/2000 ${time}`));
    const isBetween = Number(at) >= Number(from) && Number(at) <= Number(to);
    assert.ok(isBetween || shown === earliest || shown === latest, shown);
  });

  test("leaves nobody waiting who has lost the loop", async () => {
    const waiting = runCommand(process.execPath, [join(root, "scripts/wait.js"), "30", "1"], {
      cwd: scene.directory,
    });
    assert.deepEqual(await waiting.ended, { status: 1, signal: null });
  });

  for (const [signal, status] of [
    ["SIGTERM", 143],
    ["SIGHUP", 129],
  ] as const) {
    test(`ends at once when ${signal} comes to it alone while it waits: ${status}`, async () => {
      const run = runScript("oauth2_example_loop.sh");
      await run.shown("The next turn is at");
      run.child.kill(signal);
      assert.deepEqual(await run.ended, { status, signal: null });
    });
  }

  for (const interval of ["", "half an hour", "0", "-5", "1e9", "2000"]) {
    test(`says what an interval is, instead of ${JSON.stringify(interval)}: 64`, async () => {
      edit("oauth2_example_loop.sh", "interval", interval);
      const run = runScript("oauth2_example_loop.sh");
      assert.equal((await run.ended).status, 64);
      assert.doesNotMatch(run.written.stderr, /^mxtoken:/m, "before the first turn");
      assert.match(
        run.written.stderr,
        /^The interval ".*" is not a number of minutes, like 30\.$/m,
      );
    });
  }
});

describe("the examples", () => {
  for (const [script, provider] of [
    ["oauth2_example_gmail.sh", "google"],
    ["oauth2_example_office365.sh", "office365"],
  ] as const) {
    test(`${script} does its turn, and its status is the program's`, async () => {
      edit(script, "address", user);
      scene.write(tokenFileText("old-access", scene.account.current, { Provider: provider }));
      const run = runScript(script);
      assert.equal((await run.ended).status, 0, run.written.stderr);
      assert.match(scene.read() ?? "", new RegExp(`^# Provider: ${provider}$`, "m"));
      assert.notEqual(scene.lines().accessToken, "old-access");
      scene.write("");
      const asked = runScript(script);
      assert.equal((await asked.ended).status, 77, asked.written.stderr);
    });
  }

  test("the loop for Windows goes on after what is no success, and waits in between", () => {
    const batch = readFileSync(join(root, "scripts/oauth2_example_loop.bat"), "utf8");
    const loop = batch.slice(batch.indexOf(":turn\r\n"), batch.indexOf(":refresh\r\n"));
    assert.deepEqual(loop.split("\r\n").slice(0, -2), [
      ":turn",
      "for %%a in (%addresses%) do (",
      "  call :refresh %%a",
      "  if errorlevel 129 goto interrupted",
      ")",
      "node scripts\\wait.js %interval%",
      "set status=%errorlevel%",
      "if %status%==0 goto turn",
      "goto end",
    ]);
    assert.match(batch, /^if not %status%==0 echo No fresh token .*\r\nexit \/b 0\r$/m);
  });

  for (const script of shellScripts()) {
    test(`${script} says what to type where nothing is built: 78`, async () => {
      const bare = temporaryDirectory();
      cpSync(join(root, "scripts"), join(bare, "scripts"), { recursive: true });
      const run = runCommand(join(bare, "scripts", script), [], { cwd: "/" });
      assert.equal((await run.ended).status, 78);
      assert.match(run.written.stderr, /not built yet\. In .* type: npm ci && npm run build$/m);
    });

    test(`${script} and its .bat differ in nothing that is meant`, () => {
      const shell = readFileSync(join(root, "scripts", script), "utf8");
      const batch = readFileSync(join(root, "scripts", script.replace(/sh$/, "bat")), "utf8");
      assert.equal(batch.replaceAll("\r\n", "").includes("\n"), false, "CRLF, which cmd.exe needs");
      assert.match(batch, /^pause\r$/m, "keeps the window of a double-click open");
      assert.deepEqual(programLines(batch), programLines(shell));
      assert.deepEqual(topOf(batch), topOf(shell));
      assert.match(batch, /^cd \/d "%~dp0\.\." \|\| goto end\r$/m);
      assert.match(batch, /^:end\r\n(rem .*\r\n)?pause\r\nexit \/b %status%\r\n$/m);
    });
  }
});

function shellScripts(): string[] {
  const names = readdirSync(join(root, "scripts"));
  return names.filter((name) => name.startsWith("oauth2_example_") && name.endsWith(".sh"));
}

/** What is to be edited at the top of a script, and what is said of it. */
function topOf(text: string): string[] {
  const [top = ""] = text.replaceAll("\r", "").split(/^(?:rem|#) Nothing below/m);
  return top
    .replaceAll(/^(rem|#!.*|#)( |$)/gm, "")
    .replaceAll(/\bset |"/g, "")
    .split("\n")
    .filter((line) => !/^$|^@echo|^setlocal|^chcp|UTF-8/.test(line))
    .join(" ")
    .split(/\s+/);
}

/** The options that a script gives the program itself, for each line that calls it. */
function programLines(text: string): string[][] {
  const lines = text.match(/^.*dist[/\\]cli\.js --home.*$/gm) ?? [];
  return lines.map((line) => line.match(/--[a-z]+/g) ?? []);
}

test("the examples find the project through a symbolic link, and whatever CDPATH says", async () => {
  edit("oauth2_example_gmail.sh", "address", user);
  scene.write(tokenFileText("old-access", scene.account.current));
  mkdirSync(join(scene.directory, "scripts"));
  const link = join(scene.directory, "link.sh");
  symlinkSync(join(project, "scripts", "oauth2_example_gmail.sh"), link);
  const run = runLine("env", [`CDPATH=${scene.directory}`, link]);
  assert.equal((await run.ended).status, 0, run.written.stderr);
});
