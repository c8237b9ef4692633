import type { World } from "../world/world.ts";

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
  readonly interval: number | undefined;
  #toldAt = 0;
  #status = "";
  /** one message after the other, in their order */
  #sent: Promise<void> = Promise.resolve();

  constructor(world: World) {
    this.#world = world;
    this.#isThere = Boolean(world.env["NOTIFY_SOCKET"]);
    const micros = Number(world.env["WATCHDOG_USEC"]);
    // Half of its patience, as sd_watchdog_enabled(3) recommends.
    this.interval = this.#isThere && micros > 0 ? micros / 2000 : undefined;
  }

  ready(): void {
    this.#send("--ready");
  }

  /** Shown by `systemctl status`. */
  status(text: string): void {
    if (text === this.#status) return;
    this.#status = text;
    this.#send(`STATUS=${text}`);
  }

  /** To be called again and again by the loop whose life it is about. */
  alive(): void {
    const now = this.#world.now();
    if (this.interval === undefined || Math.abs(now - this.#toldAt) < this.interval / 2) return;
    this.#toldAt = now;
    this.#send("WATCHDOG=1");
  }

  /** @returns when everything that was told is sent */
  async stopping(): Promise<void> {
    this.#send("STOPPING=1");
    await this.#sent;
  }

  #send(argument: string): void {
    if (!this.#isThere) return;
    const stop = new AbortController().signal;
    const send = () => this.#world.run({ file: "systemd-notify", args: [argument] }, { stop });
    this.#sent = this.#sent
      .then(send)
      // Without it, systemd gives its own reasons.
      .catch(() => undefined)
      .then(() => undefined);
  }
}
