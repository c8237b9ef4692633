import { MxtokenError } from "../errors.ts";
import type { TokenRequestContext } from "./request-context.ts";

/** Nobody refuses an assertion for less. */
const tolerance = 60_000;

/**
 * Sends a request with an assertion, in which the time stands; where it is refused and the server's
 * clock is another than this machine's, once again by the server's.
 *
 * @param onDifference told by how many ms this machine's clock is ahead, before the second request
 * @throws what `send` throws
 */
export async function withServerClock<T>(
  context: TokenRequestContext,
  send: (context: TokenRequestContext) => Promise<T>,
  onDifference: (ahead: number) => void,
): Promise<T> {
  let ahead = 0;
  const onReply: TokenRequestContext["onReply"] = (reply) => {
    const date = Date.parse(reply.headers.get("date") ?? "");
    if (!Number.isNaN(date)) ahead = context.world.now() - date;
  };
  try {
    return await send({ ...context, onReply });
  } catch (error) {
    const isRefused = error instanceof MxtokenError && error.oauthError !== undefined;
    if (!isRefused || Math.abs(ahead) < tolerance) throw error;
    onDifference(ahead);
    return send({ ...context, now: context.world.now() - ahead });
  }
}
