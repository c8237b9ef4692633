import { spawn } from "node:child_process";
import { constants } from "node:fs";
import { access } from "node:fs/promises";
import { delimiter, join } from "node:path";
import type { Child, CommandResult, Ending, Runnable, RunOptions } from "./world.ts";

/** Runs a program without a shell, or a command line with one; its standard error is the user's. */
export function run(
  command: Runnable,
  signal: AbortSignal,
  { env, isGroup = false }: Omit<RunOptions, "stop"> = {},
): Promise<CommandResult> {
  const options = {
    stdio: ["ignore", "pipe", "inherit"] as ["ignore", "pipe", "inherit"],
    signal,
    detached: isGroup,
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
      if (isGroup) endGroup(child.pid);
      else child.kill();
    };
    signal.addEventListener("abort", giveUp);
    child.on("error", reject);
    child.on("close", (status) => {
      signal.removeEventListener("abort", giveUp);
      resolve({ status, stdout });
    });
  });
}

/** A command that nobody waits for any more may not listen to a kinder signal. */
function endGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(process.platform === "win32" ? pid : -pid, "SIGKILL");
  } catch {
    // It has ended by itself.
  }
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

/**
 * Whether a program can be started by this name, as execvp(3) looks for it. On Windows, which knows more
 * endings than one, only starting it tells.
 *
 * @param path the directories to look in, as PATH has them
 */
export async function isProgram(file: string, path: string): Promise<boolean> {
  if (process.platform === "win32") return true;
  // What else is wrong with one that is named by its path, starting it tells.
  if (file.includes("/")) return isThere(file, constants.F_OK);
  const directories = path.split(delimiter);
  const found = directories.map((directory) => isThere(join(directory, file), constants.X_OK));
  return (await Promise.all(found)).includes(true);
}

function isThere(path: string, mode: number): Promise<boolean> {
  return access(path, mode).then(
    () => true,
    () => false,
  );
}
