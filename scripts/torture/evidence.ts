import type { LoggedCall } from "../../test/scene/faults.ts";
import type { Grant } from "./account.ts";

/** A process that has ended. */
interface Process {
  /** what it died of */
  readonly signal: NodeJS.Signals | null;
  /** what it called for its files */
  calls(): LoggedCall[];
}

interface Witness {
  readonly process: Process;
  readonly calls: readonly LoggedCall[];
}

/** What the calls of the processes tell about each answer. */
export class Evidence {
  readonly #witnesses: readonly Witness[];

  constructor(processes: readonly Process[]) {
    this.#witnesses = processes.map((process) => ({ process, calls: process.calls() }));
  }

  /** Whether nobody could have saved it: cut on the wire, or killed before it was on the disk. */
  isInside(grant: Grant): boolean {
    const { rotation } = grant;
    if (rotation === undefined) return false;
    if (rotation.isCut) return true;
    const asker = this.#askerOf(grant);
    const isKilled = ({ process }: Witness) => process.signal === "SIGKILL";
    if (asker === undefined) return this.#witnesses.some(isKilled);
    return isKilled(asker) && this.savedAt(grant) === undefined;
  }

  /** When the last answer was on the disk, by the monotonic clock in ns. */
  savedAt(grant: Grant): bigint | undefined {
    const at = grant.rotation?.at ?? 0n;
    const calls = this.#askerOf(grant)?.calls.filter((call) => call.at > at) ?? [];
    const written = calls.findIndex(({ call, path }) => call === "write" && isOf(path, grant));
    if (written < 0) return undefined;
    return calls.slice(written).find((call) => isSync(call, grant))?.at;
  }

  /** The process whose request was answered: the last that had made sure of its place before. */
  #askerOf(grant: Grant): Witness | undefined {
    const at = grant.rotation?.at ?? 0n;
    const lastSync = ({ calls }: Witness) =>
      calls.findLast((call) => isSync(call, grant) && call.at < at)?.at ?? 0n;
    const [last] = this.#witnesses.toSorted((a, b) => Number(lastSync(b) - lastSync(a)));
    return last !== undefined && lastSync(last) > 0n ? last : undefined;
  }
}

function isSync({ call, action, result, path }: LoggedCall, grant: Grant): boolean {
  return call === "sync" && (result === 0 || action.endsWith("-after")) && isOf(path, grant);
}

function isOf(path: string, { account }: Grant): boolean {
  return path.includes(account.address);
}
