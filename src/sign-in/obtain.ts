import { MxtokenError } from "../errors.ts";
import { keepingAnswer, type Life } from "../life/life.ts";
import type { ExpectedAnswer } from "../oauth/authorization-response.ts";
import { exchangeCode } from "../oauth/grants.ts";
import type { Proofs } from "../oauth/transport.ts";
import type { Secret } from "../secret.ts";
import { type Token, tokenFrom } from "../token.ts";
import { Answers, type Arrival } from "./answers.ts";
import type { Catcher } from "./catcher.ts";
import type { LineInput } from "./line-input.ts";
import { readPaste } from "./paste.ts";

/** Enough for every honest mistake; an endless input must come to an end. */
const attempts = 20;

/** The authorization request that a person was asked to answer (RFC 6749 section 4.1.1). */
export interface AuthorizationRequest {
  readonly job: Life;
  readonly proofs: Proofs;
  readonly expected: ExpectedAnswer;
  /** as it stands in the request */
  readonly redirectUri: string;
  /** seconds */
  readonly timeout: number;
}

/**
 * Waits for the answer, by the listener and by paste, until one of them can be exchanged.
 *
 * @throws MxtokenError `signInNeeded` when none comes, `signInDeclined`, and as the exchange does;
 * Interrupted
 */
export async function obtain(
  request: AuthorizationRequest,
  input: LineInput,
  catcher: Catcher | undefined,
): Promise<Token> {
  const { world, tell } = request.job;
  const deadline = world.deadline(request.timeout * 1000);
  const wait = AbortSignal.any([deadline, world.interrupted]);
  const answers = new Answers(input, catcher, wait, () => tell({ is: "inputEnded" }));
  for (let count = 0; count < attempts; count += 1) {
    const arrival = await nextArrival(request, answers, deadline);
    if (arrival.from === "browser") input.hideProgress();
    const code = readCode(request, arrival);
    if (code === undefined) continue;
    const token = await exchange(request, code);
    if (typeof token !== "string") {
      // Whichever came first has won, and the other is closed.
      input.close();
      if (catcher?.hasVisitor === false) await catcher.close();
      return token;
    }
    tell({ is: "answerRefused", reason: token });
    if (arrival.from === "browser") {
      catcher?.refuse(arrival.caught, { is: "failed", message: token, hint: undefined });
    }
  }
  throw new MxtokenError("signInNeeded", `nothing usable came back in ${attempts} attempts`);
}

async function nextArrival(
  { timeout }: AuthorizationRequest,
  answers: Answers,
  deadline: AbortSignal,
): Promise<Exclude<Arrival, { from: "nowhere" }>> {
  try {
    const arrival = await answers.next();
    if (arrival.from !== "nowhere") return arrival;
  } catch (error) {
    if (!deadline.aborted) throw error;
    throw new MxtokenError("signInNeeded", `nobody signed in within ${timeout} seconds`, {
      hint: "run the command again; --timeout gives more time",
    });
  }
  throw new MxtokenError("signInNeeded", "the input ended before an answer was pasted", {
    hint: "nothing was stored; run the command again in a terminal",
  });
}

/** @returns undefined for a paste that is no answer: another one may be pasted */
function readCode(
  { job, expected }: AuthorizationRequest,
  arrival: Exclude<Arrival, { from: "nowhere" }>,
): Secret | undefined {
  job.world.interrupted.throwIfAborted();
  if (arrival.from === "browser") {
    job.tell({ is: "cameBack" });
    return arrival.caught.code;
  }
  const verdict = readPaste(arrival.line, expected);
  if (verdict.is === "rubbish") {
    job.tell({ is: "answerRefused", reason: verdict.reason });
    return undefined;
  }
  if (!verdict.stateChecked) job.tell({ is: "stateUnchecked" });
  return verdict.code;
}

/** @returns why the server does not take the code, where it is the code: another one may come */
async function exchange(
  { job, proofs, redirectUri }: AuthorizationRequest,
  code: Secret,
): Promise<Token | string> {
  const { world, account, tell } = job;
  const { client } = account;
  tell({ is: "exchanging" });
  try {
    return await keepingAnswer(job, async () => {
      const response = await job.requests.send((context) =>
        exchangeCode(context, { code, verifier: proofs.verifier, redirectUri }),
      );
      return tokenFrom(response, world.now(), client, undefined);
    });
  } catch (error) {
    if (!(error instanceof MxtokenError) || error.code !== "signInNeeded") throw error;
    return `the code was not taken (${error.message}); open the sign-in address again for a new one`;
  }
}
