import { spawn } from "node:child_process";
import type { Child, CommandResult, Ending, Runnable, RunOptions } from "./world.ts";

/** Runs a program without a shell, or a command line with one; its standard error is the user's. */
export function run(
  command: Runnable,
  signal: AbortSignal,
  env?: RunOptions["env"],
): Promise<CommandResult> {
  const options = {
    stdio: ["ignore", "pipe", "inherit"] as ["ignore", "pipe", "inherit"],
    signal,
    ...(env === undefined ? {} : { env: { ...process.env, ...env } }),
  };
  const child =
    "shell" in command
      ? spawn(command.shell, { shell: true, ...options })
      : spawn(command.file, [...command.args], options);
  return new Promise((resolve, reject) => {
    let stdout = "";
    child.stdout.setEncoding("utf8");
    child.stdout.on("data", (chunk: string) => {
      stdout += chunk;
      if (stdout.length > 1024 * 1024) giveUp();
    });
    // A shell's own children live on after it; without a reader they end, or are not waited for.
    const giveUp = () => {
      child.stdout.destroy();
      child.kill();
    };
    signal.addEventListener("abort", giveUp);
    child.on("error", reject);
    child.on("close", (status) => {
      signal.removeEventListener("abort", giveUp);
      resolve({ status, stdout });
    });
  });
}

/** Starts a program that has the terminal, or whatever stands in its place, as this one has it. */
export function start(file: string, args: readonly string[], env: RunOptions["env"]): Child {
  const child = spawn(file, [...args], { stdio: "inherit", env: { ...process.env, ...env } });
  const ended = new Promise<Ending>((resolve, reject) => {
    // One that runs, and may not be signalled, as sudo by whoever is not root, goes on.
    child.on("error", (error) => {
      if (child.pid === undefined) reject(error);
    });
    child.once("exit", (status, signal) => {
      resolve(signal === null ? { status: status ?? 0 } : { signal });
    });
  });
  return { ended, kill: (signal) => void child.kill(signal) };
}
