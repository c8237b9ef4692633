// npm run torture -- [MINUTES] [--seed SEED] [--kind KIND] [--round NUMBER] [--lanes NUMBER]
//
// KIND: endpoint, edit, signal, call, stop, clock or fullDisk alone. --round plays one again, and shows what
// was said.
//
// Does to the built program whatever machines, disks, servers and people may do to it, at a token
// endpoint that rotates refresh tokens and revokes everything when a spent one comes back, and counts
// what becomes of the accounts. Ends with 1 when one was lost that need not have been, when a token was
// printed, or a file was torn.
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { temporaryDirectory } from "../test/scene/certificates.ts";
import { Judge } from "./torture/judge.ts";
import { Lane } from "./torture/lane.ts";
import { type Mode, type Plan, planOf } from "./torture/plan.ts";
import { Round } from "./torture/round.ts";
import { Tally } from "./torture/tally.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seed: { type: "string", default: randomBytes(4).toString("hex") },
    round: { type: "string" },
    kind: { type: "string" },
    lanes: { type: "string", default: "6" },
  },
});
const minutes = Number(positionals[0] ?? 1);
const { seed } = values;
const only = values.round === undefined ? undefined : Number(values.round);
const laneCount = only === undefined ? Number(values.lanes) : 1;
if (!(minutes > 0) || !(laneCount >= 1)) throw new Error("MINUTES and --lanes are numbers over 0");

const directory = temporaryDirectory();
const tally = new Tally();
const lanes: Lane[] = [];
/** how many calls for its files the program makes, for each way to call it */
const calls = new Map<Mode, number>();
let isStopped = false;
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => {
    isStopped = true;
  });
}

// Before the directory is removed.
process.prependOnceListener("exit", () => {
  for (const lane of lanes) lane.abandon();
});

console.log(`torture seed=${seed} minutes=${minutes}`);
try {
  for (let index = 0; index < laneCount; index += 1) {
    lanes.push(await Lane.open(join(directory, `lane-${index}`)));
  }
  await countCalls();
  const end = Date.now() + minutes * 60_000;
  const told = setInterval(() => console.error(tally.summary()), 60_000);
  let next = only ?? 0;
  await Promise.all(
    lanes.map(async (lane) => {
      do {
        const plan = planOf(seed, next, `${lane.home}/*`, calls);
        next += 1;
        if (isWanted(plan)) await play(lane, plan).catch((error) => fail(plan, error));
      } while (only === undefined && !isStopped && Date.now() < end);
    }),
  );
  clearInterval(told);
  console.log(`${next - (only ?? 0)} rounds`);
} finally {
  for (const lane of lanes) await lane.close();
}
report();

/** The rest goes on. */
function fail({ round }: Plan, error: unknown): void {
  tally.problem(round, `it could not be played: ${error instanceof Error ? error.stack : error}`);
}

function isWanted({ requests, program }: Plan): boolean {
  const { kind } = values;
  return kind === undefined || kind === requests || kind === program?.is;
}

async function play(lane: Lane, plan: Plan): Promise<void> {
  if (only !== undefined) console.log(JSON.stringify(plan, null, 1));
  const played = await new Round(lane, plan).play(seed);
  await new Judge(lane, played, tally).judge();
  tally.killPoint(plan);
  if (only === undefined) return;
  for (const [account, { name }] of played.requestFaults) console.log(account.address, name);
  for (const { run } of played.processes) console.log(run.written.stderr || run.written.stdout);
}

async function countCalls(): Promise<void> {
  const [lane] = lanes;
  if (lane === undefined) return;
  const base = {
    round: -1,
    accounts: 1,
    processes: 1,
    isVerbose: false,
    proves: true,
    isOver: true,
  };
  for (const mode of ["get", "show", "refresh", "keep", "run"] as const) {
    const plan = { ...base, mode, program: undefined, requests: undefined, refusals: 0 };
    const { processes } = await new Round(lane, plan).play(seed);
    calls.set(mode, processes[0]?.calls().length ?? 0);
  }
}

function report(): void {
  console.log(tally.lines().join("\n"));
  console.log(tally.examples().join("\n"));
  console.log(tally.killPoints(calls));
  console.log(`torture seed=${seed} minutes=${minutes}: ${tally.summary()}`);
  const isLost = tally.total("outside") > 0 || tally.problems > 0;
  if (isLost) console.log(`to repeat a round: npm run torture -- --seed ${seed} --round NUMBER`);
  process.exitCode = isLost ? 1 : 0;
}
