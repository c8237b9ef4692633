import assert from "node:assert/strict";
import { cpSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { temporaryDirectory } from "../scene/certificates.ts";
import { type Run, runCommand } from "../scene/program.ts";
import { type Scene, setScene, tokenFileText, user } from "../scene/scene.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
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
afterEach(() => scene?.close());

/** Changes the line at the top of the script, as a person does. */
function edit(script: string, name: string, value: string): void {
  writeWith(script, new RegExp(`^${name}=".*"$|^${name}=\\S*$`, "m"), `${name}="${value}"`);
}

function writeWith(script: string, former: RegExp, text: string): void {
  const path = join(project, "scripts", script);
  const before = readFileSync(path, "utf8");
  assert.match(before, former);
  writeFileSync(path, before.replace(former, text));
}

/** Runs the script from another directory; the environment leads it to the scene's servers. */
function runScript(script: string): Run {
  return runLine(join(project, "scripts", script), []);
}

function runLine(command: string, args: readonly string[]): Run {
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
    isGroupLeader: true,
  });
}

/** As Ctrl-C in a terminal, which reaches every process of the group. */
function interrupt(run: Run): void {
  process.kill(-Number(run.child.pid), "SIGINT");
}

describe("the loop", () => {
  const script = "oauth2_example_loop.sh";
  const addresses = /foo@example\.com bar@example\.org/;

  test("keeps its mailboxes fresh until Ctrl-C, also where one needs somebody", async () => {
    writeWith(script, addresses, `--provider google ${other} ${user}`);
    scene.write(tokenFileText("old-access", scene.account.current));
    const run = runScript(script);
    await run.shown(`${user}: a new token`);
    await run.shown(`${other}: needs somebody: there are no tokens`);
    interrupt(run);
    assert.deepEqual(await run.ended, { status: 130, signal: null });
    assert.equal(scene.lines().refreshToken, scene.account.current);
    assert.notEqual(scene.lines().accessToken, "old-access");
  });

  for (const [signal, status] of [
    ["SIGTERM", 143],
    ["SIGINT", 130],
  ] as const) {
    test(`ends when ${signal} comes to it alone: ${status}`, async () => {
      writeWith(script, addresses, `--provider google ${user}`);
      scene.write(tokenFileText("old-access", scene.account.current));
      const run = runScript(script);
      await run.shown("a new token");
      run.child.kill(signal);
      assert.deepEqual(await run.ended, { status, signal: null });
    });
  }

  test("ends with 77 when every mailbox needs somebody", async () => {
    const run = runScript(script);
    assert.deepEqual(await run.ended, { status: 77, signal: null });
    assert.match(run.written.stderr, /^ {2}mxtoken bar@example\.org --home \S+ /m);
  });

  test("is two lines, which call the program, and the same for Windows", () => {
    const lines = (name: string) =>
      readFileSync(join(root, "scripts", name), "utf8")
        .replaceAll("\r", "")
        .split("\n")
        .filter((line) => !/^(?:#.*|@rem.*|)$/.test(line));
    const [, shell = "", ...more] = lines(script);
    const [, batch = "", ...others] = lines("oauth2_example_loop.bat");
    assert.deepEqual([more, others], [[], []]);
    assert.equal(batch.replace("@node dist\\cli.js", "exec node dist/cli.js"), shell);
    assert.match(shell, /^exec node dist\/cli\.js keep --home \. --every 30m /);
  });
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
  return names.filter((name) => /^oauth2_example_(?!loop).*\.sh$/.test(name));
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
