import { median } from "../measure.ts";
import type { Mode, Plan } from "./plan.ts";

/** As many are enough for a median, however long it takes. */
const windowLimit = 100_000;

/**
 * What became of an account: `kept` was named by a message, and comes back when that is followed;
 * `unnamed` is on the disk, and nobody was told; `spent` is on the disk, but a later run presented a
 * spent token and the server has revoked everything; `inside` and `outside` of the named window are lost.
 */
export const fates = ["recovered", "kept", "unnamed", "spent", "inside", "outside"] as const;
export type Fate = (typeof fates)[number];

interface Row {
  faults: number;
  readonly fates: Record<Fate, number>;
}

/** Counts faults and what became of the accounts. */
export class Tally {
  readonly #rows = new Map<string, Row>();
  readonly #windows: number[] = [];
  /** how often something was that must not be */
  problems = 0;
  readonly #killPoints = new Map<Mode, Set<number>>();
  /** rounds in which an account was not recovered, or something must not be, by what it was */
  readonly #examples = new Map<string, number[]>();
  accounts = 0;

  fault(kind: string, count = 1): void {
    this.#row(kind).faults += count;
  }

  fate(kind: string, fate: Fate, round: number): void {
    this.accounts += 1;
    this.#row(kind).fates[fate] += 1;
    if (fate !== "recovered") this.#example(`${fate}: ${kind}`, round);
  }

  /** Counts what must not be, beside an account that is lost. */
  problem(round: number, what: string): void {
    this.problems += 1;
    this.#example(what, round);
  }

  #example(name: string, round: number): void {
    const rounds = this.#examples.get(name) ?? [];
    if (this.#examples.size > 1000 || rounds.includes(round)) return;
    if (rounds.length < 5) this.#examples.set(name, [...rounds, round]);
  }

  /** @param ms from the server's having answered to the new token's being on the disk */
  window(ms: number): void {
    if (this.#windows.length < windowLimit) this.#windows.push(ms);
  }

  /** Notes where a process was killed. */
  killPoint({ mode, program }: Plan): void {
    if (program?.is !== "call" || program.rule.call !== "*") return;
    const points = this.#killPoints.get(mode) ?? new Set();
    this.#killPoints.set(mode, points.add(program.rule.after ?? 0));
  }

  /** @param calls how many there are for each way to call the program */
  killPoints(calls: ReadonlyMap<Mode, number>): string {
    const counts = [...calls].map(([mode, count]) => {
      const hit = [...(this.#killPoints.get(mode) ?? [])].filter((point) => point < count);
      return `${mode} ${hit.length} of ${count}`;
    });
    return `killed at calls for its files: ${counts.join(", ")}`;
  }

  total(fate?: Fate): number {
    return [...this.#rows.values()].reduce(
      (sum, row) => sum + (fate === undefined ? row.faults : row.fates[fate]),
      0,
    );
  }

  /** One line for each kind, sorted. */
  lines(): string[] {
    const head = ["faults", ...fates].map((name) => name.padStart(10)).join("");
    const rows = [...this.#rows].toSorted(([a], [b]) => (a < b ? -1 : 1));
    return [
      `${"".padEnd(54)}${head}`,
      ...rows.map(([kind, row]) => {
        const counts = [row.faults, ...fates.map((fate) => row.fates[fate])];
        return kind.padEnd(54) + counts.map((count) => `${count || "."}`.padStart(10)).join("");
      }),
    ];
  }

  /** Rounds with which each loss can be repeated. */
  examples(): string[] {
    return [...this.#examples]
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, rounds]) => `${name}: round ${rounds.join(", ")}`);
  }

  summary(): string {
    const count = (value: number) => value.toLocaleString("en");
    const times = [median(this.#windows), Math.max(0, ...this.#windows)];
    const [middle, most] = times.map((ms) => `${ms.toFixed(1)} ms`);
    return [
      `${count(this.total())} faults (${this.#rows.size} kinds), ${count(this.accounts)} accounts`,
      `${count(this.total("outside"))} lost outside the window`,
      `${count(this.total("inside"))} inside (window ${middle} median, ${most} max)`,
      `${count(this.total("kept"))} kept and named`,
      `${count(this.total("unnamed"))} kept and not named`,
      `${count(this.total("spent"))} kept and spent by a later run`,
      `${count(this.problems)} other problems`,
    ].join(", ");
  }

  #row(kind: string): Row {
    const found = this.#rows.get(kind);
    if (found !== undefined) return found;
    const none = { recovered: 0, kept: 0, unnamed: 0, spent: 0, inside: 0, outside: 0 };
    const row: Row = { faults: 0, fates: none };
    this.#rows.set(kind, row);
    return row;
  }
}
