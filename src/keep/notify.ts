import type { Clock, Host } from "../world/world.ts";

/** What a command is told of an event. */
interface ToldEvent {
  readonly is: string;
  /** undefined where it is about all of them */
  readonly account: string | undefined;
  readonly message: string;
  /** what a person can type about it */
  readonly command: string | undefined;
}

/** What systemd gives to this process alone (sd_notify(3)). */
const withoutSocket = {
  NOTIFY_SOCKET: undefined,
  WATCHDOG_USEC: undefined,
  WATCHDOG_PID: undefined,
};

const longestQueue = 1000;
/** How long a command may take, and how long the end of the program waits for it; ms. */
const patience = 60_000;
const lastPatience = 10_000;

const lifeSign = "WATCHDOG=1";
/** ms */
const statusInterval = 1000;
const patienceWithSystemd = 10_000;

/** What waits to be done one after the other, each in so many ms at most. */
function inTurn<T>(
  clock: Clock,
  ms: number,
  work: (one: T, late: AbortSignal) => Promise<void>,
): { readonly queue: T[]; start(): void; finished(): Promise<void> } {
  const queue: T[] = [];
  let running: Promise<void> | undefined;
  const workAll = async () => {
    for (let one = queue.shift(); one !== undefined; one = queue.shift()) {
      const cancel = new AbortController();
      await work(one, clock.deadline(ms, cancel.signal));
      cancel.abort("done");
    }
    running = undefined;
  };
  return {
    queue,
    start() {
      running ??= workAll();
    },
    async finished() {
      await running;
    },
  };
}

/**
 * Runs a command line for every event, one after the other, with MXTOKEN_EVENT, MXTOKEN_ACCOUNT,
 * MXTOKEN_MESSAGE and MXTOKEN_COMMAND in its environment.
 */
export class EventCommand {
  readonly #world: Clock & Host;
  readonly #onFailure: (reason: string) => void;
  readonly #events: ReturnType<typeof inTurn<ToldEvent>>;
  #isFailing = false;
  readonly #end = new AbortController();

  constructor(world: Clock & Host, command: string, onFailure: (reason: string) => void) {
    this.#world = world;
    this.#onFailure = onFailure;
    this.#events = inTurn(world, patience, (event, late) => this.#run(command, event, late));
  }

  told(event: ToldEvent): void {
    if (this.#events.queue.length >= longestQueue) {
      this.#failed(`over ${longestQueue} events are waiting for it, and this one is left out`);
      return;
    }
    this.#events.queue.push(event);
    this.#events.start();
  }

  /** Resolves when it has heard of everything, or when that takes too long. */
  async finished(): Promise<void> {
    const cancel = new AbortController();
    const deadline = this.#world.deadline(lastPatience, cancel.signal);
    deadline.addEventListener("abort", () => {
      this.#events.queue.length = 0;
      this.#end.abort();
    });
    await this.#events.finished();
    cancel.abort();
  }

  async #run(shell: string, event: ToldEvent, late: AbortSignal): Promise<void> {
    const end = this.#end.signal;
    // A signal of its own: what is combined with one that lives for months is never given back.
    const stop = new AbortController();
    const onEnd = () => stop.abort();
    late.addEventListener("abort", onEnd);
    end.addEventListener("abort", onEnd);
    if (end.aborted) onEnd();
    const env = {
      ...withoutSocket,
      MXTOKEN_EVENT: event.is,
      MXTOKEN_ACCOUNT: event.account ?? "",
      MXTOKEN_MESSAGE: event.message,
      MXTOKEN_COMMAND: event.command ?? "",
    };
    const { status } = await this.#world
      .run({ shell }, { env, stop: stop.signal, isGroup: true })
      .catch(() => ({ status: null }));
    end.removeEventListener("abort", onEnd);
    if (status === 0) this.#isFailing = false;
    else if (end.aborted) this.#failed("it was ended with the program");
    else if (late.aborted) this.#failed("it took over a minute and was ended");
    else this.#failed(status === null ? "it could not be run" : `it ended with status ${status}`);
  }

  /** Told once, not at every event. */
  #failed(reason: string): void {
    if (this.#isFailing) return;
    this.#isFailing = true;
    this.#onFailure(reason);
  }
}

/**
 * Tells systemd how the service is (sd_notify(3)): that it is ready, its status in a line, that it is
 * alive, that it stops.
 *
 * Node has no datagram sockets of the file system's, and the packages for them are native addons to be
 * compiled; `systemd-notify` is on every machine that has systemd. It sends as a process of its own,
 * so the unit needs `NotifyAccess=all`.
 */
export class ServiceManager {
  readonly #world: Clock;
  readonly isThere: boolean;
  /** ms after which it wants to hear that the service is alive; undefined: it does not */
  readonly #watchdog: number | undefined;
  #toldAt = 0;
  #status = "";
  #statusAt = Number.NEGATIVE_INFINITY;
  #isStatusBehind = false;
  #isStopping = false;
  readonly #messages: ReturnType<typeof inTurn<string>>;

  constructor(world: Clock & Host) {
    this.#world = world;
    this.isThere = Boolean(world.env["NOTIFY_SOCKET"]);
    const micros = Number(world.env["WATCHDOG_USEC"]);
    // Half of its patience, as sd_watchdog_enabled(3) recommends.
    this.#watchdog = this.isThere && micros > 0 ? micros / 2000 : undefined;
    this.#messages = inTurn(world, patienceWithSystemd, async (message, stop) => {
      const notify = { file: "systemd-notify", args: [message] };
      // Without it, systemd gives its own reasons.
      await world.run(notify, { stop }).catch(() => undefined);
    });
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
    this.#isStatusBehind = this.isThere && text !== this.#status && isTooSoon;
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
    // It goes before all else.
    const { queue } = this.#messages;
    if (!queue.includes(lifeSign)) queue.unshift(lifeSign);
    this.#messages.start();
  }

  stopping(): void {
    if (!this.#isStopping) this.#send("STOPPING=1");
    this.#isStopping = true;
  }

  /** Resolves when everything that was told is sent. */
  async finished(): Promise<void> {
    await this.#messages.finished();
  }

  #send(message: string): void {
    if (!this.isThere) return;
    this.#messages.queue.push(message);
    this.#messages.start();
  }
}
