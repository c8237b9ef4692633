import { spawn } from "node:child_process";
import type { CommandResult } from "./world.ts";

/** Runs a program without a shell, or a command line with one; its standard error is the user's. */
export function run(
  command: { shell: string } | { file: string; args: string[] },
  signal: AbortSignal,
): Promise<CommandResult> {
  const child =
    "shell" in command
      ? spawn(command.shell, { shell: true, stdio: ["ignore", "pipe", "inherit"], signal })
      : spawn(command.file, command.args, { stdio: ["ignore", "pipe", "inherit"], signal });
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
    child.on("close", (status) => resolve({ status, stdout }));
  });
}
