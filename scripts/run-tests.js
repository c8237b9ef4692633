// npm run test:only [FILE...]: runs the tests in a temporary directory of their own, of which nothing is
// left, however they end: their certificates and mailboxes, a browser's profile, the cache of tsx.
import { execFileSync, spawn } from "node:child_process";
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const named = process.argv.slice(2);
const all = readdirSync("test", { recursive: true }).filter((name) => name.endsWith(".test.ts"));
const files = named.length > 0 ? named : all.map((name) => join("test", name));

// A short name: the path of a socket has 107 characters at most.
const directory = mkdtempSync(join(tmpdir(), "mxt-"));
// Started by root, Dovecot and Postfix read their files as users of their own.
chmodSync(directory, 0o755);

// What a test waits for comes, or its server says at once why it does not; the limit, for a whole file, is
// for defects of the tests, on the slowest machine.
const limit = 1_800_000;
const options = [`--test-timeout=${limit}`, "--test-concurrency=3", "--test-reporter=spec"];
const child = spawn(process.execPath, ["--import", "tsx", "--test", ...options, ...files], {
  stdio: "inherit",
  env: { ...process.env, TMPDIR: directory, NODE_DISABLE_COMPILE_CACHE: "1" },
});
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
child.once("exit", (status) => {
  unmountWithin(directory);
  rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
  process.exitCode = status ?? 1;
});

/** A test that was ended from outside leaves its small disk mounted. */
function unmountWithin(path) {
  if (process.platform !== "linux") return;
  const mounts = readFileSync("/proc/self/mountinfo", "utf8").split("\n");
  const points = mounts.map((line) => line.split(" ")[4] ?? "");
  for (const point of points.filter((one) => one.startsWith(`${path}/`)).reverse()) {
    const command = ["umount", point];
    if (process.geteuid() !== 0) command.unshift("sudo", "-n");
    execFileSync(command[0], command.slice(1), { stdio: "inherit" });
  }
}
