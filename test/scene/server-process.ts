import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { closedInTheEnd } from "./closing.ts";

/** A real server to start. */
export interface ServerCommand {
  /** what it is called where it fails */
  readonly name: string;
  readonly program: string;
  readonly args: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  /** keeps the terminal's signals from it, and its own from this process's group */
  readonly isGroupLeader?: boolean;
  /** where its standard error goes; a file, because its children may outlive it */
  readonly stderrFile: string;
  /** its log beside standard error, or undefined while there is none */
  log?(): string | undefined;
  /** a port of loopback that it is going to serve */
  readonly port: number;
  /** what it says to whoever connects, once it can do its work; without one, it takes connections */
  readonly greeting?: string;
}

/** A server that serves. */
export interface ServerProcess {
  /** its own words so far */
  words(): string;
  /** ends it, and resolves when it has ended */
  close(): Promise<void>;
}

/** in ms, far beyond what any machine takes: what goes wrong is seen at once */
const patience = 120_000;
const lookEvery = 20;

/**
 * Starts a server and waits until it serves.
 *
 * @throws Error with the server's own words as soon as it has ended, or has logged that it cannot go on
 */
export async function startServer(command: ServerCommand): Promise<ServerProcess> {
  const stderr = openSync(command.stderrFile, "w");
  const child = spawn(command.program, command.args, {
    stdio: ["ignore", "ignore", stderr],
    detached: command.isGroupLeader ?? false,
    ...(command.env === undefined ? {} : { env: command.env }),
  });
  closeSync(stderr);
  const end = () => child.kill("SIGTERM");
  process.once("exit", end);
  // Without its event, a program that cannot be run would end this process.
  const exited = Promise.race([once(child, "exit"), once(child, "error")]).catch(() => undefined);
  const words = () => readFileSync(command.stderrFile, "utf8") + (command.log?.() ?? "");
  try {
    await serving(command, child, words);
  } catch (error) {
    child.kill("SIGKILL");
    process.off("exit", end);
    throw error;
  }
  const close = closedInTheEnd(async () => {
    end();
    await exited;
    process.off("exit", end);
  });
  return { words, close };
}

async function serving(
  { name, port, greeting }: ServerCommand,
  child: ChildProcess,
  words: () => string,
): Promise<void> {
  const end = performance.now() + patience;
  const visitor = new Visitor(port, greeting ?? "");
  let cause = "";
  child.once("error", ({ message }) => {
    cause = message;
  });
  try {
    while (!visitor.isGreeted) {
      if (cause !== "") throw new Error(`${name} cannot be started: ${cause}`);
      // Its last words come before its end.
      const hasEnded = child.exitCode !== null || child.signalCode !== null;
      const said = words();
      if (hasEnded) {
        throw new Error(`${name} ended at once (${child.signalCode ?? child.exitCode}): ${said}`);
      }
      if (/\b(fatal|panic):/i.test(said)) throw new Error(`${name} cannot go on: ${said}`);
      if (performance.now() > end) throw new Error(`${name} does not serve: ${said}`);
      visitor.knock();
      await new Promise((resolve) => setTimeout(resolve, lookEvery));
    }
  } finally {
    visitor.leave();
  }
}

/** Connects again and again, until it is greeted. */
class Visitor {
  readonly #port: number;
  readonly #greeting: string;
  #socket: Socket | undefined;
  isGreeted = false;

  constructor(port: number, greeting: string) {
    this.#port = port;
    this.#greeting = greeting;
  }

  /** Does nothing while it waits for an answer. */
  knock(): void {
    if (this.#socket !== undefined) return;
    let heard = "";
    const hear = (chunk: string) => {
      heard += chunk;
      this.isGreeted ||= heard.includes(this.#greeting);
    };
    this.#socket = connect(this.#port, "127.0.0.1", () => hear(""))
      .setEncoding("utf8")
      .on("data", hear)
      .on("error", () => undefined)
      .on("close", () => {
        this.#socket = undefined;
      });
  }

  leave(): void {
    this.#socket?.destroy();
  }
}
