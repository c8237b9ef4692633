import type { World } from "../world/world.ts";

const lifeSign = "WATCHDOG=1";
/** ms */
const statusInterval = 1000;
const patience = 10_000;

/**
 * Tells systemd how the service is (sd_notify(3)): that it is ready, its status in a line, that it is
 * alive, that it stops.
 *
 * Node has no datagram sockets of the file system's, and the packages for them are native addons to be
 * compiled; `systemd-notify` is on every machine that has systemd. It sends as a process of its own,
 * so the unit needs `NotifyAccess=all`.
 */
export class ServiceManager {
  readonly #world: World;
  readonly #isThere: boolean;
  /** ms after which it wants to hear that the service is alive; undefined: it does not */
  readonly #watchdog: number | undefined;
  #toldAt = 0;
  #status = "";
  #statusAt = Number.NEGATIVE_INFINITY;
  #isStatusBehind = false;
  #isStopping = false;
  /** what is to be told, one message after the other; a life sign before all else */
  readonly #queue: string[] = [];
  #sending: Promise<void> | undefined;

  constructor(world: World) {
    this.#world = world;
    this.#isThere = Boolean(world.env["NOTIFY_SOCKET"]);
    const micros = Number(world.env["WATCHDOG_USEC"]);
    // Half of its patience, as sd_watchdog_enabled(3) recommends.
    this.#watchdog = this.#isThere && micros > 0 ? micros / 2000 : undefined;
  }

  /** ms after which something is to be told; undefined: nothing is */
  get interval(): number | undefined {
    return this.#isStatusBehind ? statusInterval : this.#watchdog;
  }

  ready(): void {
    this.#send("--ready");
  }

  /**
   * Shown by `systemctl status`; not told more often than anybody can read.
   *
   * @param isLast it has to be told now
   */
  status(text: string, isLast = false): void {
    const now = this.#world.now();
    const isTooSoon = !isLast && Math.abs(now - this.#statusAt) < statusInterval;
    this.#isStatusBehind = this.#isThere && text !== this.#status && isTooSoon;
    if (text === this.#status || this.#isStatusBehind) return;
    this.#status = text;
    this.#statusAt = now;
    this.#send(`STATUS=${text}`);
  }

  /** To be called again and again by the loop whose life it is about. */
  alive(): void {
    const now = this.#world.now();
    if (this.#watchdog === undefined || Math.abs(now - this.#toldAt) < this.#watchdog / 2) return;
    this.#toldAt = now;
    if (!this.#queue.includes(lifeSign)) this.#queue.unshift(lifeSign);
    this.#sendAll();
  }

  stopping(): void {
    if (!this.#isStopping) this.#send("STOPPING=1");
    this.#isStopping = true;
  }

  /** Resolves when everything that was told is sent. */
  async finished(): Promise<void> {
    await this.#sending;
  }

  #send(message: string): void {
    if (!this.#isThere) return;
    this.#queue.push(message);
    this.#sendAll();
  }

  #sendAll(): void {
    this.#sending ??= this.#sendQueue();
  }

  async #sendQueue(): Promise<void> {
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
      const cancel = new AbortController();
      const stop = this.#world.deadline(patience, cancel.signal);
      // Without it, systemd gives its own reasons.
      await this.#world
        .run({ file: "systemd-notify", args: [next] }, { stop })
        .catch(() => undefined);
      cancel.abort("sent");
    }
    this.#sending = undefined;
  }
}
