import { authorizationRows } from "./authorization-rows.ts";
import type { CauseRow, Facts, Step } from "./cause.ts";
import { certificateRows, localRows, networkRows } from "./connection-rows.ts";
import { mailServerRows } from "./mail-server-rows.ts";
import { proxyRows } from "./proxy-rows.ts";
import { applicationRows, loginRows } from "./refusal-rows.ts";

/** Known failures; the more special stand before the more general. */
export const causeRows = [
  ...proxyRows,
  ...applicationRows,
  ...authorizationRows,
  ...loginRows,
  ...mailServerRows,
  ...localRows,
  ...certificateRows,
  ...networkRows,
] as const;

type KnownCause = (typeof causeRows)[number];

export type CauseId = KnownCause["id"];

/** What is known of a failure, and what a person can do about it. */
export interface Explanation {
  readonly causeId: CauseId | undefined;
  readonly facts: Facts;
  /** as one sentence */
  readonly hint: string | undefined;
  /** command lines for it */
  readonly commands: readonly string[] | undefined;
}

/**
 * Recognises a failure.
 *
 * @param clue facts, or what somebody sees of it
 * @returns every row that fits, the most special first
 */
export function diagnose(clue: Facts | string): readonly KnownCause[] {
  return fitting(causeRows, typeof clue === "string" ? { said: clue } : clue);
}

/** Those of some rows that fit. */
export function fitting<Row extends CauseRow>(rows: readonly Row[], facts: Facts): readonly Row[] {
  const known = new Map<string, unknown>(Object.entries(facts));
  return rows.filter(({ matches }) =>
    matches?.some((pattern) =>
      Object.entries(pattern).every(([name, wanted]) => fits(known.get(name), wanted)),
    ),
  );
}

function fits(value: unknown, wanted: unknown): boolean {
  if (!(wanted instanceof RegExp)) return value === wanted;
  return value !== undefined && wanted.test(String(value));
}

/** The explanation of a failure that is known, or at least its facts. */
export function diagnosed(facts: Facts): Explanation {
  const [row] = diagnose(facts);
  if (row !== undefined) return explained(row.id, facts);
  return { causeId: undefined, facts, hint: undefined, commands: undefined };
}

/** The explanation of a failure that whoever asks has recognised. */
export function explained(causeId: CauseId, facts: Facts): Explanation {
  const row: CauseRow | undefined = causeRows.find(({ id }) => id === causeId);
  const steps = row === undefined ? [] : remedyOf(row, facts);
  const words = steps.filter((step) => typeof step === "string");
  const commands = steps.flatMap((step) => (typeof step === "string" ? [] : [step.command]));
  return {
    causeId,
    facts,
    hint: words.length === 0 ? undefined : words.join("; "),
    commands: commands.length === 0 ? undefined : commands,
  };
}

export function causeOf({ cause }: CauseRow, facts: Facts): string {
  return typeof cause === "string" ? cause : cause(facts);
}

export function remedyOf({ remedy }: CauseRow, facts: Facts): readonly Step[] {
  if (remedy === undefined) return [];
  return typeof remedy === "string" ? [remedy] : remedy(facts);
}
