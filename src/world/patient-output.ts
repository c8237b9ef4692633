import {
  type BigIntStats,
  closeSync,
  constants,
  fstatSync,
  openSync,
  write,
  writeSync,
} from "node:fs";
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
 *
 * @param fd of a terminal, a pipe or a file
 * @param node Node's own stream, which knows how large the terminal is
 */
function patientOutput(fd: number, queue: Queue, node: () => Output): Output {
  // Streams take longer to load than a token to be shown.
  const { Writable } = process.getBuiltinModule("node:stream");
  // Node's stream is asked only then, because it takes its time to load as well.
  const isTerminal = () => look(fd).isCharacterDevice() && node().isTTY === true;
  const write = (chunk: Buffer, _encoding: string, done: (error?: Error | null) => void) => {
    const written = queue.last.then(() => writeAll(fd, chunk));
    queue.last = written.catch(() => undefined);
    written.then(() => done(), done);
  };
  const output = new Writable({ emitClose: false, write });
  return Object.defineProperties(output, {
    isTTY: { get: isTerminal },
    columns: { get: () => (isTerminal() ? node().columns : undefined) },
    rows: { get: () => (isTerminal() ? node().rows : undefined) },
  });
}

async function writeAll(fd: number, chunk: Buffer): Promise<void> {
  for (let position = 0; position < chunk.length; ) {
    try {
      const rest = chunk.length - position;
      position += (await writeSome(fd, chunk, position, rest, null)).bytesWritten;
    } catch (error) {
      if (systemCode(error) !== "EAGAIN") throw error;
      await new Promise((resolve) => setTimeout(resolve, interval));
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

/**
 * Writes to standard output at once, which waits for a reader that is slow, and loads no streams: for a process
 * that has nothing else to do.
 *
 * @returns what could not be written, as there are readers that nobody can wait for in this way
 */
export function writeAtOnce(text: string): Buffer {
  let rest = Buffer.from(text);
  // Windows turns it into its console's letters.
  if (process.platform === "win32") return rest;
  try {
    while (rest.length > 0) rest = rest.subarray(writeSync(1, rest));
  } catch {
    // Whoever writes the rest sees why.
  }
  return rest;
}

/** Standard output and error, which share a terminal or a pipe, or have each their own. */
function patientOutputs(): { stdout: Output; stderr: Output } {
  const first: Queue = { last: Promise.resolve() };
  const second = isSameFile(1, 2) ? first : { last: Promise.resolve() };
  return {
    stdout: patientOutput(notWaiting(1), first, () => process.stdout),
    stderr: patientOutput(notWaiting(2), second, () => process.stderr),
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
