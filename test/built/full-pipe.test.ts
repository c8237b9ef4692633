import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
  closeSync,
  constants,
  openSync,
  readdirSync,
  readlinkSync,
  readSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { programPath } from "../scene/program.ts";
import { type Scene, setScene, tokenFileText, user } from "../scene/scene.ts";

let scene: Scene;
before(async () => {
  scene = await setScene();
});
after(() => scene.close());

/** Writes until nothing more is taken. */
function fill(fd: number): number {
  const piece = Buffer.alloc(4096, "x");
  for (let written = 0; ; ) {
    try {
      written += writeSync(fd, piece);
    } catch {
      return written;
    }
  }
}

/** How often a process has a file open. */
function countOpen(pid: number | undefined, path: string): number {
  const directory = `/proc/${pid}/fd`;
  return readdirSync(directory).filter((fd) => {
    try {
      return readlinkSync(join(directory, fd)) === path;
    } catch {
      return false;
    }
  }).length;
}

test("a pipe that takes nothing now, and lets nobody wait: the token comes all the same", async () => {
  const Expires = new Date(Date.now() + 3_600_000).toISOString();
  scene.write(tokenFileText("stored-access", "stored-refresh", { Expires }));
  const pipe = join(scene.directory, "pipe");
  execFileSync("mkfifo", [pipe]);
  const { O_NONBLOCK, O_RDONLY, O_WRONLY } = constants;
  const output = openSync(pipe, O_RDONLY | O_NONBLOCK);
  const input = openSync(pipe, O_WRONLY | O_NONBLOCK);
  const filled = fill(input);
  // Node has every process that it starts wait for its output.
  const notWaiting = "use Fcntl; fcntl(STDOUT, F_SETFL, O_WRONLY | O_NONBLOCK); exec @ARGV";
  const command = [process.execPath, programPath, "show", user, "--home", scene.directory];
  const args = ["-e", notWaiting, ...command];
  const child = spawn("perl", args, { stdio: ["ignore", input, "inherit"] });
  const exited = once(child, "exit");
  // It opens the pipe once more when it has to wait for it.
  while (child.exitCode === null && countOpen(child.pid, pipe) < 2) await nextTurn();
  closeSync(input);
  const chunk = Buffer.alloc(64 * 1024);
  let text = "";
  for (;;) {
    try {
      const count = readSync(output, chunk);
      if (count === 0) break;
      text += chunk.toString("utf8", 0, count);
    } catch {
      await nextTurn();
    }
  }
  closeSync(output);
  assert.deepEqual(await exited, [0, null]);
  assert.equal(text.slice(filled), "stored-access\n");
});
