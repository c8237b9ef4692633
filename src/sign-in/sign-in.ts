import { MxtokenError } from "../errors.ts";
import type { ListenerFacts } from "../events.ts";
import {
  type AnswerVerdict,
  type ExpectedAnswer,
  judgeAnswer,
} from "../oauth/authorization-response.ts";
import type { Secret } from "../secret.ts";
import { Changes } from "../world/waiting.ts";
import type { Clock } from "../world/world.ts";
import { type PasteVerdict, readPaste } from "./paste.ts";
import {
  ResultPage,
  type SignInPages,
  type SignInResult,
  type UselessAnswer,
  uselessAnswer,
} from "./result-page.ts";

/** A code that came back, with what its exchange needs (RFC 6749 section 4.1.3, RFC 7636 section 4.5). */
export interface CaughtCode {
  readonly is: "code";
  readonly from: "browser" | "paste";
  readonly code: Secret;
  readonly verifier: Secret;
  readonly redirectUri: string;
  /** Says in the browser that brought it why it is of no use; another one may come. */
  refuse(reason: string): void;
}

/** What the person was asked for, and what an answer must match. */
interface AuthorizationRequest {
  /** where the person signs in (RFC 6749 section 4.1.1) */
  readonly url: string;
  /** as it stands in the request */
  readonly redirectUri: string;
  readonly verifier: Secret;
  readonly expected: ExpectedAnswer;
  /** undefined: nobody listens, the answer must be pasted */
  readonly listener: ListenerFacts | undefined;
}

/** What came back, and the page where its browser waits. */
type Answer = (
  | { readonly is: "code"; readonly code: Secret; readonly stateChecked: boolean }
  /** the server, or the person there, said no */
  | { readonly is: "declined"; readonly error: MxtokenError }
) & { readonly page?: ResultPage };

type Rubbish = Extract<AnswerVerdict, { is: "rubbish" }>;

/** What a pasted line was taken for. */
export type Pasted =
  | { readonly is: "taken"; readonly stateChecked: boolean }
  | Exclude<PasteVerdict, { is: "code" }>;

/** Told of a sign-in's end. */
interface SignInOwner {
  /** no other answer is taken */
  ended(): void;
  /** its pages have been taken, or nobody has come for them in time */
  finished(pages: readonly ResultPage[]): Promise<void>;
}

/** How long the browser has to ask for the page that the answer was redirected to. */
const pagePatience = 3000;
/** Tabs of one sign-in, each with a code of its own. */
const answerLimit = 20;
/** The longest address has fewer, however narrow the window was that it was copied from. */
const lineLimit = 1000;

/** A sign-in that a person is asked for: its answers come back by its listener and by paste. */
export class SignIn {
  readonly request: AuthorizationRequest;
  /** what came in the place of an answer, the first of each kind */
  readonly missed = new Map<string, UselessAnswer>();
  readonly #world: Clock;
  readonly #looks: SignInPages;
  readonly #owner: SignInOwner;
  readonly #pages: ResultPage[] = [];
  readonly #answers: Answer[] = [];
  /** what was pasted and is no answer: the next line may be its rest */
  readonly #lines: string[] = [];
  readonly #changes = new Changes();
  #end: Promise<void> | undefined;

  constructor(world: Clock, looks: SignInPages, request: AuthorizationRequest, owner: SignInOwner) {
    this.#world = world;
    this.#looks = looks;
    this.request = request;
    this.#owner = owner;
  }

  /** Whether a browser waits for the result. */
  get isWatched(): boolean {
    return this.#pages.some((page) => !page.hasEnd);
  }

  /**
   * The next code that comes back, whichever way. One at a time.
   *
   * @param stop ends the wait
   * @throws the signal's reason; MxtokenError `signInDeclined` or `unreachable` for `error=…`,
   * `signInNeeded` when the sign-in has ended
   */
  async code(stop: AbortSignal): Promise<CaughtCode> {
    for (;;) {
      stop.throwIfAborted();
      const answer = this.#answers.shift();
      if (answer?.is === "declined") throw answer.error;
      if (answer !== undefined) return this.#caught(answer.code, answer.page);
      if (this.#end !== undefined) throw new MxtokenError("signInNeeded", "the sign-in has ended");
      await this.#changes.next(stop);
    }
  }

  /**
   * Takes a line that a person pasted, as {@link code} gives it out.
   *
   * @param ahead the lines that have come behind it already: where they belong to it, it is taken with all
   * of them
   * @returns `rubbish` for what is no answer, with half a sentence; `piece` for what may be gone on by
   * the next line; else whether it had a state
   * @throws MxtokenError `signInNeeded` for an input that does not end
   */
  paste(line: string, ahead: readonly string[] = []): Pasted {
    this.#lines.push(line);
    if (this.#lines.length > lineLimit) {
      throw new MxtokenError("signInNeeded", `nothing usable came in ${lineLimit} lines`);
    }
    const answer = orDeclined(() => readPaste(this.#lines, this.request.expected, ahead));
    if (answer.is === "rubbish" || answer.is === "piece") {
      this.missed.set("pasted", uselessAnswer("pasted", answer.reason));
      return answer;
    }
    this.#lines.length = 0;
    this.#push(answer);
    return { is: "taken", stateChecked: answer.is === "declined" || answer.stateChecked };
  }

  /**
   * Takes what came back with its state.
   *
   * @returns the page where the browser is led to, or in half a sentence why this is no answer
   */
  take(parameters: URLSearchParams): { readonly is: "taken"; readonly page: ResultPage } | Rubbish {
    const answer = orDeclined(() => judgeAnswer(parameters, this.request.expected));
    if (answer.is === "rubbish") return answer;
    const last = this.#pages.at(-1);
    if (last !== undefined && this.#pages.length >= answerLimit) return { is: "taken", page: last };
    const page = new ResultPage();
    this.#pages.push(page);
    this.#push({ ...answer, page });
    return { is: "taken", page };
  }

  /** Notes what came in the place of an answer; says whether it is the first of its kind, and still counts. */
  miss(useless: UselessAnswer): boolean {
    if (this.#end !== undefined || this.isWatched || this.missed.has(useless.kind)) return false;
    this.missed.set(useless.kind, useless);
    return true;
  }

  /**
   * Takes no other answer, shows the result in every browser that waits for it, and gives them a
   * moment to take it. What is said at first counts.
   *
   * @param result undefined where there is nothing to tell
   */
  end(result?: SignInResult): Promise<void> {
    this.#end ??= this.#finish(result);
    return this.#end;
  }

  async #finish(result: SignInResult | undefined): Promise<void> {
    this.#owner.ended();
    this.#changes.tell();
    const waiting = this.#pages.filter((page) => !page.hasEnd);
    for (const page of waiting) page.end(result === undefined ? "" : this.#looks.result(result));
    if (result !== undefined) await this.#taken(waiting);
    await this.#owner.finished(this.#pages);
  }

  async #taken(pages: readonly ResultPage[]): Promise<void> {
    const taken = new AbortController();
    const deadline = this.#world.deadline(pagePatience, taken.signal);
    await Promise.all(pages.map((page) => page.taken(deadline)));
    taken.abort("taken");
  }

  #caught(code: Secret, page: ResultPage | undefined): CaughtCode {
    const { verifier, redirectUri } = this.request;
    return {
      is: "code",
      ...{ code, verifier, redirectUri },
      from: page === undefined ? "paste" : "browser",
      refuse: (message) =>
        page?.end(this.#looks.result({ is: "failed", message, hint: undefined })),
    };
  }

  #push(answer: Answer): void {
    this.#answers.push(answer);
    this.#changes.tell();
  }
}

/** A verdict, or the error of an answer that is `error=…`. */
function orDeclined<T>(
  judge: () => T,
): T | { readonly is: "declined"; readonly error: MxtokenError } {
  try {
    return judge();
  } catch (error) {
    if (error instanceof MxtokenError) return { is: "declined", error };
    throw error;
  }
}
