import { join, resolve } from "node:path";
import { Interrupted } from "../errors.ts";
import { trustAlso } from "./certificate-authorities.ts";
import { keepSecrets } from "./environment.ts";
import { patientOutputs } from "./patient-output.ts";
import type { HttpPool, Output, SignalName, World } from "./world.ts";

/**
 * The world as it is: this process, the real clock, the real network. Whatever takes time to load
 * is only loaded when it is used: `mxtoken show` reads a file and writes a line.
 */
export function systemWorld(): World {
  const { env, hideSecrets } = keepSecrets(process.env);
  /** For whatever starts child processes. */
  const hidden = <T>(module: Promise<T>): Promise<T> => {
    hideSecrets();
    return module;
  };
  const interruption = once(listenToSignals);
  const outputs = once(outputsOf);
  surviveBackgroundErrors();
  return {
    get stdin() {
      return process.stdin;
    },
    get stdout() {
      return withoutErrors(outputs().stdout);
    },
    get stderr() {
      return withoutErrors(outputs().stderr);
    },
    env,
    platform: process.platform,
    program: [process.execPath, process.argv[1] ?? ""],
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
      return interruption().signal;
    },
    interrupt: (name) => interruption().interrupt(name),
    onSignal: (name, listener) => interruption().take(name, listener),
    isInForeground,
    now: Date.now,
    random: Math.random,
    sleep: (ms, stop = interruption().signal) => sleep(ms, stop),
    deadline,
    http: async (request) => (await import("./http.ts")).sendRequest(request, env),
    httpPool: () => lazyPool(env),
    resolvers: async () => (await import("./resolvers.ts")).systemResolvers(),
    trust: (ca) => trustAlso(ca, env["NODE_EXTRA_CA_CERTS"]),
    run: async (command, { stop = interruption().signal, ...options } = {}) =>
      (await hidden(import("./run.ts"))).run(command, stop, options),
    isProgram: async (file) => (await import("./run.ts")).isProgram(file, env["PATH"] ?? ""),
    start: async (...command) => (await hidden(import("./run.ts"))).start(...command),
    openBrowser: async (url) => (await hidden(import("./browser.ts"))).openBrowser(url),
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

/** Windows turns what is written into its console's letters, which only Node's own streams know. */
function outputsOf(): { stdout: Output; stderr: Output } {
  if (process.platform !== "win32") return patientOutputs();
  return { stdout: process.stdout, stderr: process.stderr };
}

const guarded = new WeakSet<Output>();

/**
 * A reader that went away (`| head`, a closed terminal) must not end the program in the middle of a
 * refresh: whoever writes sees the error in the callback of the write.
 */
function withoutErrors(stream: Output): Output {
  if (!guarded.has(stream)) stream.on("error", () => undefined);
  guarded.add(stream);
  return stream;
}

/**
 * Ctrl-C, `kill` and a closed terminal ask the program to end. They never end it at once: a
 * refresh that is on the wire must be saved first, so a second signal changes nothing either.
 */
function listenToSignals() {
  const controller = new AbortController();
  // Every request that is under way hears of it, and Node would take many of them for a leak.
  process.getBuiltinModule("node:events").setMaxListeners(0, controller.signal);
  const interrupt = (name: Interrupted["signal"]) => controller.abort(new Interrupted(name));
  const takers = new Map<SignalName, () => void>();
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(name, () => (takers.get(name) ?? (() => interrupt(name)))());
  }
  const take = (name: SignalName, listener: () => void) => {
    const isEnding = name === "SIGINT" || name === "SIGTERM" || name === "SIGHUP";
    if (isEnding) takers.set(name, listener);
    else process.on(name, listener);
    return () => {
      if (isEnding) takers.delete(name);
      else process.off(name, listener);
    };
  };
  return { signal: controller.signal, interrupt, take };
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

function lazyPool(env: World["env"]): HttpPool {
  const pool = once(async () => (await import("./http.ts")).httpPool(env));
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

/**
 * An error that nobody waits for (a socket that fails after it was given up) must not end the
 * program before a token is saved. Only its name and place are told: its message may quote one.
 * The status is a defect's unless the program still comes to an end of its own.
 */
function surviveBackgroundErrors(): void {
  // What begins by itself and then leaves it to the program has done it already.
  if (process.listenerCount("uncaughtException") > 0) return;
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

/** The longest piece of a deadline, ms. */
const longestPiece = 1000;

/**
 * A deadline counts the time in which this process runs: one that was stopped, or slept with its machine,
 * had no chance to read what has arrived meanwhile. And whatever has arrived is read before it is over.
 */
function deadline(ms: number, cancel?: AbortSignal): AbortSignal {
  const controller = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const count = (left: number) => {
    const piece = Math.min(left, longestPiece);
    const next = left - piece > 0 ? () => count(left - piece) : () => afterReading(end);
    timer = setTimeout(next, piece).unref();
  };
  const end = () => {
    if (cancel?.aborted !== true) controller.abort();
  };
  cancel?.addEventListener("abort", () => clearTimeout(timer), { once: true });
  count(ms);
  return controller.signal;
}

/** Timers come before what the network has brought; one turn of the event loop begins to read it. */
function afterReading(work: () => void, turns = 4): void {
  setImmediate(() => (turns > 1 ? afterReading(work, turns - 1) : work()));
}

/**
 * Where a user's data belongs: the XDG base directory specification on Linux and the BSDs, the
 * platform's own customs on macOS and Windows.
 */
export function dataDirectory(
  platform: NodeJS.Platform,
  env: Readonly<Record<string, string | undefined>>,
): string {
  const { homedir } = process.getBuiltinModule("node:os");
  if (platform === "win32") {
    return join(env["LOCALAPPDATA"] ?? join(homedir(), "AppData", "Local"), "mxtoken");
  }
  if (platform === "darwin") return join(homedir(), "Library", "Application Support", "mxtoken");
  const xdg = env["XDG_DATA_HOME"];
  // The specification: a relative path is invalid and to be ignored.
  return xdg?.startsWith("/") ? resolve(xdg, "mxtoken") : join(homedir(), ".local/share/mxtoken");
}
