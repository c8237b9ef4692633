import { Interrupted } from "../errors.ts";
import type { SignalName, Stop } from "./world.ts";

/** A process that is asked to end by nobody but the program itself. */
export function leaveSignals(): Stop {
  const controller = new AbortController();
  // Every request that is under way hears of it, and Node would take many of them for a leak.
  process.getBuiltinModule("node:events").setMaxListeners(0, controller.signal);
  return {
    interrupted: controller.signal,
    interrupt: (name) => controller.abort(new Interrupted(name)),
    onSignal: () => () => undefined,
  };
}

/**
 * Ctrl-C, `kill` and a closed terminal ask the program to end. They never end it at once: a
 * refresh that is on the wire must be saved first, so a second signal changes nothing either.
 */
export function takeSignals(): Stop {
  const stop = leaveSignals();
  const takers = new Map<SignalName, () => void>();
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(name, () => (takers.get(name) ?? (() => stop.interrupt(name)))());
  }
  return {
    ...stop,
    onSignal(name, listener) {
      const isEnding = name === "SIGINT" || name === "SIGTERM" || name === "SIGHUP";
      if (isEnding) takers.set(name, listener);
      else process.on(name, listener);
      return () => {
        if (isEnding) takers.delete(name);
        else process.off(name, listener);
      };
    },
  };
}

/**
 * An error that nobody waits for (a socket that fails after it was given up) must not end the
 * program before a token is saved. Only its name and place are told: its message may quote one.
 * The status is a defect's unless the program still comes to an end of its own.
 */
export function surviveBackgroundErrors(): void {
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
