import { diagnosed } from "../causes/diagnose.ts";
import { MxtokenError } from "../errors.ts";
import type { OpenEntry } from "../store/entry.ts";
import { identityOf } from "../store/token-file.ts";
import { clockTolerance, isoSeconds, type TokenRecord } from "../token.ts";
import { sha256 } from "../world/builtins.ts";
import type { Life } from "./life.ts";

// A refresh token that was refused is not sent again by every program that asks for a token: some
// providers count what they refuse, and lock the account.

/** For how long a refusal is told again instead of asking again; ms. */
const rememberedFor = 10 * 60_000;

/** Enough to tell requests apart; hexadecimal. */
const digestLength = 16;

/** Digest of a request that the same client sends to the same server with the same tokens stored. */
function digestOf({ account: { client } }: Life, record: TokenRecord): string {
  const request = [identityOf(record).tokens, client.id, client.tokenEndpoint, client.scope].join(
    "\n",
  );
  return sha256(request).slice(0, digestLength);
}

/**
 * Asks; where the answer is that somebody has to sign in anew, that is remembered with the token that was
 * refused.
 *
 * @throws what `ask` throws
 */
export async function rememberingRefusal<T>(
  life: Life,
  open: OpenEntry,
  ask: () => Promise<T>,
): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    const { record } = open;
    const isRefusal = error instanceof MxtokenError && error.code === "signInNeeded";
    if (isRefusal && record !== undefined) {
      const request = digestOf(life, record);
      await open.noteRefusal({ at: life.world.now(), request, facts: error.facts });
    }
    throw error;
  }
}

/**
 * The refusal that a request with the stored refresh token has met a few minutes ago. One that is dated
 * in the future does not count: the clock was set back since.
 *
 * @returns the same error, which says when that was; undefined where the server is to be asked
 */
export function refusalOf(life: Life, record: TokenRecord): MxtokenError | undefined {
  const { refusal } = record;
  if (refusal === undefined) return undefined;
  const { at, request, facts } = refusal;
  const age = life.world.now() - at;
  const isOver = age >= rememberedFor || age < -clockTolerance;
  if (isOver || request !== digestOf(life, record)) return undefined;
  const { host, said, oauthError } = facts;
  const until = isoSeconds(at + rememberedFor);
  return new MxtokenError(
    "signInNeeded",
    `${host} wanted a new sign-in at ${isoSeconds(at)}, and is not asked again before ${until}: ${said}`,
    { oauthError, ...diagnosed(facts) },
  );
}
