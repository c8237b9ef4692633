import * as fs from "node:fs";
import { Socket } from "node:net";
import { promisify } from "node:util";
import { decodeText, type NoText } from "./text.ts";

const open = promisify(fs.open);
const fstat = promisify(fs.fstat);
const read = promisify(fs.read);
const close = promisify(fs.close);

/** Why a file that somebody has named is not read: also of a directory, a device and an unwanted pipe. */
type NotRead =
  | { readonly is: "tooLarge" | "noFile"; readonly why: string; readonly hint?: undefined }
  | NoText;

/** What became of it; its mode is as stat(2) has it. */
type BoundedFile<Content> = (Content & { readonly is: "read"; readonly mode: number }) | NotRead;

interface BoundedRead {
  /** bytes */
  readonly limit: number;
  /** whether it may be a pipe, as a shell's `<(command)` is */
  readonly mayBePipe: boolean;
  /** ends the wait for whoever writes into the pipe */
  readonly stop: AbortSignal;
}

const tooLarge = { is: "tooLarge", why: "is too large" } as const;
const noFile = { is: "noFile", why: "is not a regular file" } as const;

/**
 * Reads a text file as {@link readBounded} reads any, and as {@link decodeText} decodes it.
 *
 * @throws a system error; the reason of `stop`
 */
export async function readText(
  path: string,
  how: BoundedRead,
): Promise<BoundedFile<{ readonly text: string }>> {
  const found = await readBounded(path, how);
  return found.is === "read" ? decoded(found.bytes, found.mode) : found;
}

/**
 * The same at once, for a small file that is no pipe.
 *
 * @param limit bytes
 * @throws a system error
 */
export function readTextNow(path: string, limit: number): BoundedFile<{ readonly text: string }> {
  // With bigint: see patient-output.ts.
  const found = fs.statSync(path, { bigint: true });
  if (!found.isFile()) return noFile;
  if (found.size > BigInt(limit)) return tooLarge;
  return decoded(fs.readFileSync(path), Number(found.mode));
}

function decoded(bytes: Buffer, mode: number): BoundedFile<{ readonly text: string }> {
  const text = decodeText(bytes);
  return text.is === "read" ? { ...text, mode } : text;
}

/**
 * Reads a file of which nobody knows what it is: no more of it than the limit, no device, and without
 * waiting for longer than somebody wants to.
 *
 * @throws a system error; the reason of `stop`
 */
async function readBounded(
  path: string,
  how: BoundedRead,
): Promise<BoundedFile<{ readonly bytes: Buffer }>> {
  // Without O_NONBLOCK, a named pipe would be waited for before it is known to be one.
  const fd = await open(path, fs.constants.O_RDONLY | (fs.constants.O_NONBLOCK ?? 0));
  let isOpen = true;
  try {
    // With bigint: see patient-output.ts.
    const found = await fstat(fd, { bigint: true });
    const isPipe = found.isFIFO() && how.mayBePipe;
    if (!found.isFile() && !isPipe) return noFile;
    if (found.isFile() && found.size > BigInt(how.limit)) return tooLarge;
    // The socket closes it.
    if (isPipe) isOpen = false;
    const bytes = isPipe ? await readPipe(fd, how) : await readFile(fd, how);
    if (bytes.length > how.limit) return tooLarge;
    return { is: "read", bytes, mode: Number(found.mode) };
  } finally {
    if (isOpen) await close(fd);
  }
}

const pieceSize = 64 * 1024;

/** Some files say that they are empty, and have no end. */
async function readFile(fd: number, { limit, stop }: BoundedRead): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for (let size = 0; size <= limit; ) {
    stop.throwIfAborted();
    const piece = Buffer.alloc(pieceSize);
    const { bytesRead } = await read(fd, piece, 0, pieceSize, null);
    if (bytesRead === 0) break;
    pieces.push(piece.subarray(0, bytesRead));
    size += bytesRead;
  }
  return Buffer.concat(pieces);
}

function readPipe(fd: number, { limit, stop }: BoundedRead): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let size = 0;
  const socket = new Socket({ fd, readable: true, writable: false });
  return new Promise<Buffer>((resolve, reject) => {
    const onStop = () => reject(stop.reason);
    stop.addEventListener("abort", onStop, { once: true });
    if (stop.aborted) onStop();
    socket.on("data", (piece: Buffer) => {
      pieces.push(piece);
      size += piece.length;
      if (size > limit) resolve(Buffer.concat(pieces));
    });
    socket.once("end", () => resolve(Buffer.concat(pieces)));
    socket.once("error", reject);
    socket.once("close", () => stop.removeEventListener("abort", onStop));
  }).finally(() => socket.destroy());
}
