import { setMaxListeners } from "node:events";
import { PassThrough, Writable } from "node:stream";
import { Interrupted } from "../../src/errors.ts";
import { trustAlso } from "../../src/world/builtins.ts";
import { httpPool, sendRequest } from "../../src/world/http.ts";
import { isProgram, run, start } from "../../src/world/run.ts";
import type { HttpRequest, Input, SignalName, World } from "../../src/world/world.ts";
import { programPath } from "./program.ts";

/** A world whose clock is moved by hand, whose streams are read back, and that is never waited in. */
export interface TestWorld extends World {
  now(): number;
  /** moves the clock; sleeping moves it too */
  advance(ms: number): void;
  readonly stdin: PassThrough & Input;
  /** as if the process were sent this signal */
  signal(name: SignalName): void;
  /** everything written so far */
  readonly written: { readonly stdout: string; readonly stderr: string };
  /** resolves when standard error holds the text */
  shown(text: string | RegExp): Promise<void>;
  /** what was asked of the network, in order */
  readonly requests: HttpRequest[];
  /** how many deadlines are kept: passed, or still to come */
  readonly deadlines: number;
  /** addresses that were opened in the browser */
  readonly opened: string[];
  /** lets time pass: the deadlines that are reached are over */
  pass(ms: number): void;
  /** lets every deadline of this length pass, now and later */
  expire(ms: number): void;
}

/** What the clock says at first, where a test does not say otherwise; ms since 1970. */
export const noon = Date.parse("2026-11-20T12:00:00Z");

export function testWorld(options: {
  cwd: string;
  env?: Record<string, string>;
  openBrowser?: World["openBrowser"];
  /** as the system's configuration names them; by default there is none */
  resolvers?: readonly string[];
  /** milliseconds since 1970, where something that is made has to be valid at the real time */
  now?: number;
}): TestWorld {
  const opened: string[] = [];
  const listeners = new Map<SignalName, () => void>();
  const interruption = new AbortController();
  setMaxListeners(0, interruption.signal);
  const expired = new Set<number>();
  const deadlines = new Set<{ ms: number; end: number; controller: AbortController }>();
  const written = { stdout: "", stderr: "" };
  const watchers = new Set<() => void>();
  let now = options.now ?? noon;
  const output = (name: "stdout" | "stderr") =>
    new Writable({
      write(chunk: Buffer, _encoding, done) {
        written[name] += chunk.toString();
        for (const watch of watchers) watch();
        done();
      },
    });
  const requests: HttpRequest[] = [];
  return {
    stdin: new PassThrough(),
    stdout: output("stdout"),
    stderr: output("stderr"),
    env: options.env ?? {},
    platform: "linux",
    cwd: options.cwd,
    user: { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 },
    dataDirectory: `${options.cwd}/data`,
    interrupted: interruption.signal,
    interrupt: (name) => interruption.abort(new Interrupted(name)),
    isTerminalGone: () => false,
    program: [process.execPath, programPath],
    onSignal(name, listener) {
      listeners.set(name, listener);
      return () => listeners.delete(name);
    },
    isInForeground: () => false,
    signal(name) {
      const listener = listeners.get(name);
      if (listener !== undefined) listener();
      else if (name === "SIGINT" || name === "SIGTERM" || name === "SIGHUP") this.interrupt(name);
    },
    now: () => now,
    random: () => 0.5,
    advance(ms) {
      now += ms;
    },
    async sleep(ms, stop = interruption.signal) {
      now += ms;
      await new Promise((resolve) => setImmediate(resolve));
      stop.throwIfAborted();
    },
    after(ms, run) {
      const cancel = new AbortController();
      this.deadline(ms, cancel.signal).addEventListener("abort", run);
      if (expired.has(ms)) run();
      return () => cancel.abort();
    },
    deadline(ms, cancel) {
      const controller = new AbortController();
      const deadline = { ms, end: now + ms, controller };
      deadlines.add(deadline);
      cancel?.addEventListener("abort", () => deadlines.delete(deadline));
      if (expired.has(ms)) controller.abort();
      return controller.signal;
    },
    get deadlines() {
      return deadlines.size;
    },
    pass(ms) {
      now += ms;
      for (const { end, controller } of deadlines) if (end <= now) controller.abort();
    },
    expire(ms) {
      expired.add(ms);
      for (const deadline of deadlines) if (deadline.ms === ms) deadline.controller.abort();
    },
    http(request) {
      requests.push(request);
      return sendRequest(request, options.env ?? {});
    },
    httpPool() {
      const pool = httpPool(options.env ?? {});
      return {
        close: pool.close,
        http(request) {
          requests.push(request);
          return pool.http(request);
        },
      };
    },
    resolvers: async () => options.resolvers ?? [],
    trust: (ca) => trustAlso(ca, undefined),
    run: (command, { stop = interruption.signal, ...how } = {}) => run(command, stop, how),
    isProgram: (file) => isProgram(file, process.env["PATH"] ?? ""),
    start: async (...command) => start(...command),
    openBrowser: async (url) => {
      opened.push(url);
      await options.openBrowser?.(url);
    },
    opened,
    trace: () => undefined,
    requests,
    written,
    shown(text) {
      return new Promise((resolve) => {
        const watch = () => {
          const found =
            typeof text === "string" ? written.stderr.includes(text) : text.test(written.stderr);
          if (!found) return;
          watchers.delete(watch);
          resolve();
        };
        watchers.add(watch);
        watch();
      });
    },
  };
}
