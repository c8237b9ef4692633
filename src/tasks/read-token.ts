import { MxtokenError } from "../errors.ts";
import type { Tell } from "../events.ts";
import { Secret } from "../secret.ts";
import { LineInput } from "../sign-in/line-input.ts";
import { otherThanToken } from "../store/token-file-kind.ts";
import { isTokenText } from "../token.ts";
import { within } from "../world/waiting.ts";
import type { World } from "../world/world.ts";

/** As long as a person has to sign in. */
const patience = 300_000;

/**
 * Reads a token from standard input: its first line that is not blank.
 *
 * @param what the kind of token, for the question and the error
 * @throws MxtokenError `usage`; Interrupted
 */
export async function readToken(
  world: World,
  tell: Tell,
  input: LineInput,
  what: string,
): Promise<Secret> {
  input.open();
  if (world.stdin.isTTY === true) tell({ is: "tokenWanted", what });
  const line = await within(
    world,
    patience,
    (stop) => input.next(stop),
    () => undefined,
  );
  if (line === undefined) throw new MxtokenError("usage", `no ${what} came on standard input`);
  const text = line.replace(/^\uFEFF/, "");
  const other = otherThanToken(text);
  if (!isTokenText(text) || other !== undefined) {
    const why = other === undefined ? "" : `: it is ${other}`;
    throw new MxtokenError("usage", `what came on standard input is no ${what}${why}`);
  }
  return new Secret(text);
}

/** The same for a command that reads nothing else from standard input. */
export async function tokenFromInput(world: World, tell: Tell, what: string): Promise<Secret> {
  const input = new LineInput(world);
  try {
    return await readToken(world, tell, input, what);
  } finally {
    input.close();
  }
}
