import { spawn } from "node:child_process";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { Interrupted } from "../errors.ts";
import { openBrowser } from "./browser.ts";
import { trustAlso } from "./certificate-authorities.ts";
import { sendRequest } from "./http.ts";
import { systemResolvers } from "./resolvers.ts";
import type { CommandResult, World } from "./world.ts";

/** The world as it is: this process, the real clock, the real network. */
export function systemWorld(): World {
  const env = process.env;
  const { signal: interrupted, interrupt } = interruption();
  for (const stream of [process.stdout, process.stderr]) {
    // A reader that went away (`| head`, a closed terminal) must not end the program in the middle
    // of a refresh: whoever writes sees the error in the callback of the write.
    stream.on("error", () => undefined);
  }
  surviveBackgroundErrors();
  return {
    get stdin() {
      return process.stdin;
    },
    stdout: process.stdout,
    stderr: process.stderr,
    env,
    platform: process.platform,
    cwd: process.cwd(),
    user:
      process.geteuid && process.getegid
        ? { uid: process.geteuid(), gid: process.getegid() }
        : undefined,
    dataDirectory: dataDirectory(process.platform, env),
    interrupted,
    interrupt,
    now: Date.now,
    sleep: (ms, stop = interrupted) => sleep(ms, stop),
    deadline,
    http: (request) => sendRequest(request, env),
    resolvers: systemResolvers,
    trust: (ca) => trustAlso(ca, env["NODE_EXTRA_CA_CERTS"]),
    run: (command) => run(command, interrupted),
    openBrowser,
    trace: () => undefined,
  };
}

/**
 * Ctrl-C, `kill` and a closed terminal ask the program to end. They never end it at once: a
 * refresh that is on the wire must be saved first, so a second signal changes nothing either.
 */
function interruption() {
  const controller = new AbortController();
  const interrupt = (name: Interrupted["signal"]) => controller.abort(new Interrupted(name));
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(name, () => interrupt(name));
  }
  return { signal: controller.signal, interrupt };
}

/**
 * An error that nobody waits for (a socket that fails after it was given up) must not end the
 * program before a token is saved. Only its name and place are told: its message may quote one.
 * The status is a defect's unless the program still comes to an end of its own.
 */
function surviveBackgroundErrors(): void {
  const tell = (error: unknown) => {
    const name = error instanceof Error ? error.name : typeof error;
    const stack = error instanceof Error ? (error.stack ?? "") : "";
    const frames = stack.split("\n").filter((line) => /^\s+at /.test(line));
    process.exitCode = 70;
    process.stderr.write(`mxtoken: a defect in the background: ${name}\n${frames.join("\n")}\n`);
  };
  process.on("unhandledRejection", tell);
  process.on("uncaughtException", tell);
}

function sleep(ms: number, stop: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const wake = () => {
      clearTimeout(timer);
      reject(stop.reason);
    };
    const timer = setTimeout(() => {
      stop.removeEventListener("abort", wake);
      resolve();
    }, ms);
    if (stop.aborted) wake();
    else stop.addEventListener("abort", wake, { once: true });
  });
}

function deadline(ms: number, cancel?: AbortSignal): AbortSignal {
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(), ms).unref();
  cancel?.addEventListener("abort", () => clearTimeout(timer), { once: true });
  return controller.signal;
}

/**
 * Where a user's data belongs: the XDG base directory specification on Linux and the BSDs, the
 * platform's own customs on macOS and Windows.
 */
export function dataDirectory(
  platform: NodeJS.Platform,
  env: Readonly<Record<string, string | undefined>>,
): string {
  if (platform === "win32") {
    return join(env["LOCALAPPDATA"] ?? join(homedir(), "AppData", "Local"), "mxtoken");
  }
  if (platform === "darwin") return join(homedir(), "Library", "Application Support", "mxtoken");
  const xdg = env["XDG_DATA_HOME"];
  // The specification: a relative path is invalid and to be ignored.
  return xdg?.startsWith("/") ? resolve(xdg, "mxtoken") : join(homedir(), ".local/share/mxtoken");
}

function run(
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
