import { isAbsolute, join, resolve } from "node:path";
import { keepSecrets, systemResolvers, trustAlso } from "./builtins.ts";
import { standardOutputs } from "./patient-output.ts";
import { after, deadline, leaveSignals, surviveBackgroundErrors, takeSignals } from "./waiting.ts";
import type { Environment, HttpPool, World } from "./world.ts";

/**
 * The world as it is: this process, the real clock, the real network. Whatever takes time to load
 * is only loaded when it is used: `mxtoken show` reads a file and writes a line.
 *
 * @param ownsProcess whether the process is this program's own. A library leaves its signals, its errors
 * in the background and its environment to whoever owns it, and opens no browser.
 */
export function systemWorld({ ownsProcess }: { readonly ownsProcess: boolean }): World {
  const { env, hideSecrets } = keepSecrets(process.env);
  const stop = once(ownsProcess ? takeSignals : leaveSignals);
  const outputs = once(standardOutputs);
  const http = once(() => import("./http.ts"));
  if (ownsProcess) surviveBackgroundErrors();
  return {
    get stdin() {
      return process.stdin;
    },
    get stdout() {
      return outputs().stdout;
    },
    get stderr() {
      return outputs().stderr;
    },
    env,
    platform: process.platform,
    program: ownsProcess ? [process.execPath, process.argv[1] ?? ""] : ["mxtoken"],
    cwd: process.cwd(),
    user:
      process.geteuid && process.getegid
        ? { uid: process.geteuid(), gid: process.getegid() }
        : undefined,
    get dataDirectory() {
      return dataDirectory(process.platform, env);
    },
    isTerminalGone: () => process.stderr.isTTY === true && !canOpenTerminal(),
    get interrupted() {
      return stop().interrupted;
    },
    interrupt: (name) => stop().interrupt(name),
    onSignal: (name, listener) => stop().onSignal(name, listener),
    isInForeground,
    now: Date.now,
    random: Math.random,
    sleep: (ms, signal = stop().interrupted) => sleep(ms, signal),
    after,
    deadline,
    http: async (request) => (await http()).sendRequest(request, env),
    httpPool: () => lazyPool(async () => (await http()).httpPool(env)),
    resolvers: systemResolvers,
    trust: (ca) => trustAlso(ca, env["NODE_EXTRA_CA_CERTS"]),
    run: async (command, { stop: signal = stop().interrupted, ...options } = {}) =>
      (await import("./run.ts")).run(command, signal, options),
    isProgram: async (file) => (await import("./run.ts")).isProgram(file, env["PATH"] ?? ""),
    start: async (...command) => (await import("./run.ts")).start(...command),
    async openBrowser(url) {
      // The package that opens it hands the whole environment on.
      if (!ownsProcess) throw new Error("a library opens none");
      hideSecrets();
      await (await import("./run.ts")).openBrowser(url, env["BROWSER"]);
    },
    trace: () => undefined,
  };
}

function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}

/** POSIX: /dev/tty is the controlling terminal, and cannot be opened after it has hung up. */
function canOpenTerminal(): boolean {
  const { openSync, closeSync } = process.getBuiltinModule("node:fs");
  try {
    closeSync(openSync("/dev/tty", "r"));
    return true;
  } catch {
    return false;
  }
}

/**
 * Linux says whether this is the process group that the terminal's keys are for, wherever the streams
 * lead; elsewhere a stream that is a terminal has to do for an answer.
 */
function isInForeground(): boolean {
  try {
    const stat = process.getBuiltinModule("node:fs").readFileSync("/proc/self/stat", "utf8");
    // proc(5): what follows the name, which may hold anything
    const [, , group, , , foreground] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return group === foreground;
  } catch {
    const { stdin, stdout, stderr } = process;
    return [stdin, stdout, stderr].some(({ isTTY }) => isTTY);
  }
}

function lazyPool(open: () => Promise<HttpPool>): HttpPool {
  const pool = once(open);
  let isUsed = false;
  return {
    http: async (request) => {
      isUsed = true;
      return (await pool()).http(request);
    },
    close: async () => {
      if (isUsed) await (await pool()).close();
    },
  };
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

/**
 * Where a user's data belongs: the XDG base directory specification on Linux and the BSDs, the
 * platform's own customs on macOS and Windows.
 *
 * @returns undefined where that is in a home directory, and none is known
 */
export function dataDirectory(platform: NodeJS.Platform, env: Environment): string | undefined {
  const inHome = (...names: string[]) => {
    const home = homeDirectory(platform, env);
    return home === undefined ? undefined : join(home, ...names, "mxtoken");
  };
  if (platform === "win32") {
    const local = env["LOCALAPPDATA"];
    return local ? join(local, "mxtoken") : inHome("AppData", "Local");
  }
  if (platform === "darwin") return inHome("Library", "Application Support");
  const xdg = env["XDG_DATA_HOME"];
  // The specification: a relative path is invalid and to be ignored.
  return xdg?.startsWith("/") ? resolve(xdg, "mxtoken") : inHome(".local", "share");
}

/** A relative one would lead to wherever the program is called; a bare uid in a container has none at all. */
function homeDirectory(platform: NodeJS.Platform, env: Environment): string | undefined {
  const named = env[platform === "win32" ? "USERPROFILE" : "HOME"];
  if (named !== undefined && isAbsolute(named)) return named;
  try {
    const { homedir } = process.getBuiltinModule("node:os").userInfo();
    return isAbsolute(homedir) ? homedir : undefined;
  } catch {
    return undefined;
  }
}
