import { MxtokenError } from "../errors.ts";
import type { Secret } from "../secret.ts";
import { formatTokenFile, type TokenRecord } from "../store/token-file.ts";
import type { Token } from "../token.ts";
import type { Finding } from "../verify/finding.ts";
import {
  type Job,
  readAgain,
  recordOf,
  unprovenNote,
  verifiedNote,
  withReservation,
  withTokenFileLock,
} from "./job.ts";
import { checkSameOwner, ownerOf } from "./owner.ts";

/**
 * Writes both lines. The file is read again first: another process may have put something there
 * since. With --startover an old file is only replaced by a proven token.
 *
 * @param finding undefined when there was no time for a proof
 * @returns whether it was written
 */
export async function store(
  job: Job,
  token: Token,
  finding: Finding | undefined,
): Promise<boolean> {
  const work = async () => {
    const former = await readReplaceable(job);
    const isProven = finding?.result === "accepted";
    if (former !== undefined && job.startover && !isProven) return false;
    return withReservation(job, async (reservation) => {
      const now = job.world.now();
      const note = finding === undefined ? unprovenNote(now) : verifiedNote(finding, now);
      const whole = { ...token, refreshToken: token.refreshToken ?? stillGood(job, former) };
      await reservation.commit(formatTokenFile(recordOf(job, whole, note, now)));
      return true;
    });
  };
  // What is to be saved now is saved even while the process is asked to end.
  return withTokenFileLock(job, work, new AbortController().signal);
}

/**
 * With --startover the stored refresh token may still be good: a server that gives none this time
 * must not cost it.
 */
function stillGood(job: Job, former: TokenRecord | undefined): Secret | undefined {
  if (!job.startover || former?.refreshToken === undefined) return undefined;
  try {
    checkSameOwner(job.tokenFile, former.notes, ownerOf(job));
    return former.refreshToken;
  } catch {
    return undefined;
  }
}

/** What stands in the file now; with --startover also a file that nobody can understand. */
export async function readReplaceable(job: Job): Promise<TokenRecord | undefined> {
  try {
    return await readAgain(job);
  } catch (error) {
    const isUnreadable = error instanceof MxtokenError && error.code === "unreadable";
    if (!job.startover || !isUnreadable) throw error;
    return { accessToken: undefined, refreshToken: undefined, notes: {} };
  }
}
