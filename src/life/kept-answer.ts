import { MxtokenError } from "../errors.ts";
import { keepElsewhere } from "../store/kept-tokens.ts";
import type { World } from "../world/world.ts";

/**
 * Runs `ask`; where a token endpoint has granted something that is not understood, its answer is kept in
 * a private file: it may hold the only refresh token that still counts.
 *
 * @throws what `ask` throws, with the place of the answer in its message
 */
export async function keepingAnswer<T>(
  { world, tokenFile }: { readonly world: World; readonly tokenFile: string },
  ask: () => Promise<T>,
): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    if (!(error instanceof MxtokenError) || error.answer === undefined) throw error;
    const kept = await keepElsewhere(world, tokenFile, error.answer);
    const where = kept === undefined ? "could not be kept anywhere" : `is kept in ${kept}`;
    const message = `${error.message}; its answer, perhaps with new tokens, ${where}`;
    throw error.with({ message, answer: undefined });
  }
}
