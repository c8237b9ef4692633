import type { Catcher, CaughtCode } from "./catcher.ts";
import type { LineInput } from "./line-input.ts";

/** What came first. */
export type Arrival =
  | { readonly from: "input"; readonly line: string }
  | { readonly from: "browser"; readonly caught: CaughtCode }
  | { readonly from: "nowhere" };

/** The two ways that an answer comes back, open at the same time: by paste and by the listener. */
export class Answers {
  readonly #input: LineInput;
  readonly #catcher: Catcher | undefined;
  readonly #wait: AbortSignal;
  readonly #onInputEnd: () => void;
  #line: Promise<Arrival> | undefined;
  #caught: Promise<Arrival> | undefined;
  #inputEnded = false;

  /**
   * @param wait ends the wait
   * @param onInputEnd called when the input has ended and the listener is still waited for
   */
  constructor(
    input: LineInput,
    catcher: Catcher | undefined,
    wait: AbortSignal,
    onInputEnd: () => void,
  ) {
    this.#input = input;
    this.#catcher = catcher;
    this.#wait = wait;
    this.#onInputEnd = onInputEnd;
  }

  /**
   * What comes next, whichever way; what comes the other way at the same moment is kept. The end
   * of the input counts only where nothing else is waited for.
   *
   * @throws the reason of the wait's end; what {@link LineInput.next} and {@link Catcher.next} throw
   */
  async next(): Promise<Arrival> {
    for (;;) {
      const arrival = await Promise.race(this.#open());
      if (arrival.from === "input") this.#line = undefined;
      if (arrival.from === "browser") this.#caught = undefined;
      if (arrival.from !== "nowhere") return arrival;
      this.#inputEnded = true;
      this.#line = undefined;
      if (this.#catcher === undefined) return arrival;
      this.#onInputEnd();
    }
  }

  #open(): Promise<Arrival>[] {
    if (!this.#inputEnded) {
      this.#line ??= this.#input
        .next(this.#wait)
        .then((line) => (line === undefined ? { from: "nowhere" } : { from: "input", line }));
    }
    if (this.#catcher !== undefined) {
      this.#caught ??= this.#catcher
        .next(this.#wait)
        .then((caught) => ({ from: "browser", caught }) as const);
    }
    return [this.#line, this.#caught].filter((offer) => offer !== undefined);
  }
}
