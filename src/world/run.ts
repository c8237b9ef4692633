import { constants } from "node:fs";
import { access } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { systemCode, systemReason } from "../system-error.ts";
import { withoutSecrets } from "./builtins.ts";
import { textOf } from "./text.ts";
import type { Child, CommandResult, Ending, Environment, Runnable, RunOptions } from "./world.ts";

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
    env: { ...withoutSecrets(process.env), ...env },
  };
  const { spawn } = process.getBuiltinModule("node:child_process");
  const child =
    "shell" in command
      ? spawn(command.shell, { shell: true, ...options })
      : spawn(command.file, [...command.args], options);
  return new Promise((resolve, reject) => {
    const pieces: Buffer[] = [];
    let size = 0;
    child.stdout.on("data", (piece: Buffer) => {
      pieces.push(piece);
      size += piece.length;
      if (size > 1024 * 1024) giveUp();
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
      resolve({ status, stdout: textOf(Buffer.concat(pieces)) });
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
  const { spawn } = process.getBuiltinModule("node:child_process");
  const inherited = withoutSecrets(process.env);
  const child = spawn(file, [...args], { stdio: "inherit", env: { ...inherited, ...env } });
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

/**
 * Opens an address in the person's browser, without a shell: in the first of `BROWSER` that works, else in
 * the desktop's own. Resolves when the program that opens it has ended, which on some desktops is when the
 * browser ends.
 *
 * @throws Error with a reason for people
 */
export async function openBrowser(url: string, browsers: string | undefined): Promise<void> {
  const { spawn } = process.getBuiltinModule("node:child_process");
  for (const [file = "", ...args] of browserCommands(browsers ?? "", url)) {
    const child = spawn(file, args, { stdio: "ignore", detached: true });
    child.unref();
    const status = await new Promise((resolve) => {
      child.once("error", resolve);
      child.once("exit", resolve);
    });
    if (status === 0) return;
  }
  await openByDesktop(url);
}

/**
 * The commands of `BROWSER`, as xdg-open(1) and others read it: several between colons, each with its
 * arguments, and `%s` where the address belongs if that is not their end.
 */
export function browserCommands(browsers: string, url: string): string[][] {
  return browsers.split(":").flatMap((command) => {
    const words = [...command.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)].map(
      ([, double, single, plain]) => double ?? single ?? plain ?? "",
    );
    if (words.length === 0) return [];
    const isPlaced = words.some((word) => word.includes("%s"));
    // As a function: the address may hold what a replacement means something by.
    const filled = words.map((word) =>
      word.replace(/%([s%])/g, (_, mark) => (mark === "s" ? url : "%")),
    );
    return [isPlaced ? filled : [...filled, url]];
  });
}

/** The package knows what each desktop wants, and Windows under WSL. */
async function openByDesktop(url: string): Promise<void> {
  const { default: open } = await import("open");
  const child = await open(url).catch((error) => {
    const isMissing = systemCode(error) === "ENOENT";
    const reason = isMissing ? `${error.path} is not installed` : systemReason(error);
    throw new Error(reason, { cause: error });
  });
  const status = child.exitCode ?? (await new Promise((resolve) => child.once("exit", resolve)));
  if (status !== 0) throw new Error(`${child.spawnfile} ended with status ${status}`);
}

/**
 * Whether a browser that is opened here would be seen by the person: not over SSH, and not on a
 * Unix machine without a screen. `BROWSER`, which `xdg-open` follows, is a person's own word, and
 * editors that work over SSH set it.
 */
export function isBrowserSeen(platform: NodeJS.Platform, env: Environment): boolean {
  if (env["BROWSER"]) return true;
  if (isOverSsh(env)) return false;
  if (platform === "win32" || platform === "darwin") return true;
  return Boolean(env["DISPLAY"] || env["WAYLAND_DISPLAY"] || env["WSL_DISTRO_NAME"]);
}

export function isOverSsh(env: Environment): boolean {
  return Boolean(env["SSH_CONNECTION"] || env["SSH_CLIENT"] || env["SSH_TTY"]);
}

/**
 * The command for the person's own machine that leads its port to this machine's.
 *
 * @param port the same on both: it is a part of the redirect URI
 */
export function sshTunnel(env: Environment, port: number): string {
  const [, , host, sshPort] = (env["SSH_CONNECTION"] ?? "").split(" ");
  const user = env["USER"] || env["LOGNAME"] || "USER";
  const where = sshPort === undefined || sshPort === "22" ? "" : ` -p ${sshPort}`;
  return `ssh -L ${port}:localhost:${port}${where} ${user}@${host || "THIS-MACHINE"}`;
}
