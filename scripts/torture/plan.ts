import type { Action, Call, FaultRule } from "../../test/scene/faults.ts";
import { Random } from "./random.ts";

/** How the program is called: `get` is `mxtoken ADDRESS`, `refresh` is `mxtoken show --nocache`. */
export type Mode = "get" | "show" | "refresh" | "keep" | "run";

/** When something happens to a process: so many ms after such a step. */
export interface Moment {
  readonly step: "begun" | "asked" | "replaced" | "answered";
  readonly ms: number;
}

/** What happens to the first process of a round. */
export type ProgramFault =
  | {
      readonly is: "signal";
      readonly signal: "SIGKILL" | "SIGTERM" | "SIGINT";
      readonly at: Moment;
    }
  | { readonly is: "call"; readonly rule: FaultRule }
  /** it stands still while the server answers, and its clocks have gone on then */
  | { readonly is: "stop"; readonly seconds: number; readonly monotonic: boolean }
  | { readonly is: "clock"; readonly seconds: number; readonly step: "begun" | "asked" }
  | {
      readonly is: "fullDisk";
      readonly free: number;
      readonly step: "begun" | "asked" | "replaced";
    };

/** What a round does. */
export interface Plan {
  readonly round: number;
  readonly mode: Mode;
  readonly accounts: number;
  readonly processes: number;
  readonly isVerbose: boolean;
  readonly proves: boolean;
  /** whether line 1 has ended */
  readonly isOver: boolean;
  readonly program: ProgramFault | undefined;
  /** what happens to each account's request; `planted`: its token file names another endpoint */
  readonly requests: "endpoint" | "edit" | "planted" | undefined;
  /** connections that are closed at once */
  readonly refusals: number;
}

/** How each call can fail. */
const failures: readonly [Call, readonly [Action, ...Action[]]][] = [
  ["write", ["EIO", "ENOSPC", "EDQUOT", "short"]],
  ["sync", ["EIO", "ENOSPC", "EDQUOT", "EIO-after"]],
  ["truncate", ["EIO", "ENOSPC"]],
  ["rename", ["EIO", "EACCES", "ENOSPC", "EROFS", "EBUSY", "EIO-after"]],
  ["open", ["EIO", "EMFILE", "ENFILE", "ENOSPC", "EACCES", "EROFS", "ENOMEM"]],
  ["close", ["EIO", "EINTR"]],
  ["read", ["EIO", "ESTALE"]],
  ["stat", ["EIO", "ESTALE"]],
  ["unlink", ["EIO", "EPERM"]],
  ["link", ["EIO", "EPERM", "EIO-after"]],
  ["lock", ["ENOLCK", "EIO"]],
  ["chmod", ["EPERM"]],
  ["chown", ["EPERM"]],
  ["access", ["EIO"]],
];

/**
 * What the round of this number does: the same for the same seed.
 *
 * @param paths those of the token files, as a pattern
 * @param calls how many calls of each mode match it, in a run without faults
 */
export function planOf(
  seed: string,
  round: number,
  paths: string,
  calls: ReadonlyMap<Mode, number>,
): Plan {
  const random = new Random(`${seed}/${round}`);
  const family = familyOf(random);
  const isRequest = family === "endpoint" || family === "edit" || family === "planted";
  // There each account has a fault of its own; a call is one of a single account.
  const crowds = isRequest ? 0.5 : family === "call" || family === "callKill" ? 0 : 0.2;
  const isCrowd = random.chance(crowds);
  const mode = isCrowd ? "keep" : random.pick<Mode>(["get", "show", "refresh", "keep", "run"]);
  const where = { round, paths, calls: calls.get(mode) ?? 50 };
  const processes = isCrowd || random.chance(0.75) ? 1 : 2 + random.below(5);
  return {
    round,
    mode,
    accounts: isCrowd ? 24 : 1,
    processes,
    isVerbose: random.chance(0.3),
    proves: random.chance(0.5),
    isOver: mode !== "get" || random.chance(0.5),
    requests: isRequest ? family : undefined,
    program: isRequest ? undefined : programFault(family, random, where),
    refusals: family === "endpoint" && random.chance(0.1) ? 1 + random.below(processes) : 0,
  };
}

type RequestFamily = NonNullable<Plan["requests"]>;
type Family = RequestFamily | ProgramFault["is"] | "callKill";

/** Of which calls a program fault may choose one. */
interface Where {
  readonly round: number;
  readonly paths: string;
  readonly calls: number;
}

function familyOf(random: Random): Family {
  const weights: readonly (readonly [Family, number])[] = [
    ["endpoint", 14],
    ["edit", 14],
    ["signal", 14],
    ["callKill", 30],
    ["call", 18],
    ["stop", 5],
    ["clock", 2],
    ["fullDisk", 2],
    ["planted", 1],
  ];
  const all = weights.flatMap(([family, weight]) => Array<Family>(weight).fill(family));
  return all[random.below(all.length)] ?? "signal";
}

function programFault(
  family: Exclude<Family, RequestFamily>,
  random: Random,
  where: Where,
): ProgramFault {
  switch (family) {
    case "callKill":
      return { is: "call", rule: killAtCall(random, where) };
    case "call":
      return { is: "call", rule: failingCall(random, where) };
    case "stop": {
      const seconds = random.pick([45, 61, 90, 3600, 90_000]);
      return { is: "stop", seconds, monotonic: random.chance(0.75) };
    }
    case "clock": {
      const seconds = random.pick([-86_400, -3600, 600, 3600, 86_400, 31_536_000]);
      return { is: "clock", seconds, step: random.pick(["begun", "asked"]) };
    }
    case "fullDisk": {
      const step = random.pick(["begun", "asked", "replaced"]);
      return { is: "fullDisk", free: random.pick([0, 0, 1, 7, 8, 9, 17]), step };
    }
    case "signal": {
      const signal = random.chance(0.8) ? "SIGKILL" : random.pick(["SIGTERM", "SIGINT"]);
      const step = random.pick(["begun", "asked", "replaced", "answered", "answered"]);
      return { is: "signal", signal, at: { step, ms: random.next() ** 2 * 400 } };
    }
  }
}

function killAtCall(random: Random, { round, paths, calls }: Where): FaultRule {
  const action = random.pick(["kill", "kill-after", "kill-within"]);
  // What arrives from the network are moments too.
  if (random.chance(0.15)) {
    return { call: "read", path: "socket:*", action, after: random.below(30), times: 1 };
  }
  const call = action === "kill-within" ? "write" : "*";
  // By steps of the golden ratio, so that every call has its turn.
  const after = Math.floor(((round * 0.618034) % 1) * (call === "*" ? calls + 5 : 6));
  return { call, path: paths, action, after, times: 1 };
}

function failingCall(random: Random, { paths }: Where): FaultRule {
  const [call, actions] = failures[random.below(failures.length)] ?? ["sync", ["EIO"]];
  const action = random.pick(actions);
  const times = random.chance(0.6) ? 1 : -1;
  // Where every file is concerned, a run may not even begin.
  const isEverywhere = call === "open" && random.chance(0.2);
  const path = isEverywhere ? "*" : paths;
  return { call, path, action, after: random.below(isEverywhere ? 400 : 8), times };
}

/** What a fault of the program is counted as. */
export function nameOf(fault: ProgramFault): string {
  switch (fault.is) {
    case "signal":
      return `${fault.signal === "SIGKILL" ? "kill -9" : fault.signal} after it was ${fault.at.step}`;
    case "call": {
      const { call, action, path } = fault.rule;
      if (action.startsWith("kill"))
        return `kill -9 at a call: ${action} ${path === "socket:*" ? "of the network" : ""}`.trim();
      return `disk: ${call} ${action}${path === "*" ? " anywhere" : ""}`;
    }
    case "stop":
      return fault.monotonic ? `stopped for ${fault.seconds} s` : "suspended";
    case "clock":
      return `clock: ${fault.seconds} s when ${fault.step}`;
    case "fullDisk":
      return `disk: full when ${fault.step}`;
  }
}
