import { type BigIntStats, closeSync, constants, fstatSync, openSync, write } from "node:fs";
import { Writable } from "node:stream";
import { promisify } from "node:util";
import { systemCode } from "../system-error.ts";
import type { Output } from "./world.ts";

const writeSome = promisify(write);

/** How long to wait until it is tried again, ms. */
const interval = 50;

/** What the writes to one and the same terminal wait for, so that they stay in their order. */
type Queue = { last: Promise<void> };

/**
 * Standard output or error. Node writes to terminals and pipes at once, and stands still while they take
 * nothing: after Ctrl-S, or behind a pager, no token would be refreshed any more. Here only the words
 * wait.
 */
class PatientOutput extends Writable {
  readonly #fd: number;
  readonly #queue: Queue;
  readonly #node: () => Output;

  /**
   * @param fd of a terminal, a pipe or a file
   * @param node Node's own stream, which knows how large the terminal is
   */
  constructor(fd: number, queue: Queue, node: () => Output) {
    super({ emitClose: false });
    this.#fd = fd;
    this.#queue = queue;
    this.#node = node;
  }

  get isTTY(): boolean {
    // Only then, because it takes its time to load what tells.
    return look(this.#fd).isCharacterDevice() && this.#node().isTTY === true;
  }

  get columns(): number | undefined {
    return this.isTTY ? this.#node().columns : undefined;
  }

  get rows(): number | undefined {
    return this.isTTY ? this.#node().rows : undefined;
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    const written = this.#queue.last.then(() => this.#writeAll(chunk));
    this.#queue.last = written.catch(() => undefined);
    written.then(() => done(), done);
  }

  async #writeAll(chunk: Buffer): Promise<void> {
    for (let position = 0; position < chunk.length; ) {
      try {
        const rest = chunk.length - position;
        position += (await writeSome(this.#fd, chunk, position, rest, null)).bytesWritten;
      } catch (error) {
        if (systemCode(error) !== "EAGAIN") throw error;
        await new Promise((resolve) => setTimeout(resolve, interval));
      }
    }
  }
}

/**
 * Standard output and error. Windows turns what is written into its console's letters, which only Node's
 * own streams know.
 *
 * A reader that went away (`| head`, a closed terminal) must not end the program in the middle of a
 * refresh: whoever writes sees the error in the callback of the write.
 */
export function standardOutputs(): { stdout: Output; stderr: Output } {
  const { platform } = process;
  const outputs: { stdout: Output; stderr: Output } =
    platform === "win32" ? { stdout: process.stdout, stderr: process.stderr } : patientOutputs();
  for (const output of Object.values(outputs)) output.on("error", () => undefined);
  return outputs;
}

/** Standard output and error, which share a terminal or a pipe, or have each their own. */
function patientOutputs(): { stdout: Output; stderr: Output } {
  const first: Queue = { last: Promise.resolve() };
  const second = isSameFile(1, 2) ? first : { last: Promise.resolve() };
  return {
    stdout: new PatientOutput(notWaiting(1), first, () => process.stdout),
    stderr: new PatientOutput(notWaiting(2), second, () => process.stderr),
  };
}

/**
 * With bigint, because Node keeps the last result of any other look, and where that was a pipe, its
 * realpathSync() ends too soon: a package behind a link would not find its own dependencies.
 */
function look(fd: number): BigIntStats {
  return fstatSync(fd, { bigint: true });
}

function isSameFile(one: number, other: number): boolean {
  const [first, second] = [look(one), look(other)];
  return first.dev === second.dev && first.ino === second.ino;
}

/**
 * The same file, opened once more and without waiting for it: on Linux, where that can be done, no thread
 * is held up, and nobody else who has it open is concerned.
 */
function notWaiting(fd: number): number {
  const found = look(fd);
  if (!found.isFIFO() && !found.isCharacterDevice()) return fd;
  const { O_WRONLY, O_NONBLOCK, O_NOCTTY } = constants;
  try {
    const again = openSync(`/proc/self/fd/${fd}`, O_WRONLY | O_NONBLOCK | O_NOCTTY);
    if (isSameFile(fd, again)) return again;
    closeSync(again);
  } catch {
    // A thread waits then, and not the program.
  }
  return fd;
}
