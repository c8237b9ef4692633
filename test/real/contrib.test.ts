import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { temporaryDirectory } from "../scene/certificates.ts";
import { programPath, runCommand, runProgram } from "../scene/program.ts";

const contrib = fileURLToPath(new URL("../../contrib", import.meta.url));
const units = readdirSync(join(contrib, "systemd"));
const services = units.filter((name) => name.endsWith(".service"));
const propertyList = join(contrib, "launchd/mxtoken-keep.plist");
const task = join(contrib, "windows/mxtoken-keep.xml");

function textOf(path: string): string {
  return readFileSync(join(contrib, path), "utf8");
}

/** The values of a setting that is in force. */
function settings(unit: string, name: string): string[] {
  const lines = textOf(join("systemd", unit)).split("\n");
  return lines.flatMap((line) =>
    line.startsWith(`${name}=`) ? [line.slice(name.length + 1)] : [],
  );
}

/** The one command line of a service. */
function commandOf(unit: string): string {
  const [command = "", ...others] = settings(unit, "ExecStart");
  assert.deepEqual(others, []);
  return command;
}

/** The units with a program that is on every machine: systemd-analyze misses one that is not. */
function installedUnits(): string[] {
  const directory = temporaryDirectory();
  return units.map((name) => {
    const path = join(directory, name);
    writeFileSync(
      path,
      textOf(join("systemd", name)).replace("/usr/local/bin/mxtoken", "/bin/true"),
    );
    return path;
  });
}

/** Runs a tool that must be there; @returns what it printed on both streams */
function tool(name: string, ...args: string[]): { status: number | null; text: string } {
  const { status, stdout, stderr, error } = spawnSync(name, args, { encoding: "utf8" });
  if (error !== undefined) throw error;
  return { status, text: `${stdout}${stderr}` };
}

function xpath(file: string, expression: string): string {
  const args = ["--nonet", "--xpath", expression, file];
  return execFileSync("xmllint", args, { encoding: "utf8" }).trimEnd();
}

describe("the systemd units", () => {
  test("systemd-analyze verify finds nothing", () => {
    const { status, text } = tool(
      "systemd-analyze",
      ...["verify", "--man=no", "--recursive-errors=no"],
      ...installedUnits(),
    );
    assert.equal(text, "");
    assert.equal(status, 0);
  });

  test("systemd-analyze security finds an exposure of 2.0 at most", () => {
    const paths = installedUnits().filter((path) => path.endsWith(".service"));
    assert.equal(paths.length, 2);
    for (const path of paths) {
      const { status, text } = tool(
        "systemd-analyze",
        ...["security", "--offline=true", "--threshold=20", "--no-pager", path],
      );
      assert.match(text, /Overall exposure level/);
      assert.equal(status, 0, text);
    }
  });

  test("both services have the same sandbox, and V8 may compile in it", () => {
    const [one, other] = services.map((name) => {
      const text = textOf(join("systemd", name));
      const sandbox = text.slice(text.indexOf("CapabilityBoundingSet=")).split("\n[")[0] ?? "";
      return sandbox.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
    });
    assert.deepEqual(one, other);
    assert.ok((one?.length ?? 0) > 20);
    for (const name of services) assert.deepEqual(settings(name, "MemoryDenyWriteExecute"), []);
  });

  for (const address of ["foo@example.com", "o'brien+a-b@my-domain.example.com"]) {
    test(`the name that systemd-escape makes of ${address} gives it back`, () => {
      const template = "--template=mxtoken-refresh@.service";
      const name = tool("systemd-escape", template, address).text.trim();
      assert.match(name, /^mxtoken-refresh@.*\.service$/);
      const back = tool("systemd-escape", "--unescape", "--instance", name).text.trim();
      assert.equal(back, address);
    });
  }

  test("systemd understands when the timer elapses", () => {
    const [when = ""] = settings("mxtoken-refresh@.timer", "OnCalendar");
    const { status, text } = tool("systemd-analyze", "calendar", "--iterations=2", when);
    assert.equal(status, 0, text);
    assert.match(text, /^Normalized form: \*-\*-\* \*:00\/30:00$/m);
  });
});

describe("the program understands", () => {
  /** Words as systemd and Windows part them, for lines without quotes. */
  function words(line: string): string[] {
    assert.doesNotMatch(line, /["']/);
    return line.split(" ");
  }

  test("the command line of mxtoken-keep.service", async () => {
    const [, ...args] = words(commandOf("mxtoken-keep.service").replace(/%[St]/g, "."));
    const cwd = temporaryDirectory();
    const list = join(cwd, "accounts.txt");
    const run = runProgram(
      args.map((word) => word.replace("/etc/mxtoken/accounts.txt", list)),
      { cwd },
    );
    assert.equal((await run.ended).status, 65);
    assert.match(run.written.stderr, /--list: cannot read \S+\/accounts\.txt: /);
  });

  test("the command line of mxtoken-refresh@.service", async () => {
    const line = commandOf("mxtoken-refresh@.service");
    const [, ...args] = words(line.replace("%I", "foo@example.com").replace("%S", "."));
    const cwd = temporaryDirectory();
    // Else DNS would be asked.
    const run = runProgram(args, { cwd, env: { MXTOKEN_PROVIDER: "google" } });
    assert.equal((await run.ended).status, 77);
    assert.match(run.written.stderr, /no tokens yet in \S+\/mxtoken\/tokens\//);
  });

  test("the shell line of the property list, which leaves its place to it", async () => {
    const [shell = "", flag = "", line = "", ...others] = [1, 2, 3, 4].flatMap((index) => {
      const path = `string(/plist/dict/key[.='ProgramArguments']/following-sibling::array[1]`;
      const text = xpath(propertyList, `${path}/string[${index}])`);
      return text === "" ? [] : [text];
    });
    assert.deepEqual([shell, flag, others], ["/bin/sh", "-c", []]);
    assert.match(line, /^exec mxtoken /m);
    const home = join(temporaryDirectory(), "a home");
    const bin = join(home, "bin");
    mkdirSync(join(home, "Library/Logs"), { recursive: true });
    mkdirSync(bin);
    symlinkSync(programPath, join(bin, "mxtoken"));
    const PATH = [bin, dirname(process.execPath), "/usr/bin", "/bin"].join(":");
    const run = runCommand(shell, [flag, line], { cwd: home, env: { HOME: home, PATH } });
    assert.equal((await run.ended).status, 65);
    assert.deepEqual(run.written, { stdout: "", stderr: "" });
    const log = readFileSync(join(home, "Library/Logs/mxtoken-keep.log"), "utf8");
    const list = join(home, "Library/Application Support/mxtoken/accounts.txt");
    assert.ok(log.includes(`--list: cannot read ${list}: `), log);
  });

  test("the arguments of the task", async () => {
    const [program, ...args] = words(xpath(task, "string(//*[local-name()='Arguments'])"));
    assert.equal(program, "C:\\mxtoken\\dist\\cli.js");
    const run = runProgram(args, { cwd: temporaryDirectory() });
    assert.equal((await run.ended).status, 65);
    assert.match(run.written.stderr, /--list: cannot read \S+accounts\.txt: /);
  });

  test("every option that is named", () => {
    const files = readdirSync(contrib, { recursive: true, encoding: "utf8" });
    const uses = files
      .filter((path) => /\.[a-z]+$/.test(path))
      .flatMap((path) => mxtokenUses(textOf(path)).map((use) => ({ path, ...use })));
    assert.deepEqual(
      new Set(uses.map(({ path }) => path)),
      new Set([
        ...["README.md", "launchd/mxtoken-keep.plist", "windows/mxtoken-keep.xml"],
        ...services.map((name) => `systemd/${name}`),
      ]),
    );
    for (const { path, command, option } of uses) {
      const known = new Set(helpOf(command).match(/(?<=\s)--[a-z-]+/g));
      assert.ok(known.has(option), `${path}: ${option}`);
    }
  });
});

interface Use {
  /** words that lead to the help which must name the option */
  readonly command: readonly string[];
  readonly option: string;
}

/** The options that a file gives to mxtoken, in command lines or by the environment. */
function mxtokenUses(text: string): Use[] {
  const lines = text.matchAll(
    /(?:\/bin\/mxtoken|cli\.js|exec mxtoken|-u mxtoken mxtoken|^mxtoken|`mxtoken) ([^\n`>;|&]*)/gm,
  );
  const onCommandLines = [...lines].flatMap(([, line = ""]) => {
    const command = line.startsWith("keep ") ? ["keep"] : [];
    return [...line.matchAll(/(?<=\s)--[a-z-]+/g)].map(([option]) => ({ command, option }));
  });
  // Not those of the command for events, which mxtoken sets itself.
  const byEnvironment = [...text.matchAll(/Environment="?MXTOKEN_([A-Z_]+)=/g)];
  return [
    ...onCommandLines,
    ...byEnvironment.map(([, name = ""]) => ({
      command: ["keep"],
      option: `--${name.toLowerCase().replaceAll("_", "-")}`,
    })),
  ];
}

const helps = new Map<string, string>();
function helpOf(command: readonly string[]): string {
  const key = command.join(" ");
  const help =
    helps.get(key) ??
    execFileSync(process.execPath, [programPath, ...command, "--help"], { encoding: "utf8" });
  helps.set(key, help);
  return help;
}

describe("the files for other systems", () => {
  for (const file of [propertyList, task]) {
    test(`${file.slice(contrib.length + 1)} is well-formed`, () => {
      assert.deepEqual(tool("xmllint", "--nonet", "--noout", file), { status: 0, text: "" });
    });
  }

  test("every key of the property list has a value", () => {
    const dictionaries = Number(xpath(propertyList, "count(//dict)"));
    assert.ok(dictionaries > 0);
    const pairs = "*[position() mod 2 = 1][self::key]";
    const good = `count(//dict[count(*) mod 2 = 0 and count(${pairs}) * 2 = count(*)])`;
    assert.equal(Number(xpath(propertyList, good)), dictionaries);
  });

  test("the task is ASCII, as a file that names no encoding", () => {
    assert.doesNotMatch(textOf("windows/mxtoken-keep.xml"), /[^\n\x20-\x7e]|encoding=/);
  });
});
