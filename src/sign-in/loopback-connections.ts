import type { Socket } from "node:net";
import type { Clock } from "../world/world.ts";

/** A browser is done within a second, also through a tunnel. */
const connectionPatience = 15_000;
const connectionLimit = 200;

/**
 * The open connections of a listener. None of them can keep others out: one that does not come to
 * its point is cut off after 15 s, and when there are too many, the oldest makes room.
 */
export class Connections {
  readonly #world: Clock;
  /** the oldest first */
  readonly #open = new Map<string, Socket>();
  readonly #held = new Set<string>();

  constructor(world: Clock) {
    this.#world = world;
  }

  /** @param socket as it was accepted, before any TLS */
  add(socket: Socket): void {
    const name = nameOf(socket);
    const closed = new AbortController();
    this.#open.set(name, socket);
    // A peer that goes away in the middle is nobody's trouble.
    socket.on("error", () => undefined);
    socket.once("close", () => {
      closed.abort();
      // The peer may be back from the same port already.
      if (this.#open.get(name) !== socket) return;
      this.#open.delete(name);
      this.#held.delete(name);
    });
    const cutOff = () => {
      if (!this.#held.has(name)) socket.destroy();
    };
    this.#world.deadline(connectionPatience, closed.signal).addEventListener("abort", cutOff);
    this.#makeRoom();
  }

  /** Keeps a connection whose answer takes its time. */
  hold(socket: Socket): void {
    this.#held.add(nameOf(socket));
  }

  closeAll(): void {
    for (const socket of this.#open.values()) socket.destroy();
  }

  #makeRoom(): void {
    for (const [name, socket] of this.#open) {
      if (this.#open.size <= connectionLimit) return;
      if (this.#held.has(name)) continue;
      this.#open.delete(name);
      socket.destroy();
    }
  }
}

/** The same for a connection and for the TLS connection inside it, while they are open. */
function nameOf(socket: Socket): string {
  return `${socket.remoteAddress} ${socket.remotePort}`;
}
