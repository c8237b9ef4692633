import type { Socket } from "node:net";
import { connectionError } from "./network-error.ts";

/** What comes in on a connection, read piece by piece; the rest is left to whoever reads after. */
export class Incoming {
  readonly #socket: Socket;
  readonly #stop: AbortSignal;
  #held = Buffer.alloc(0);

  /** @param stop ends the wait for more */
  constructor(socket: Socket, stop: AbortSignal) {
    this.#socket = socket;
    this.#stop = stop;
  }

  /** What is there and not taken yet. */
  get held(): Buffer {
    return this.#held;
  }

  /** @returns so many octets, which are taken */
  async take(octets: number): Promise<Buffer> {
    while (this.#held.length < octets) await this.more();
    const taken = this.#held.subarray(0, octets);
    this.#held = this.#held.subarray(octets);
    return taken;
  }

  /**
   * Waits until more is there.
   *
   * @throws Error of Node's kind: `ECONNRESET` at the end, `CONNECT_TIMEOUT` when it was stopped
   */
  async more(): Promise<void> {
    for (;;) {
      const chunk: unknown = this.#socket.read();
      if (Buffer.isBuffer(chunk)) {
        this.#held = Buffer.concat([this.#held, chunk]);
        return;
      }
      await this.#readable();
    }
  }

  /** Gives back what was not taken. */
  leave(): void {
    if (this.#held.length > 0 && !this.#socket.readableEnded) this.#socket.unshift(this.#held);
    this.#held = Buffer.alloc(0);
  }

  async #readable(): Promise<void> {
    const socket = this.#socket;
    if (socket.readableEnded || socket.destroyed) throw connectionError("ECONNRESET");
    if (this.#stop.aborted) throw connectionError("CONNECT_TIMEOUT");
    const done = new AbortController();
    try {
      await new Promise<void>((resolve, reject) => {
        const listeners = {
          readable: () => resolve(),
          error: reject,
          end: () => reject(connectionError("ECONNRESET")),
          close: () => reject(connectionError("ECONNRESET")),
        };
        const late = () => reject(connectionError("CONNECT_TIMEOUT"));
        for (const [name, listener] of Object.entries(listeners)) socket.on(name, listener);
        this.#stop.addEventListener("abort", late);
        done.signal.addEventListener("abort", () => {
          for (const [name, listener] of Object.entries(listeners)) socket.off(name, listener);
          this.#stop.removeEventListener("abort", late);
        });
      });
    } finally {
      done.abort("done");
    }
  }
}
