// What the benchmarks have in common.
import { cpus, release, type } from "node:os";

/** The machine and the version of Node, in a line each. */
export function machine(): string {
  const [first] = cpus();
  return `${first?.model}, ${cpus().length} cores, ${type()} ${release()}\nNode ${process.version}, ${process.arch}`;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  return ((sorted[Math.floor(middle)] ?? 0) + (sorted[Math.ceil(middle) - 1] ?? 0)) / 2;
}

/** An argument of `node --import` that runs this code before the program. */
export function before(code: string): string {
  return `data:text/javascript,${encodeURIComponent(code)}`;
}
