import type { Socket } from "node:net";

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
