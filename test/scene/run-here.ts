import { spawn } from "node:child_process";
import { resolve } from "node:path";
import { isProgram } from "../../src/world/run.ts";
import type { Ending, World } from "../../src/world/world.ts";
import { runMain } from "./scene.ts";
import { commandWorld } from "./scripted-command.ts";
import type { TestWorld } from "./world.ts";

/** What became of a run, as `outcome` tells it of one that was a process. */
export interface Outcome {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * `mxtoken run` in this process, whose command is a real one. What only a process of its own can show
 * (signals to it, its streams, its terminal) it does not show.
 */
export async function runHere(
  args: readonly string[],
  cwd: string,
  env: Readonly<Record<string, string>> = {},
): Promise<Outcome> {
  const world = commandWorld(cwd);
  const all = { PATH: process.env["PATH"] ?? "", HOME: cwd, ...env };
  Object.assign(world, {
    env: all,
    start: starter(world, all),
    isProgram: (file: string) =>
      isProgram(file.includes("/") ? resolve(cwd, file) : file, all.PATH),
  });
  return { ...(await runMain(args, world)), signal: null };
}

/** Starts the command as the program would, but with streams that can be read back. */
function starter(world: TestWorld, env: Readonly<Record<string, string>>): World["start"] {
  return async (file, args, more) => {
    const child = spawn(file, [...args], {
      cwd: world.cwd,
      env: { ...env, ...more },
      stdio: ["ignore", "pipe", "pipe"],
    });
    child.stdout.on("data", (chunk) => world.stdout.write(chunk));
    child.stderr.on("data", (chunk) => world.stderr.write(chunk));
    const ended = new Promise<Ending>((settle, reject) => {
      child.once("error", reject);
      child.once("close", (status, signal) =>
        settle(signal === null ? { status: status ?? 0 } : { signal }),
      );
    });
    return { ended, kill: (name) => void child.kill(name) };
  };
}
