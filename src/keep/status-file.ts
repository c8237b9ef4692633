import { resolve } from "node:path";
import { MxtokenError } from "../errors.ts";
import { ofAccount } from "../events.ts";
import { contentOf, replaceFile } from "../store/atomic.ts";
import { isoSeconds } from "../token.ts";
import type { Clock, Host } from "../world/world.ts";
import type { AccountPicture, State } from "./events.ts";

/** How many accounts stand how. */
export type Counts = Readonly<Record<State, number>>;

export function countStates(pictures: readonly Pick<AccountPicture, "state">[]): Counts {
  const counts = { waiting: 0, fresh: 0, retrying: 0, expired: 0, refused: 0 };
  for (const { state } of pictures) counts[state] += 1;
  return counts;
}

/**
 * Between two writings, in ms, at least and for every account: with thousands of them, something happens
 * all the time, and the file is large.
 */
const shortestInterval = 1000;
const intervalOfAccount = 1;

/** Also when nothing happens, so that a file that is older is of a process that is gone; ms. */
const longestInterval = 60_000;

/** Holds the current picture, for whoever wants to look. */
export class StatusFile {
  readonly #world: Clock;
  readonly path: string;
  #writtenAt = Number.NEGATIVE_INFINITY;
  #isBehind = true;
  #accounts = 0;

  /** @param path relative to the current directory */
  constructor(world: Clock & Host, path: string) {
    this.#world = world;
    this.path = resolve(world.cwd, path);
  }

  /** Something has happened. */
  changed(): void {
    this.#isBehind = true;
  }

  /** ms after which it wants to be written */
  get wait(): number {
    const since = this.#world.now() - this.#writtenAt;
    const shortest = Math.max(shortestInterval, this.#accounts * intervalOfAccount);
    const interval = this.#isBehind ? Math.min(shortest, longestInterval) : longestInterval;
    return since < 0 ? 0 : Math.max(0, interval - since);
  }

  /**
   * @param isRunning false for the last one
   * @throws MxtokenError `unwritable`; `unreadable` for a file that is none of its kind
   */
  async write(pictures: readonly AccountPicture[], isRunning: boolean): Promise<void> {
    if (this.#writtenAt === Number.NEGATIVE_INFINITY) requireStatusFile(this.path);
    this.#isBehind = false;
    this.#accounts = pictures.length;
    this.#writtenAt = this.#world.now();
    try {
      await replaceFile(this.path, `${this.#document(pictures, isRunning)}\n`);
    } catch (error) {
      this.#isBehind = true;
      throw error;
    }
  }

  #document(pictures: readonly AccountPicture[], isRunning: boolean): string {
    const accounts = pictures.map((picture) => ({
      account: picture.address,
      provider: picture.provider,
      tokenFile: picture.tokenFile,
      state: picture.state,
      expires: time(picture.expiresAt),
      next: time(picture.nextAt),
      proven: time(picture.provenAt),
      last: picture.last && {
        time: isoSeconds(picture.last.at),
        event: picture.last.is,
        message: ofAccount(picture.label, picture.last.message),
        commands: picture.last.commands,
      },
    }));
    const updated = isoSeconds(this.#world.now());
    return JSON.stringify({ updated, isRunning, counts: countStates(pictures), accounts }, null, 1);
  }
}

/** What somebody has named by mistake, a list of accounts for example, is not overwritten. */
function requireStatusFile(path: string): void {
  const text = contentOf(path)?.toString("utf8") ?? "";
  if (text.trim() === "" || /^\{\s*"updated":/.test(text)) return;
  throw new MxtokenError("unreadable", `${path} is no status file, and is not overwritten`, {
    hint: "name another one, or remove it",
  });
}

function time(ms: number | undefined): string | undefined {
  return ms === undefined || !Number.isFinite(ms) ? undefined : isoSeconds(ms);
}
