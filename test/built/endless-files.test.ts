import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { closeSync, openSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { harmless } from "../../src/secret.ts";
import { parseAccountList } from "../../src/settings/account-list.ts";
import { readPaste } from "../../src/sign-in/paste.ts";
import { readSealedTokens } from "../../src/store/restore.ts";
import { readComment } from "../../src/store/token-file-kind.ts";
import { type Run, runProgram } from "../scene/program.ts";
import { type Scene, setScene, tokenFileText, user } from "../scene/scene.ts";
import { parseTokenFile } from "../scene/tokens.ts";

let scene: Scene;
beforeEach(async () => {
  scene = await setScene();
  scene.write(tokenFileText("old-access", "old-refresh"));
});
afterEach(() => scene.close());

/** The options whose files are read; another value for the same option takes its place. */
const options = [
  ["--list", ["keep"], 65],
  ["--ca-file", ["show", user, "--nocache"], 65],
  ["--client-secret-file", ["show", user, "--nocache"], 78],
  ["--client-certificate", ["show", user, "--nocache"], 78],
  ["--service-account-key", [user], 78],
] as const;

function withOption(option: string, path: string): string[] {
  const given = [...scene.options];
  const at = given.indexOf(option);
  if (at !== -1) given.splice(at, 2);
  return [...given, option, path];
}

describe("a file that has no end, or is far too large", () => {
  for (const [option, args, status] of options) {
    test(`${option}: ${status}, in words, and no memory is filled`, async () => {
      const large = join(scene.directory, "large");
      // Full of holes: it takes no room on the disk.
      execFileSync("truncate", ["-s", "40G", large]);
      for (const [path, why] of [
        ["/dev/zero", /is not a regular file/],
        [large, /is too large/],
        [scene.directory, /is not a regular file|is a directory/],
      ] as const) {
        const result = await scene.run([...args, ...withOption(option, path)]);
        assert.equal(result.status, status, `${path}: ${result.stderr}`);
        assert.match(result.stderr, why);
      }
      assert.equal(scene.endpoint.requests.length, 0);
    });
  }
});

describe("a pipe, as a shell's <(command) is", () => {
  for (const [option, args] of [
    ["--list", ["keep", "--verify", "none", "--refresh-at", "1%"]],
    ["--client-secret-file", ["show", user, "--nocache"]],
  ] as const) {
    const start = (path: string): Run => {
      const given = withOption(option, path);
      return runProgram([...args, ...given], { cwd: scene.directory });
    };

    test(`${option}: is read to its end`, async () => {
      const pipe = join(scene.directory, "pipe");
      execFileSync("mkfifo", [pipe]);
      // Open for both, nobody waits for the other end.
      const writer = openSync(pipe, "r+");
      writeSync(writer, option === "--list" ? `${user}\n` : "the-secret\n");
      scene.write(tokenFileText("old-access", scene.account.current));
      const asked = new Promise<URLSearchParams>((resolve) => {
        scene.endpoint.answer = (request) => {
          resolve(request);
          return scene.account.answer(request);
        };
      });
      const run = start(pipe);
      // It ends when nobody has it open for writing any more; the program has it open by then.
      while (!isOpenIn(run, pipe)) await new Promise((resolve) => setTimeout(resolve, 5));
      closeSync(writer);
      const request = await asked;
      if (option !== "--list") assert.equal(request.get("client_secret"), "the-secret");
      run.child.kill("SIGTERM");
      await run.ended;
    });

    test(`${option}: one that never ends gives way to SIGTERM`, async () => {
      const pipe = join(scene.directory, "pipe");
      execFileSync("mkfifo", [pipe]);
      const writer = openSync(pipe, "r+");
      const run = start(pipe);
      while (!isOpenIn(run, pipe)) await new Promise((resolve) => setTimeout(resolve, 5));
      run.child.kill("SIGTERM");
      assert.equal((await run.ended).status, 143, run.written.stderr);
      closeSync(writer);
    });
  }
});

function isOpenIn({ child }: Run, path: string): boolean {
  assert.equal(child.exitCode, null, "it has ended");
  const command = `readlink /proc/${child.pid}/fd/* 2>/dev/null; true`;
  return execFileSync("sh", ["-c", command], { encoding: "utf8" }).split("\n").includes(path);
}

test("texts from elsewhere are read once over, however long they are", () => {
  // Twice the length would take four times as long otherwise, which is hours for these.
  const length = 1_000_000;
  const expected = {
    state: "state",
    issuer: undefined,
    authorizationEndpoint: "https://localhost/authorize",
  };
  const readers: ((text: string) => unknown)[] = [
    (text) => readComment(`# ${text}`),
    (text) => parseTokenFile(`access\nrefresh\n# Provider: google\n#${text}`, ""),
    (text) => readSealedTokens(`access\nrefresh\n# Tokens: ${text}`),
    (text) => readPaste([text], expected),
    (text) => [...parseAccountList(`${user} ${text}`, "list")],
    (text) => harmless(text),
  ];
  for (const part of [
    " ",
    "\n",
    "a",
    "a ",
    " a",
    "#",
    "=",
    "%",
    "'",
    '"',
    ".",
    "a.",
    "@",
    "://",
    "\t",
    "<",
    "0",
    "-",
    ":",
  ]) {
    const text = part.repeat(length / part.length);
    for (const read of readers) {
      for (const one of [text, `${text}!`, `x${text}`, `${text}\nend`]) {
        try {
          read(one);
        } catch {
          // What is wrong with it is told, and in time.
        }
      }
    }
  }
});

test("a file of 64 KiB that is a secret's place, and one more byte", async () => {
  const file = join(scene.directory, "secret");
  writeFileSync(file, `secret\n${"#".repeat(64 * 1024 - 7)}`);
  scene.endpoint.answer = scene.account.answer;
  scene.write(tokenFileText("old-access", scene.account.current));
  const args = ["show", user, "--nocache", ...scene.options, "--client-secret-file", file];
  assert.equal((await scene.run(args)).status, 0);
  writeFileSync(file, `secret\n${"#".repeat(64 * 1024 - 6)}`);
  assert.equal((await scene.run(args)).status, 78);
});
