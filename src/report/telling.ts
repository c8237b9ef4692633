import type { Line } from "./line.ts";

/** How much is said, and in which form. */
export interface ReportOptions {
  readonly json: boolean;
  readonly quiet: boolean;
  readonly verbose: boolean;
}

/**
 * How much a kind of event matters, most first: what a person must answer or know; what went another
 * way than the person may think; what is done; what only --verbose tells; what is data alone, because
 * an error says it.
 */
const levels = ["always", "warning", "step", "detail", "never"] as const;

export type Level = (typeof levels)[number];

/** The least that is told to whoever listens, where neither --quiet nor --verbose says otherwise. */
const least = {
  /** a person, who has called us */
  person: "step",
  /** a program that wants a token and nothing else */
  program: "warning",
  /** a person whose terminal is another program's */
  bystander: "always",
} as const satisfies Record<string, Level>;

export type Audience = keyof typeof least;

/** Whether something of this level is told. */
export function isTold(
  level: Level,
  audience: Audience,
  { quiet, verbose }: Omit<ReportOptions, "json">,
): boolean {
  const limit = verbose ? "detail" : quiet ? "always" : least[audience];
  return levels.indexOf(level) <= levels.indexOf(limit);
}

/** Who reads it. */
export interface Reader {
  /** of the terminal; undefined where there is none */
  readonly columns?: number | undefined;
  /** ms since 1970 */
  readonly now: number;
}

/** What is said, or a line that stays whole. */
export type Sentence = string | Line;

type Said = string | readonly Sentence[];

/** As a method, so that a row for one kind of event is one for all that has been chosen by the kind. */
type Of<E, T> = { of(event: E, reader: Reader): T }["of"];

/** How one kind of event is told. */
export interface Telling<E> {
  readonly level: Level | Of<E, Level>;
  /** the kind of its sentences */
  readonly as?: "warning" | "note";
  /** its sentences, each without a full stop, and what is to be copied; none where its error says it */
  readonly says: Said | Of<E, Said>;
}

/** A row for every kind of event, so that the compiler finds the one that is missing. */
export type Tellings<E extends { readonly is: string }> = {
  readonly [Is in E["is"]]: Telling<Extract<E, { readonly is: Is }>>;
};

/** A row of a level, and with sentences of a kind. */
function at(level: Level, as?: "warning" | "note") {
  return <E>(says: Telling<E>["says"]): Telling<E> => ({ level, ...(as && { as }), says });
}

export const always = at("always");
export const alert = at("always", "warning");
export const warning = at("warning", "warning");
export const notice = at("warning");
export const step = at("step");
export const note = at("step", "note");

/** The level of an event. */
export function levelOf<E>({ level }: Telling<E>, event: E, reader: Reader): Level {
  return typeof level === "string" ? level : level(event, reader);
}

/** @param account which it is about, where there are many */
export function linesOf<E>(
  { says, as }: Telling<E>,
  event: E,
  reader: Reader,
  account?: string,
): readonly Line[] {
  const said = typeof says === "function" ? says(event, reader) : says;
  const lines = typeof said === "string" ? [said] : said;
  return lines.map((line) => {
    if (typeof line === "string") return { say: line, as, of: account };
    return "say" in line ? { ...line, of: account } : line;
  });
}

/** So many accounts that have something in common are told of one by one. */
const toldAlone = 3;
/** All others are told of together, after so many ms, and then more rarely. */
const firstWait = 1000;
const longestWait = 60_000;
/** What has not happened to anybody for so long begins anew; ms. */
const memory = 5 * 60_000;

/** What has happened to many accounts, of which some have not been told of yet. */
export interface Alike<E> {
  /** of the first one that it has happened to */
  readonly event: E;
  /** the last one that it was told of */
  readonly like: string;
  readonly others: readonly string[];
}

interface Family<E> {
  readonly event: E;
  readonly told: Set<string>;
  readonly held: Set<string>;
  like: string;
  wait: number;
  toldAt: number;
  lastAt: number;
}

/** Keeps back what is the same for many accounts, so that it is told of all of them at once. */
export class Families<E> {
  readonly #now: () => number;
  readonly #families = new Map<string, Family<E>>();

  /** @param now the clock, ms since 1970 */
  constructor(now: () => number) {
    this.#now = now;
  }

  /**
   * Whether an event is told by itself; else it is kept back.
   *
   * @param family the same for events that many accounts may have in common
   */
  isAlone(family: string, event: E, account: string): boolean {
    const now = this.#now();
    const former = this.#families.get(family);
    const isOver = former === undefined || (now - former.lastAt > memory && former.held.size === 0);
    const known = isOver
      ? { event, told: new Set<string>(), held: new Set<string>(), like: account }
      : former;
    const { told, held } = known;
    const isAlone = told.size < toldAlone || told.has(account);
    if (isAlone) told.add(account);
    else held.add(account);
    const { wait = firstWait, toldAt = now } = isOver ? {} : former;
    const like = isAlone ? account : known.like;
    this.#families.set(family, { ...known, like, wait, toldAt, lastAt: now });
    return isAlone;
  }

  /** Whether something of this account is kept back. */
  holds(account: string): boolean {
    return [...this.#families.values()].some(({ held }) => held.has(account));
  }

  /** ms until something is to be told; undefined where nothing is kept back */
  get wait(): number | undefined {
    const now = this.#now();
    const waits = [...this.#families.values()]
      .filter(({ held }) => held.size > 0)
      .map(({ toldAt, wait }) => Math.min(wait, Math.max(0, toldAt + wait - now)));
    return waits.length === 0 ? undefined : Math.min(...waits);
  }

  /** What is to be told by now, or all that is kept back. */
  take(isAll = false): readonly Alike<E>[] {
    const now = this.#now();
    const taken: Alike<E>[] = [];
    for (const family of this.#families.values()) {
      const { event, held, like, toldAt, wait } = family;
      const isDue = isAll || Math.abs(now - toldAt) >= wait;
      if (held.size === 0 || !isDue) continue;
      taken.push({ event, like, others: [...held] });
      held.clear();
      family.toldAt = now;
      family.wait = Math.min(wait * 10, longestWait);
    }
    return taken;
  }
}
