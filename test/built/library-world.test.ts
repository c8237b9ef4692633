import assert from "node:assert/strict";
import { once } from "node:events";
import { afterEach, test } from "node:test";
import { type Run, runCommand } from "../scene/program.ts";

let run: Run | undefined;
afterEach(async () => {
  run?.child.kill("SIGKILL");
  await run?.ended;
});

const at = (path: string) =>
  JSON.stringify(new URL(`../../src/world/${path}`, import.meta.url).href);

/** Somebody's program, with a world of ours in it. */
function begin(code: string, ownsProcess: boolean): Run {
  const text = `
    import { systemWorld } from ${at("system.ts")};
    const events = ["SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2", "uncaughtException", "unhandledRejection"];
    const listening = () => events.filter((name) => process.listenerCount(name) > 0);
    const world = systemWorld({ ownsProcess: ${ownsProcess} });
    ${code}`;
  const args = ["--import", "tsx", "--input-type=module", "-e", text];
  const env = { MXTOKEN_CLIENT_SECRET: "a-secret", MINE: "as it was", BROWSER: "true" };
  run = runCommand(process.execPath, args, { cwd: process.cwd(), env });
  return run;
}

/** Uses whatever of a world might change the process. */
const use = `
  const awake = setInterval(() => undefined, 1000);
  world.interrupted.throwIfAborted();
  const release = world.onSignal("SIGUSR2", () => undefined);
  await world.sleep(1);
  await world.http({ method: "GET", url: "https://localhost:1/", headers: {}, signal: world.deadline(5000) }).catch(() => undefined);
  const { stdout } = await world.run({ shell: "env" });
  await world.openBrowser("https://localhost:1/").catch(() => undefined);`;

const tell = `
  console.log(JSON.stringify({
    listening: listening(),
    secret: process.env.MXTOKEN_CLIENT_SECRET,
    known: world.env.MXTOKEN_CLIENT_SECRET,
    exitCode: process.exitCode,
    inherited: stdout.split("\\n").filter((line) => /^(?:MINE|MXTOKEN_CLIENT_SECRET)=/.test(line)),
  }));`;

async function told(code: string, ownsProcess: boolean) {
  const { ended, written } = begin(code, ownsProcess);
  assert.equal((await ended).status, 0, written.stderr);
  return JSON.parse(written.stdout);
}

test("a library's world leaves the process as it is, and hides its secrets from children all the same", async () => {
  assert.deepEqual(await told(`${use}${tell}clearInterval(awake);`, false), {
    listening: [],
    secret: "a-secret",
    known: "a-secret",
    inherited: ["MINE=as it was"],
  });
});

test("a program's world takes the signals and the errors in the background", async () => {
  const found = await told(`${use}${tell}clearInterval(awake);`, true);
  assert.deepEqual(found, {
    listening: [
      "SIGINT",
      "SIGTERM",
      "SIGHUP",
      "SIGUSR2",
      "uncaughtException",
      "unhandledRejection",
    ],
    known: "a-secret",
    inherited: ["MINE=as it was"],
  });
});

test("a signal ends a program that has a library's world in it", async () => {
  const { child, ended } = begin(`${use}console.log("ready");`, false);
  assert.ok(child.stdout !== null);
  await once(child.stdout, "data");
  child.kill("SIGTERM");
  assert.equal((await ended).signal, "SIGTERM");
});
