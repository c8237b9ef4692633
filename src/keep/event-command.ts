import type { World } from "../world/world.ts";

/** What a command is told of an event. */
export interface ToldEvent {
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

/** ms */
const patience = 60_000;
const longestQueue = 1000;
/** How long the end of the program waits for it, in ms. */
const lastPatience = 10_000;

/**
 * Runs a command line for every event, one after the other, with MXTOKEN_EVENT, MXTOKEN_ACCOUNT,
 * MXTOKEN_MESSAGE and MXTOKEN_COMMAND in its environment.
 */
export class EventCommand {
  readonly #world: World;
  readonly #command: string;
  readonly #onFailure: (reason: string) => void;
  readonly #queue: ToldEvent[] = [];
  #running: Promise<void> | undefined;
  #isFailing = false;
  readonly #end = new AbortController();

  constructor(world: World, command: string, onFailure: (reason: string) => void) {
    this.#world = world;
    this.#command = command;
    this.#onFailure = onFailure;
  }

  told(event: ToldEvent): void {
    if (this.#queue.length >= longestQueue) {
      this.#failed(`over ${longestQueue} events are waiting for it, and this one is left out`);
      return;
    }
    this.#queue.push(event);
    this.#running ??= this.#runAll();
  }

  /** Resolves when it has heard of everything, or when that takes too long. */
  async finished(): Promise<void> {
    const cancel = new AbortController();
    const deadline = this.#world.deadline(lastPatience, cancel.signal);
    deadline.addEventListener("abort", () => {
      this.#queue.length = 0;
      this.#end.abort();
    });
    await this.#running;
    cancel.abort();
  }

  async #runAll(): Promise<void> {
    for (let event = this.#queue.shift(); event !== undefined; event = this.#queue.shift()) {
      await this.#runFor(event);
    }
    this.#running = undefined;
  }

  async #runFor({ is, account = "", message, command = "" }: ToldEvent): Promise<void> {
    // A signal of its own: what is combined with one that lives for months is never given back.
    const stop = new AbortController();
    const cancel = new AbortController();
    const deadline = this.#world.deadline(patience, cancel.signal);
    const onEnd = () => stop.abort();
    deadline.addEventListener("abort", onEnd);
    this.#end.signal.addEventListener("abort", onEnd);
    if (this.#end.signal.aborted) onEnd();
    const env = {
      ...withoutSocket,
      MXTOKEN_EVENT: is,
      MXTOKEN_ACCOUNT: account,
      MXTOKEN_MESSAGE: message,
      MXTOKEN_COMMAND: command,
    };
    const { status } = await this.#world
      .run({ shell: this.#command }, { env, stop: stop.signal, isGroup: true })
      .catch(() => ({ status: null }));
    cancel.abort();
    this.#end.signal.removeEventListener("abort", onEnd);
    if (status === 0) this.#isFailing = false;
    else if (this.#end.signal.aborted) this.#failed("it was ended with the program");
    else if (deadline.aborted) this.#failed("it took over a minute and was ended");
    else this.#failed(status === null ? "it could not be run" : `it ended with status ${status}`);
  }

  /** Told once, not at every event. */
  #failed(reason: string): void {
    if (this.#isFailing) return;
    this.#isFailing = true;
    this.#onFailure(reason);
  }
}
