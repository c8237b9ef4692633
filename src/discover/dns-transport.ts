import { createSocket } from "node:dgram";
import { createConnection, isIPv6 } from "node:net";
import type { Resolver } from "../settings/resolvers.ts";
import type { MxQuestion, MxReply } from "./dns-message.ts";

// dns2 has clients of its own. They cannot be stopped, so that after Ctrl-C or a deadline their
// sockets would keep the program alive; they take the first message with the right id, whatever
// question it answers; and they know no IPv6 resolver. Only its wire format is used.

/**
 * Asks by UDP. Whatever is no answer to this question is passed over, and the wait goes on: it may
 * be a late answer to another one, or somebody's forgery.
 *
 * @param onUnusable called for each message that is passed over
 * @throws whatever the socket says, or the signal's reason
 */
export async function askByUdp(
  { host, port }: Resolver,
  question: MxQuestion,
  signal: AbortSignal,
  onUnusable: () => void,
): Promise<MxReply> {
  signal.throwIfAborted();
  const socket = createSocket(isIPv6(host) ? "udp6" : "udp4");
  try {
    return await new Promise<MxReply>((resolve, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason), { once: true });
      socket.on("error", reject);
      socket.on("message", (message) => {
        const reply = question.read(message);
        if (reply === undefined) onUnusable();
        else resolve(reply);
      });
      // A connected socket hears only this address and port, and at once when nobody listens there.
      socket.on("connect", () => socket.send(question.message));
      socket.connect(port, host);
    });
  } finally {
    socket.close();
  }
}

/**
 * Asks by TCP (RFC 7766), for an answer that is too long for UDP.
 *
 * @returns undefined when what came is no answer to this question
 * @throws whatever the socket says, or the signal's reason
 */
export async function askByTcp(
  { host, port }: Resolver,
  question: MxQuestion,
  signal: AbortSignal,
): Promise<MxReply | undefined> {
  signal.throwIfAborted();
  const { Packet } = await import("dns2");
  const socket = createConnection({ host, port });
  try {
    const length = Buffer.alloc(2);
    length.writeUInt16BE(question.message.length);
    socket.write(Buffer.concat([length, question.message]));
    const message = await new Promise<Buffer>((resolve, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason), { once: true });
      Packet.readStream(socket).then(resolve, reject);
    });
    return question.read(message);
  } finally {
    socket.destroy();
  }
}
