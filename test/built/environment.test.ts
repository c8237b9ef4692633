import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { keepSecrets, secretsIn } from "../../src/world/builtins.ts";
import { putCrowd } from "../scene/crowd.ts";
import { accounts } from "../scene/keeping.ts";
import { type Run, type RunOptions, runProgram } from "../scene/program.ts";
import { type Scene, setScene, tokenFileText, user } from "../scene/scene.ts";

let scene: Scene;
const runs: Run[] = [];
beforeEach(async () => {
  scene = await setScene();
});
afterEach(async () => {
  for (const run of runs.splice(0)) {
    run.child.kill("SIGKILL");
    await run.ended;
  }
  await scene.close();
});

const secrets = {
  MXTOKEN_CLIENT_SECRET: "one-secret",
  MXTOKEN_STORE_PASSPHRASE: "another-secret",
  MXTOKEN_OTHER_SECRET_KEY: "a-third-secret",
  mxtoken_client_secret2: "a-fourth-secret",
};

function start(args: readonly string[], options: Partial<RunOptions> = {}): Run {
  const { env, ...more } = options;
  const PATH = `${join(scene.directory, "bin")}:${process.env["PATH"]}`;
  const all = { ...secrets, MINE: "as it was", PATH, ...env };
  const run = runProgram(args, { cwd: scene.directory, env: all, ...more });
  runs.push(run);
  return run;
}

/** Puts a program on the PATH that writes down its environment. @returns the path of what it writes */
function standIn(name: string, end = ""): string {
  const bin = join(scene.directory, "bin");
  const file = join(scene.directory, `${name}.env`);
  mkdirSync(bin, { recursive: true });
  const text = `#!/bin/sh\nenv > '${file}.part' && mv '${file}.part' '${file}'\n${end}\n`;
  writeFileSync(join(bin, name), text, { mode: 0o755 });
  return file;
}

/** Resolves with an environment that was written down. */
async function written(file: string, run: Run): Promise<string> {
  for (;;) {
    try {
      return readFileSync(file, "utf8");
    } catch {
      assert.equal(run.child.exitCode, null, run.written.stderr);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}

function assertClean(environment: string): void {
  assert.match(environment, /^MINE=as it was$/m);
  assert.doesNotMatch(environment, /secret|passphrase/i);
}

function putFreshToken(): void {
  const at = (ms: number) => new Date(Date.now() + ms).toISOString();
  const notes = { Issued: at(0), Expires: at(3_600_000) };
  scene.write(tokenFileText("a-fresh-access-token", scene.account.current, notes));
}

describe("no secret stands in the environment of", () => {
  test("what opens the browser", async () => {
    const file = standIn("xdg-open");
    const run = start([user, ...scene.options], { env: { DISPLAY: ":0" }, keepOpen: true });
    assertClean(await written(file, run));
  });

  test("the command of run, and imapsync that is asked for its options", async () => {
    putFreshToken();
    const asked = standIn("imapsync", 'case "$*" in *--help*) echo --oauthaccesstoken1 ;; esac');
    const run = start(["run", user, ...scene.options, "--imapsync", "--", "imapsync"]);
    assertClean(await written(asked, run));
    await run.ended;
    const file = standIn("command");
    const other = start(["run", user, ...scene.options, "--", "command"]);
    await other.ended;
    const environment = readFileSync(file, "utf8");
    assertClean(environment);
    assert.match(environment, /^MXTOKEN_TOKEN_FILE_1=/m);
  });

  test("systemd-notify, and the command for every event", async () => {
    const crowd = putCrowd(scene, accounts(1), Date.now);
    const notify = standIn("systemd-notify");
    const event = standIn("on-event");
    const env = { NOTIFY_SOCKET: join(scene.directory, "socket"), WATCHDOG_USEC: "60000000" };
    const args = ["keep", "--list", crowd.list, ...scene.options, "--on-event", "on-event"];
    const run = start(args, { env });
    const [byNotify, byEvent] = [await written(notify, run), await written(event, run)];
    assertClean(byNotify);
    assert.match(byNotify, /^NOTIFY_SOCKET=/m);
    assertClean(byEvent);
    assert.doesNotMatch(byEvent, /NOTIFY_SOCKET|WATCHDOG/);
    run.child.kill("SIGTERM");
    assert.equal((await run.ended).status, 143, run.written.stderr);
    // The secret is there as before for what asks with it.
    assert.doesNotMatch(run.written.stderr, /secret/);
  });

  test("getent, which is asked for a group", async () => {
    putFreshToken();
    const file = standIn("getent", "echo movers:x:0:");
    const run = start([user, ...scene.options, "--group", "movers"]);
    await run.ended;
    assertClean(readFileSync(file, "utf8"));
    // Which was asked before the secret was needed.
    const [request] = scene.endpoint.requests;
    assert.equal(request?.get("client_secret"), secrets.MXTOKEN_CLIENT_SECRET, run.written.stderr);
  });
});

test("the secret's own command sees all of them, and its secret is used", async () => {
  putFreshToken();
  const file = standIn("secret", "echo sesame");
  const { MXTOKEN_CLIENT_SECRET: _, ...others } = secrets;
  const run = start([user, ...scene.options, "--client-secret-command", "secret"], {
    env: { MXTOKEN_CLIENT_SECRET: "" },
  });
  await run.ended;
  const environment = readFileSync(file, "utf8");
  for (const [name, value] of Object.entries(others)) {
    assert.match(environment, new RegExp(`^${name}=${value}$`, "m"));
  }
  assert.match(environment, /^MINE=as it was$/m);
  assert.ok(scene.endpoint.requests.length > 0, run.written.stderr);
});

describe("an environment whose secrets are kept", () => {
  test("names that hold a secret, and others that do not", () => {
    const others = {
      MXTOKEN_HOME: "h",
      CLIENT_SECRET: "of another",
      MXTOKEN_APP: "a",
      SECRET: "s",
    };
    assert.deepEqual(secretsIn({ ...secrets, ...others }), secrets);
    assert.deepEqual(secretsIn({ MXTOKEN_CLIENT_SECRET_FILE: "f" }), {
      MXTOKEN_CLIENT_SECRET_FILE: "f",
    });
  });

  test("has them after they are hidden, and what is inherited has not", () => {
    const inherited: NodeJS.ProcessEnv = { ...secrets, HOME: "/home/you" };
    const { env, hideSecrets } = keepSecrets(inherited);
    hideSecrets();
    assert.deepEqual(inherited, { HOME: "/home/you" });
    for (const [name, value] of Object.entries({ ...secrets, HOME: "/home/you" })) {
      assert.equal(env[name], value);
    }
    assert.equal(env["NOWHERE"], undefined);
  });
});
