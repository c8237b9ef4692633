import { existsSync, lstatSync } from "node:fs";
import { MxtokenError } from "../errors.ts";
import { Secret } from "../secret.ts";
import type { TokenRecord } from "../token.ts";
import type { World } from "../world/world.ts";
import { contentOf, markTrouble, reserve, temporaryPath } from "./atomic.ts";
import { keepElsewhere, keptPath } from "./kept-tokens.ts";
import { digestOf, digestOfText, noTokens, ofNoPlace, sealTokens } from "./sealed-tokens.ts";

/** The place of the next tokens of a token file, on the disk before they are asked for. */
export interface TokenPlace {
  /**
   * Puts them there. Whatever goes wrong from here on, they are kept, and the error says where.
   *
   * @throws MxtokenError `unwritable`; `unreachable` where somebody has replaced or removed the file
   * meanwhile, which stays as it is
   */
  commit(next: TokenRecord): Promise<void>;
  /** Gives the place back where nothing was put there. */
  release(): Promise<void>;
}

/**
 * Reserves the place, under the lock of the file.
 *
 * @param former what stands in the file now
 * @param after what its seal says that the next tokens follow; `ofNoPlace` for a file of its own beside it
 * @throws MxtokenError `unwritable`
 */
export async function reserveTokens(
  world: World,
  path: string,
  gid: number | undefined,
  former: TokenRecord | undefined,
  after = isReadable(former) ? digestOf(former) : digestIn(path),
): Promise<TokenPlace> {
  const expected = after === ofNoPlace ? noTokens : after;
  const reservation = await reserve(world, path, gid);
  return {
    async commit(next) {
      const text = sealTokens(next, after);
      const elsewhere = async (error: unknown) => {
        throw keptAfter(error, path, await keepAndMark(world, path, text));
      };
      await reservation.fill(text).catch(elsewhere);
      // On the disk it is safe; only now there is time to look what has become of the file.
      const orElsewhere = async (error: unknown) => {
        // It waits in the temporary file, unless somebody has removed that.
        if (reservation.isThere()) throw error;
        await elsewhere(error);
      };
      if (isStill(path, expected)) {
        await reservation.replace().catch(orElsewhere);
        return;
      }
      const beside = keptPath(world, path);
      await reservation.keepAs(beside).catch(orElsewhere);
      // What somebody has moved away comes back, perhaps.
      markTrouble(path);
      throw new MxtokenError(
        "unreachable",
        `${path} was ${existsSync(path) ? "replaced" : "removed"} while its tokens were refreshed: it stays as it is, and the new tokens are in ${beside}`,
        {
          facts: { path },
          hint: "if they are what you want, move them there; else run the command again",
        },
      );
    },
    release: () => reservation.release(),
  };
}

function isReadable(former: TokenRecord | undefined): boolean {
  return former === undefined || (former.accessToken ?? former.refreshToken) !== undefined;
}

/** The next run looks for what is kept elsewhere when it finds a temporary file, whatever that holds. */
async function keepAndMark(world: World, path: string, text: string): Promise<string | undefined> {
  const kept = await keepElsewhere(world, path, new Secret(text));
  markTrouble(path);
  return kept;
}

function isStill(path: string, expected: string): boolean {
  try {
    const found = lstatSync(path, { throwIfNoEntry: false });
    if (found?.isFile() === false) return false;
    return digestIn(path) === expected;
  } catch (error) {
    throw new MxtokenError("unreachable", `${path} cannot be looked at now`, {
      facts: { path },
      cause: error,
      hint: `its new content is in ${temporaryPath(path)}: the next run puts it in its place, if it can`,
    });
  }
}

function digestIn(path: string): string {
  return digestOfText(contentOf(path)?.toString("utf8") ?? "");
}

function keptAfter(error: unknown, path: string, kept: string | undefined): unknown {
  if (!(error instanceof MxtokenError)) return error;
  const where = kept === undefined ? `perhaps in ${temporaryPath(path)}` : `in ${kept}`;
  return error.with({
    code: "unwritable",
    message: `${error.message}; the new tokens are ${where}`,
    hint: "the next run puts them in their place, if it can",
  });
}
