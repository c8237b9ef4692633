import { existsSync, lstatSync } from "node:fs";
import { rename, unlink } from "node:fs/promises";
import { dirname } from "node:path";
import { MxtokenError } from "../errors.ts";
import type { Tell } from "../events.ts";
import type { RefusedGrant, TokenRecord } from "../token.ts";
import { textOf } from "../world/text.ts";
import type { Clock, Host, World } from "../world/world.ts";
import { contentOf, markTrouble, replaceByItself } from "./atomic.ts";
import { checkTarget, syncDirectory, unwritable } from "./disk.ts";
import type { OpenEntry, ReservedPlace } from "./entry.ts";
import { keptAfter, keptPath } from "./kept-tokens.ts";
import type { PlaceChange } from "./known-places.ts";
import { type HeldLock, withLock } from "./lock.ts";
import { temporaryPath } from "./places.ts";
import type { SeenFile } from "./read.ts";
import { Reservation } from "./reservation.ts";
import { digestOf, digestOfText, noTokens, ofNoPlace, restore, sealTokens } from "./restore.ts";
import { groupId, makeDirectory } from "./rights.ts";
import { withRefusal } from "./token-file.ts";

/** A token file that is to be worked at. */
export interface UsedTokenFile {
  readonly path: string;
  /** the group that shall be able to read it */
  readonly group: string | undefined;
  readonly tell: Tell;
  /** ends the wait for its lock; by default the signals that ask the process to end */
  readonly stop?: AbortSignal | undefined;
}

/** A token file under its lock. */
interface LockedFile {
  readonly path: string;
  readonly gid: number | undefined;
  readonly lock: HeldLock;
  /** whether what it holds was put there just now, where another process had left it */
  readonly isRestored: boolean;
}

/**
 * Runs `work` under the lock of a token file, in whose place is then what a process that died has left.
 *
 * @throws MxtokenError `unwritable`, `unreachable`; Interrupted
 */
export async function withTokenFileLock<T>(
  world: World,
  { path, group, tell, stop }: UsedTokenFile,
  work: (file: LockedFile) => Promise<T>,
): Promise<T> {
  const gid = group === undefined ? undefined : await groupId(world, group);
  await makeDirectory(dirname(path), gid);
  const onWait = () => tell({ is: "waitingForLock", tokenFile: path });
  return withLock(world, path, { onWait, stop }, async (lock) => {
    const isRestored = await restore(world, path, tell);
    return work({ path, gid, lock, isRestored });
  });
}

/** A token file that this process alone works at. */
export class OpenTokenFile implements OpenEntry {
  readonly record: TokenRecord | undefined;
  readonly isRestored: boolean;
  /** what this has made of the place; undefined where it holds tokens as before, or none as before */
  change: PlaceChange | undefined;
  readonly #world: Clock & Host;
  readonly #file: LockedFile;
  /** what `record` was read from */
  readonly #seen: Buffer | undefined;
  #reserved: Reservation | undefined;

  constructor(
    world: Clock & Host,
    file: LockedFile,
    record: TokenRecord | undefined,
    { bytes }: SeenFile,
  ) {
    this.#world = world;
    this.#file = file;
    this.record = record;
    this.#seen = bytes;
    this.isRestored = file.isRestored;
  }

  async reserve({ isBeside = false, isKnown = false }: ReservedPlace = {}): Promise<void> {
    if (!isBeside && !isKnown) await replaceByItself(this.#world, this.#file);
    await this.#reserveAt(isBeside ? keptPath(this.#world, this.#file.path) : this.#file.path);
  }

  async commit(next: TokenRecord): Promise<void> {
    const { path, lock } = this.#file;
    // What cannot be read is told from what may replace it by all of its text.
    const isKnown = isReadable(this.record);
    const after = isKnown ? digestOf(this.record) : digestIn(path, lock);
    const bytes = isKnown && this.record !== undefined ? this.#seen : undefined;
    await this.#put(path, next, after, { digest: after, bytes });
    const { account, provider } = next.notes;
    if (account === undefined) return;
    this.change = { is: "stored", account: account.toLowerCase(), provider, place: path };
  }

  async noteRefusal(refusal: RefusedGrant): Promise<void> {
    const { path, lock } = this.#file;
    const reservation = this.#reserved;
    if (reservation?.path !== path) return;
    const read = () => contentOf(path, lock)?.toString("utf8");
    try {
      const text = read() ?? "";
      if (digestOfText(text) !== digestOf(this.record)) return;
      await reservation.fill(withRefusal(text, refusal));
      // Tools that know no lock may have put other tokens there meanwhile.
      await (read() === text ? reservation.replace() : reservation.abandon());
    } catch {
      await reservation.abandon();
    }
  }

  async keepBeside(next: TokenRecord): Promise<string> {
    const reserved = this.#reserved?.path;
    const isBeside = reserved !== undefined && reserved !== this.#file.path;
    const path = isBeside ? reserved : keptPath(this.#world, this.#file.path);
    // What is kept beside the file on purpose must never be taken for what belongs into it.
    await this.#put(path, next, ofNoPlace, { digest: noTokens });
    return path;
  }

  async moveBeside(): Promise<string> {
    const kept = keptPath(this.#world, this.#file.path);
    await rename(this.#file.path, kept);
    this.change = { is: "removed", place: this.#file.path };
    return kept;
  }

  removeBeside(place: string): Promise<void> {
    return unlink(place);
  }

  async prepareRemoval(): Promise<void> {
    await checkTarget(this.#file.path);
  }

  async remove(): Promise<void> {
    const { path } = this.#file;
    if ((await checkTarget(path)) === undefined) return;
    try {
      await unlink(path);
      this.change = { is: "removed", place: path };
      await syncDirectory(this.#world, dirname(path));
    } catch (error) {
      throw unwritable(path, error);
    }
  }

  async release(): Promise<void> {
    await this.#reserved?.release();
    this.#reserved = undefined;
  }

  async #put(path: string, next: TokenRecord, after: string, expected: Expected): Promise<void> {
    const former = this.#reserved;
    const reservation = former?.path === path ? former : await this.#reserveAt(path);
    const text = sealTokens(next, after);
    const elsewhere = async (error: unknown) => {
      throw await keptAfter(error, this.#world, path, text);
    };
    await reservation.fill(text).catch(elsewhere);
    // It waits in the temporary file, unless somebody has removed that.
    const orElsewhere = async (error: unknown) => {
      if (reservation.isThere()) throw error;
      await elsewhere(error);
    };
    // On the disk it is safe; only now there is time to look what has become of the file.
    if (isStill(path, expected, this.#file.lock)) {
      await reservation.replace().catch(orElsewhere);
      return;
    }
    const beside = keptPath(this.#world, path);
    await reservation.keepAs(beside).catch(orElsewhere);
    markTrouble(path);
    const what = `was ${existsSync(path) ? "replaced" : "removed"} while its tokens were refreshed`;
    const message = `${path} ${what}: it stays as it is, and the new tokens are in ${beside}`;
    const hint = "if they are what you want, move them there; else run the command again";
    throw new MxtokenError("unreachable", message, { facts: { path }, hint });
  }

  async #reserveAt(path: string): Promise<Reservation> {
    await this.release();
    this.#reserved = await Reservation.make(this.#world, { ...this.#file, path });
    return this.#reserved;
  }
}

function isReadable(record: TokenRecord | undefined): boolean {
  return record === undefined || (record.accessToken ?? record.refreshToken) !== undefined;
}

function digestIn(path: string, lock: HeldLock): string {
  return digestOfText(textOf(contentOf(path, lock)));
}

/** What still has to be there. */
interface Expected {
  readonly digest: string;
  /** that it was made from, where it is that of a file that was read */
  readonly bytes?: Buffer | undefined;
}

function isStill(path: string, { digest, bytes }: Expected, lock: HeldLock): boolean {
  try {
    if (lstatSync(path, { throwIfNoEntry: false })?.isFile() === false) return false;
    const content = contentOf(path, lock);
    if (content !== undefined && bytes?.equals(content) === true) return true;
    return digestOfText(textOf(content)) === digest;
  } catch (error) {
    const hint = `its new content is in ${temporaryPath(path)}: the next run puts it in its place, if it can`;
    const details = { facts: { path }, cause: error, hint };
    throw new MxtokenError("unreachable", `${path} cannot be looked at now`, details);
  }
}
