import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";

/**
 * The page that a browser is led to after the sign-in. It stays open, unfinished, while the token
 * is proven, and its end says what became of it: so it needs no script.
 */
export class ResultPage {
  readonly path: string;
  readonly #open = new Set<ServerResponse>();
  readonly #sockets = new Set<Socket>();
  #end: string | undefined;
  #firstVisit: () => void = () => undefined;
  readonly #visited = new Promise<void>((resolve) => {
    this.#firstVisit = resolve;
  });

  constructor(path: string) {
    this.path = path;
  }

  /** Begins the page in one browser, and ends it at once where the end is known. */
  open(response: ServerResponse, beginning: string): void {
    const { socket } = response;
    if (socket === null) return;
    this.#sockets.add(socket);
    socket.once("close", () => this.#sockets.delete(socket));
    response.write(beginning);
    if (this.#end === undefined) this.#open.add(response);
    else response.end(this.#end);
    this.#firstVisit();
  }

  /** Whether its end is known. */
  get hasEnd(): boolean {
    return this.#end !== undefined;
  }

  end(end: string): void {
    this.#end = end;
    for (const response of this.#open) response.end(end);
    this.#open.clear();
  }

  /** Waits until every browser that asked for the page has it, and until one has asked. */
  async taken(deadline: AbortSignal): Promise<void> {
    const late = new Promise<void>((resolve) => {
      if (deadline.aborted) resolve();
      deadline.addEventListener("abort", () => resolve(), { once: true });
    });
    await Promise.race([this.#visited, late]);
    const closed = [...this.#sockets].map(
      (socket) => new Promise((resolve) => socket.once("close", resolve)),
    );
    await Promise.race([Promise.all(closed), late]);
  }
}
