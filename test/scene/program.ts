import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

/** The built program. */
export const programPath = fileURLToPath(new URL("../../dist/cli.js", import.meta.url));

/** One run of the built program or of another command. */
export interface Run {
  readonly child: ChildProcess;
  readonly written: { stdout: string; stderr: string };
  /** resolves when standard error holds the text; rejects when the program ends before */
  shown(text: string | RegExp): Promise<void>;
  /** how it ended */
  readonly ended: Promise<{ status: number | null; signal: NodeJS.Signals | null }>;
}

export interface RunOptions {
  readonly cwd: string;
  readonly env?: Record<string, string>;
  /** what stands on standard input; undefined: nothing, and it is at its end */
  readonly input?: string;
  /** leaves standard input open */
  readonly keepOpen?: boolean;
  /** gives it a process group of its own, as a terminal does, for a Ctrl-C that reaches them all */
  readonly isGroupLeader?: boolean;
}

/** Runs the built program as a user's shell would, with a bare environment. */
export function runProgram(args: readonly string[], options: RunOptions): Run {
  return runCommand(process.execPath, [programPath, ...args], options);
}

/** Runs a command as a user's shell would, with a bare environment. */
export function runCommand(command: string, args: readonly string[], options: RunOptions): Run {
  const child = spawn(command, args, {
    cwd: options.cwd,
    detached: options.isGroupLeader ?? false,
    env: { PATH: process.env["PATH"] ?? "", HOME: options.cwd, ...options.env },
    stdio: [options.input === undefined && !options.keepOpen ? "ignore" : "pipe", "pipe", "pipe"],
  });
  const written = { stdout: "", stderr: "" };
  const watchers = new Set<() => void>();
  for (const name of ["stdout", "stderr"] as const) {
    child[name]?.setEncoding("utf8");
    child[name]?.on("data", (chunk: string) => {
      written[name] += chunk;
      for (const watch of watchers) watch();
    });
  }
  child.stdin?.on("error", () => undefined);
  if (options.input !== undefined) child.stdin?.write(options.input);
  if (!options.keepOpen) child.stdin?.end();
  const ended = new Promise<{ status: number | null; signal: NodeJS.Signals | null }>((resolve) => {
    child.once("close", (status, signal) => resolve({ status, signal }));
  });
  return {
    child,
    written,
    ended,
    shown(text) {
      return new Promise((resolve, reject) => {
        const watch = () => {
          const found =
            typeof text === "string" ? written.stderr.includes(text) : text.test(written.stderr);
          if (!found) return;
          watchers.delete(watch);
          resolve();
        };
        watchers.add(watch);
        watch();
        void ended.then(() =>
          reject(new Error(`ended before ${text} was shown: ${written.stderr}`)),
        );
      });
    },
  };
}

/** The sign-in addresses that are shown and waited for, in what the program has said so far. */
export function signInAddresses(said: string): string[] {
  return said.match(/^https:\S+(?=\s.*(?:waiting|paste it here))/gms) ?? [];
}
