import type { AccountPicture, State } from "../keep/events.ts";
import { countStates } from "../keep/status-file.ts";
import { columnsOf, cutTo, filledTo } from "./columns.ts";
import { duration, summary } from "./keep-sentences.ts";

/** The room that there is, in characters. */
export interface Room {
  readonly columns: number;
  readonly rows: number;
}

/** What needs a person's eye stands first. */
const order: readonly State[] = ["refused", "expired", "retrying", "waiting", "fresh"];

const titles = ["account", "state", "expires in", "last event"] as const;
const gap = "  ";
/** Below this, a column tells nothing. */
const narrowest = 12;

/**
 * The accounts as a table that fits: those with trouble first, then those whose token ends first; where
 * there is no room for all, the last line says how many are left out.
 *
 * @param now ms since 1970
 */
export function tableOf(pictures: readonly AccountPicture[], now: number, room: Room): string[] {
  const limit = Math.max(3, Math.floor(room.rows / 2) - 2);
  const sorted = pictures.toSorted(
    (one, other) =>
      order.indexOf(one.state) - order.indexOf(other.state) ||
      (one.expiresAt ?? Number.POSITIVE_INFINITY) - (other.expiresAt ?? Number.POSITIVE_INFINITY) ||
      (one.label < other.label ? -1 : 1),
  );
  const shown = sorted.slice(0, limit);
  const rows = shown.map((picture) => [
    picture.label,
    picture.state,
    remaining(picture, now),
    lastEvent(picture),
  ]);
  const left = pictures.length - shown.length;
  const end = `${summary(countStates(pictures))}${left > 0 ? `; ${left} not shown` : ""}`;
  return [...aligned([[...titles], ...rows], room.columns), clipped(end, room.columns)];
}

function remaining({ expiresAt, state }: AccountPicture, now: number): string {
  if (expiresAt === undefined) return ["fresh", "retrying"].includes(state) ? "unknown" : "";
  return expiresAt <= now ? "ended" : duration(expiresAt - now);
}

/** The message without the account, which stands in the first column. */
function lastEvent({ last, label }: AccountPicture): string {
  if (last === undefined) return "";
  const time = `${new Date(last.at).toISOString().slice(11, 16)}Z`;
  return `${time} ${last.message.replace(`${label}: `, "")}`;
}

function aligned(rows: readonly (readonly string[])[], columns: number): string[] {
  const widths = titles.map((_, index) =>
    Math.max(...rows.map((row) => columnsOf(row[index] ?? ""))),
  );
  const [, state = 0, expires = 0] = widths;
  const account = Math.max(
    narrowest,
    Math.min(widths[0] ?? 0, columns - state - expires - 3 * gap.length - 2 * narrowest),
  );
  const fitting = [account, state, expires];
  return rows.map((row) => {
    const cells = row.map((cell, index) => {
      const width = fitting[index];
      return width === undefined ? cell : filledTo(cutTo(cell, width), width);
    });
    return clipped(cells.join(gap), columns).trimEnd();
  });
}

/** Leaves the last column free: a terminal would begin a new line there. */
function clipped(text: string, columns: number): string {
  return cutTo(text, columns - 1);
}
