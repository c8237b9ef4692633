import { randomBytes } from "node:crypto";
import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { Interrupted, MxtokenError } from "../errors.ts";
import type { Proof } from "../proof/proof.ts";
import { whenAborted } from "../world/waiting.ts";
import type { Refusal } from "./redirect.ts";

/** What became of a sign-in, for the page in the browser. */
export type SignInResult =
  /** the mailbox, the servers that took its token, and whose token it is where that is another's */
  | {
      readonly is: "signedIn";
      readonly account: string;
      readonly hosts: readonly string[];
      readonly otherAccount: string | undefined;
    }
  /** `unfinished`: nobody said no, and another time it may work */
  | {
      readonly is: "failed" | "unfinished";
      readonly message: string;
      readonly hint: string | undefined;
    };

/** What the page says of a token that was proven. */
export function successfulSignIn(account: string, { findings, otherAccount }: Proof): SignInResult {
  const hosts = [...new Set(findings.map(({ host }) => host))];
  return { is: "signedIn", account, hosts, otherAccount };
}

/** What the page says of an error; an unexpected one's own words may quote anything. */
export function failedSignIn(error: unknown): SignInResult {
  if (error instanceof Interrupted) {
    return { is: "unfinished", message: `the program was ${error.message}`, hint: undefined };
  }
  if (!(error instanceof MxtokenError)) {
    return { is: "unfinished", message: "the program has a defect", hint: undefined };
  }
  const { code, message, hint } = error;
  return { is: code === "unreachable" ? "unfinished" : "failed", message, hint };
}

/** What the browser is shown; HTML documents, but for {@link SignInPages.refusal}. */
export interface SignInPages {
  /** value of the Content-Security-Policy header that suits them */
  readonly policy: string;
  /** the page while the token is proven; {@link SignInPages.result} is added to its end */
  waiting(): string;
  result(result: SignInResult): string;
  /** for a person who ends on a page that answers nothing; `reason` is half a sentence */
  noAnswer(reason: string | undefined): string;
  /** for a person who comes back from a sign-in that has ended */
  ended(): string;
  /** a line of plain text for what no person asks for */
  refusal(refusal: Refusal): string;
}

/**
 * The page that a browser is led to after the sign-in. It stays open, unfinished, while the token
 * is proven, and its end says what became of it: so it needs no script.
 */
export class ResultPage {
  /** nobody can guess it */
  readonly path = `/mxtoken/${randomBytes(16).toString("hex")}`;
  readonly #open = new Set<ServerResponse>();
  readonly #sockets = new Set<Socket>();
  #end: string | undefined;
  #firstVisit: () => void = () => undefined;
  readonly #visited = new Promise<void>((resolve) => {
    this.#firstVisit = resolve;
  });

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
    const late = whenAborted(deadline);
    await Promise.race([this.#visited, late]);
    const closed = [...this.#sockets].map(
      (socket) => new Promise((resolve) => socket.once("close", resolve)),
    );
    await Promise.race([Promise.all(closed), late]);
  }
}
