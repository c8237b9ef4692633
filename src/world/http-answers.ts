import type { Socket } from "node:net";
import type { Transform } from "node:stream";

/** A body, or as much of it as was wanted. */
interface Body {
  readonly bytes: Buffer;
  /** whether it ends at the limit, or what was to be decoded did */
  readonly truncated: boolean;
}

/** What a stream brings, up to so many octets. */
export async function upTo(
  limit: number,
  stream: AsyncIterable<Uint8Array>,
  signal?: AbortSignal,
): Promise<Body> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of stream) {
    signal?.throwIfAborted();
    chunks.push(chunk);
    size += chunk.length;
    if (size > limit) break;
  }
  return { bytes: Buffer.concat(chunks).subarray(0, limit), truncated: size > limit };
}

/** A body without its content codings, as far as they could be undone. */
interface Decoded extends Body {
  /** the coding that could not be undone: then `bytes` are what came */
  readonly undecoded: string | undefined;
}

/** One after the other; nobody has a reason for more. */
const mostCodings = 4;

/**
 * Undoes the content codings of a body (RFC 9110 section 8.4), the last one first. They are not asked
 * for, but proxies and delivery networks apply them all the same, and what an answer holds must not be
 * lost for that.
 *
 * @param codings the header Content-Encoding
 * @param limit octets of what is decoded, at every step: a body must not unfold without an end
 */
export async function decode(body: Body, codings: string | null, limit: number): Promise<Decoded> {
  const names = (codings ?? "")
    .toLowerCase()
    .split(",")
    .map((name) => name.trim());
  const applied = names.filter((name) => name !== "" && name !== "identity").reverse();
  if (applied.length > mostCodings) return { ...body, undecoded: "too many codings" };
  let step = body;
  for (const name of applied) {
    const decoder = await decoderOf(name, step.bytes);
    if (decoder === "none") continue;
    const next = decoder === undefined ? undefined : await through(decoder, step.bytes, limit);
    if (next === undefined) return { ...body, undecoded: name };
    step = { bytes: next.bytes, truncated: step.truncated || next.truncated };
  }
  return { ...step, undecoded: undefined };
}

/**
 * @returns `none` for a body that only says that it is coded: a proxy has decoded it and left the
 * header; undefined for a coding that is not known
 */
async function decoderOf(name: string, body: Buffer): Promise<Transform | "none" | undefined> {
  const zlib = await import("node:zlib");
  // What was cut off is decoded as far as it goes.
  const options = { finishFlush: zlib.constants.Z_SYNC_FLUSH };
  if (jsonObject(body.toString("utf8").trim()) !== undefined) return "none";
  switch (name) {
    case "gzip":
    case "x-gzip":
      return zlib.createGunzip(options);
    case "deflate":
      // RFC 9110 section 8.4.1.2: some send it without zlib's frame.
      return isZlib(body) ? zlib.createInflate(options) : zlib.createInflateRaw(options);
    case "br":
      return zlib.createBrotliDecompress({
        finishFlush: zlib.constants.BROTLI_OPERATION_FLUSH,
      });
    default:
      return undefined;
  }
}

/** RFC 1950 section 2.2 */
function isZlib([method = 0, flags = 0]: Buffer): boolean {
  return (method & 0x0f) === 8 && (method * 256 + flags) % 31 === 0;
}

/** The members of a JSON object; undefined where the text is anything else. */
export function jsonObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
    return isObject ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}

/** @returns undefined for what is not coded so */
async function through(decoder: Transform, body: Buffer, limit: number): Promise<Body | undefined> {
  decoder.end(body);
  try {
    return await upTo(limit, decoder);
  } catch {
    return undefined;
  } finally {
    decoder.destroy();
  }
}

/** Longer than any; what goes on is no interim response. */
const longest = 4096;

/**
 * Takes interim responses off a connection's incoming data. A server may send `100 Continue` although
 * nobody has asked for it (RFC 9110 section 15.2: a client must be able to take it), and undici would
 * drop the connection, with the answer that follows.
 *
 * @param socket of a client that sends one request at a time, and reads by `read()`
 */
export function withoutInterim<S extends Socket>(socket: S): S {
  const read = socket.read.bind(socket);
  const write = socket.write.bind(socket);
  let held: Buffer | undefined = Buffer.alloc(0);
  const take = (size?: number): unknown => {
    const chunk: unknown = read(size);
    if (held === undefined || !Buffer.isBuffer(chunk)) return chunk;
    const rest = afterInterim(Buffer.concat([held, chunk]));
    held = rest.isComplete ? undefined : rest.bytes;
    return rest.isComplete ? rest.bytes : take(size);
  };
  return Object.assign(socket, {
    read: take,
    write: (...args: Parameters<typeof write>) => {
      // The next that comes is the beginning of an answer.
      held ??= Buffer.alloc(0);
      return write(...args);
    },
  });
}

/** @returns what follows; not complete where more must come before that is known */
function afterInterim(bytes: Buffer): { bytes: Buffer; isComplete: boolean } {
  const head = bytes.toString("latin1", 0, longest);
  const isBeginning = ["HTTP/1.1 1", "HTTP/1.0 1"].some((start) => start.startsWith(head));
  if (isBeginning || /^HTTP\/1\.[01] 1\d?$/.test(head)) return { bytes, isComplete: false };
  // 101 is an answer: the protocol is another one from there on.
  if (!/^HTTP\/1\.[01] 1(?!01)\d\d/.test(head)) return { bytes, isComplete: true };
  const end = /\r?\n\r?\n/.exec(head);
  if (end === null) return { bytes, isComplete: head.length >= longest };
  return afterInterim(bytes.subarray(end.index + end[0].length));
}
