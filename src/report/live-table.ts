import stringWidth from "string-width";
import type { AccountPicture, State } from "../keep/events.ts";
import { countStates } from "../keep/status-file.ts";
import { duration, summary } from "./words.ts";

/** The room that there is, in characters. */
export interface Room {
  readonly columns: number;
  readonly rows: number;
}

/** What needs a person's eye stands first. */
const order: readonly State[] = ["refused", "expired", "retrying", "waiting", "fresh"];

const titles = ["account", "state", "expires in", "next try", "last event"] as const;
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
    nextTry(picture, now),
    lastEvent(picture),
  ]);
  const left = pictures.length - shown.length;
  const end = `${summary(countStates(pictures))}${left > 0 ? `; ${left} not shown` : ""}`;
  const table = withoutEmptyColumns([[...titles], ...rows]);
  return [...aligned(table, room.columns), clipped(end, room.columns)];
}

function remaining({ expiresAt, state }: AccountPicture, now: number): string {
  if (expiresAt === undefined) return ["fresh", "retrying"].includes(state) ? "unknown" : "";
  return expiresAt <= now ? "ended" : duration(expiresAt - now);
}

/** Of one that is in trouble; the others only do what they always do. */
function nextTry({ state, nextAt }: AccountPicture, now: number): string {
  if (state === "fresh" || state === "waiting") return "";
  if (nextAt === undefined) return "new file";
  return nextAt <= now ? "now" : duration(nextAt - now);
}

function lastEvent({ last }: AccountPicture): string {
  if (last === undefined) return "";
  const time = `${new Date(last.at).toISOString().slice(11, 16)}Z`;
  return `${time} ${last.message}`;
}

/** Where nobody is in trouble there is no next try to be shown. */
function withoutEmptyColumns([head = [], ...rows]: readonly (readonly string[])[]): string[][] {
  const isShown = (index: number) =>
    titles[index] !== "next try" || rows.some((row) => row[index] !== "");
  return [head, ...rows].map((row) => row.filter((_, index) => isShown(index)));
}

/** The first column is cut where there is no room, and the last one takes what is left. */
function aligned(rows: readonly (readonly string[])[], columns: number): string[] {
  const [head = []] = rows;
  const widths = head.map((_, index) =>
    Math.max(...rows.map((row) => stringWidth(row[index] ?? ""))),
  );
  const [first = 0, ...between] = widths.slice(0, -1);
  const taken = between.reduce((sum, width) => sum + width + gap.length, gap.length);
  const account = Math.max(narrowest, Math.min(first, columns - taken - 2 * narrowest));
  const fitting = [account, ...between];
  return rows.map((row) => {
    const cells = row.map((cell, index) => {
      const width = fitting[index];
      if (width === undefined) return cell;
      const cut = cutTo(cell, width);
      return cut + " ".repeat(Math.max(0, width - stringWidth(cut)));
    });
    return clipped(cells.join(gap), columns).trimEnd();
  });
}

/** Leaves the last column free: a terminal would begin a new line there. */
function clipped(text: string, columns: number): string {
  return cutTo(text, columns - 1);
}

/** Cuts a text so that it takes that many columns at most, and shows that it was cut. */
function cutTo(text: string, columns: number): string {
  if (stringWidth(text) <= columns) return text;
  const characters = [...text];
  while (characters.length > 0 && stringWidth(characters.join("")) > columns - 1) characters.pop();
  return columns < 1 ? "" : `${characters.join("")}…`;
}
