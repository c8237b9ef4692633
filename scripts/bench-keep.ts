// npm run bench: how long `mxtoken keep` takes for many accounts, how much CPU and memory, and for how long
// its event loop stands still, beside a bare program that does the same steps. Everything is on loopback;
// it measures and judges nothing. The arguments are numbers of accounts.
//
// For whoever works on it: BENCH_PARTS=rounds,latency,outage,order,list,idle; BENCH_RUNS=1;
// BENCH_PLACES=/dev/shm; BENCH_TRUST=--ca-file; BENCH_NODE_FLAGS="--cpu-prof".
import { existsSync, statfsSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { cpuOf, MeasuredProgram, type Usage } from "./bench-keep/measured-program.ts";
import { concurrency, delay, type Scene, setScene, type Trust } from "./bench-keep/scene.ts";
import { machine, median } from "./measure.ts";

const given = process.argv.slice(2).map(Number);
const sizes = given.length === 0 ? [1000, 10_000] : given;
const most = Math.max(...sizes);
const parts = (process.env["BENCH_PARTS"] ?? "rounds,latency,outage,order,idle").split(",");
const runs = Number(process.env["BENCH_RUNS"] ?? 1);
const trust: Trust = process.env["BENCH_TRUST"] === "--ca-file" ? "--ca-file" : "environment";
const nodeFlags = (process.env["BENCH_NODE_FLAGS"] ?? "").split(" ").filter((flag) => flag !== "");
const usualPlaces = [...(existsSync("/dev/shm") ? ["/dev/shm"] : []), tmpdir()];
const places = new Set(process.env["BENCH_PLACES"]?.split(",") ?? usualPlaces);
/** how long idle accounts are watched, and refreshes that come one by one; ms */
const watched = 60_000;
/** of an hourly token's life, at which it is refreshed: next to a half, and no two at the same time */
const share = 0.49;
const hour = 3_600_000;

const ended = () => ({ expires: Date.now() - 60_000 });
const fresh = () => ({ expires: Date.now() + 2 * hour });

/** One round of refreshes: every account's token was due. */
interface Round {
  /** ms, from the first request at the endpoint to the last token that is told to be stored */
  readonly wall: number;
  /** microseconds for each refresh, of the process and of its main thread */
  readonly cpu: number;
  readonly main: number;
}

interface Rounds {
  readonly first: Round;
  /** means of rounds two and three */
  readonly later: Round;
  readonly end: Usage;
  readonly stall: number;
}

async function roundsOf(who: "keep" | "bare", place: string, accounts: number): Promise<Rounds> {
  const scene = await setScene(place, accounts, ended, { trust });
  const flags = who === "keep" ? nodeFlags : [];
  let begun = scene.firstRequest();
  const program = new MeasuredProgram(scene[who], { nodeFlags: flags });
  try {
    const rounds: Round[] = [];
    let stall = 0;
    let before: Usage | undefined;
    for (let round = 1; round <= 3; round += 1) {
      if (before !== undefined) {
        begun = scene.firstRequest();
        program.passHour();
      }
      const end = program.refreshed(round * accounts);
      const wall = (await end) - (await begun);
      const after = await program.usage();
      stall = Math.max(stall, after.stall);
      const each = (value: (usage: Usage) => number) =>
        (value(after) - (before === undefined ? 0 : value(before))) / accounts;
      rounds.push({ wall, cpu: each(cpuOf), main: each(({ main }) => main) });
      before = after;
    }
    const end = await program.stop();
    const [first, second, third] = rounds;
    if (first === undefined || second === undefined || third === undefined) throw new Error();
    const mean = (name: keyof Round) => (second[name] + third[name]) / 2;
    const later = { wall: mean("wall"), cpu: mean("cpu"), main: mean("main") };
    return { first, later, end, stall };
  } finally {
    program.kill();
    await scene.close();
  }
}

async function measureRounds(): Promise<void> {
  for (const place of places) {
    console.log(`\nrounds of refreshes, token files on ${fileSystemOf(place)}:`);
    console.log(row(["accounts", "round", "", "wall", "CPU", "main thread", "peak", "stall"]));
    for (const accounts of sizes) {
      const all: Record<"keep" | "bare", Rounds[]> = { keep: [], bare: [] };
      // By turns, so that a busy moment of the machine does not fall on one of them alone.
      for (let run = 0; run < (accounts > 2000 ? 1 : runs); run += 1) {
        for (const who of ["bare", "keep"] as const) {
          all[who].push(await roundsOf(who, place, accounts));
        }
      }
      printRounds(accounts, all);
    }
  }
}

function printRounds(accounts: number, all: Record<"keep" | "bare", Rounds[]>): void {
  for (const when of ["first", "later"] as const) {
    const of = (who: "keep" | "bare", name: keyof Round) =>
      median(all[who].map((one) => one[when][name]));
    const name = when === "first" ? "1" : "2 and 3";
    for (const who of ["bare", "keep"] as const) {
      const ends = all[who].map(({ end }) => end.peak);
      console.log(
        row([
          ...[String(accounts), name, who === "keep" ? "mxtoken keep" : "bare program"],
          ...[seconds(of(who, "wall")), micros(of(who, "cpu")), micros(of(who, "main"))],
          mebibytes(Math.max(...ends)),
          `${Math.max(...all[who].map(({ stall }) => stall)).toFixed(0)} ms`,
        ]),
      );
    }
    const ratio = (one: keyof Round) => `${(of("keep", one) / of("bare", one)).toFixed(2)} ×`;
    console.log(row(["", "", "", ratio("wall"), ratio("cpu"), ratio("main")]));
  }
}

/** Hourly tokens that come due one by one, as they do in the middle of a day. */
async function measureLatency(): Promise<void> {
  const perSecond = most / (hour / 2 / 1000);
  const count = Math.floor((watched / 1000) * perSecond);
  for (const place of places) {
    // All of them are written, and looked at for the first time, before the first is due.
    const begin = Date.now() + 10_000 + most;
    const due = (index: number) => Math.round((begin + (index * 1000) / perSecond) / 10) * 10;
    const lifeOf = (index: number) => (index < count ? lifeDue(due(index)) : fresh());
    const extra = ["--refresh-at", `${share * 100}%`];
    const scene = await setScene(place, most, lifeOf, { trust, extra });
    const program = new MeasuredProgram(scene.keep, { chance: 0, nodeFlags });
    try {
      await program.refreshed(count);
      const took = Array.from({ length: count }, (_, index) => {
        return statSync(scene.pathOf(index)).ctimeMs - due(index);
      }).sort((a, b) => a - b);
      const at = (part: number) => `${(took[Math.floor((count - 1) * part)] ?? 0).toFixed(0)} ms`;
      console.log(
        `\n${most} accounts, ${perSecond.toFixed(1)} refreshes a second on ${fileSystemOf(place)}, from due until stored: p50 ${at(0.5)}, p99 ${at(0.99)}`,
      );
      await program.stop();
    } finally {
      program.kill();
      await scene.close();
    }
  }
}

/** A life of an hour, or a few seconds more, of which the share is over at a time; whole seconds. */
function lifeDue(at: number): { issued: number; expires: number } {
  for (let seconds = hour / 1000; ; seconds += 1) {
    const wait = Math.round(seconds * share * 1000);
    if ((at - wait) % 1000 !== 0) continue;
    const issued = at - wait;
    return { issued, expires: issued + seconds * 1000 };
  }
}

/**
 * The endpoint is away for an hour, until every token has ended. The last to be fresh are those that had
 * failed at the very moment when it came back, and wait for their next try.
 */
async function measureOutage(): Promise<void> {
  for (const place of places) {
    const scene = await setScene(place, most, ended, { trust });
    scene.ask("be away");
    const program = new MeasuredProgram(scene.keep, { nodeFlags });
    try {
      await scene.counted("requests", most);
      scene.ask("be there");
      const first = scene.firstRequest();
      const back = Date.now();
      program.passHour();
      const wait = (await first) - back;
      // What many of them come to is told in one line: so the endpoint counts.
      await scene.counted("granted", most);
      const until = Date.now() - back;
      console.log(
        `\nafter an hour without the endpoint, on ${fileSystemOf(place)}: asked after ${seconds(wait)}, all ${most} fresh after ${seconds(until)}`,
      );
      await program.stop();
    } finally {
      program.kill();
      await scene.close();
    }
  }
}

/** One account of very many has an ended token, and stands last in the list. */
async function measureOrder(): Promise<void> {
  const accounts = 5 * most;
  const lifeOf = (index: number) => (index === accounts - 1 ? ended() : fresh());
  const waits: number[] = [];
  const scene = await setScene(tmpdir(), accounts, lifeOf, { trust });
  try {
    for (let run = 0; run < runs; run += 1) waits.push(await firstAfterStart(scene));
  } finally {
    await scene.close();
  }
  console.log(
    `\n${accounts} accounts, of which the last has an ended token: asked for ${seconds(median(waits))} after the start`,
  );
}

async function firstAfterStart(scene: Scene): Promise<number> {
  const first = scene.firstRequest();
  // The answer is none: so the token is an ended one also in the next run.
  scene.ask("be away");
  const start = Date.now();
  const program = new MeasuredProgram(scene.keep, { nodeFlags });
  try {
    return (await first) - start;
  } finally {
    program.kill();
  }
}

/** The list is read again. */
async function measureList(): Promise<void> {
  const accounts = 5 * most;
  const scene = await setScene(tmpdir(), accounts, fresh, { trust });
  const program = new MeasuredProgram(scene.keep, { nodeFlags });
  try {
    await program.begun();
    const before = await program.quiet();
    program.hangUp();
    const after = await program.quiet();
    await program.stop();
    console.log(
      `\n${accounts} accounts: SIGHUP takes ${seconds((cpuOf(after) - cpuOf(before)) / 1000)} of CPU, peak memory ${mebibytes(before.peak)} before, ${mebibytes(after.peak)} after`,
    );
  } finally {
    program.kill();
    await scene.close();
  }
}

async function measureIdle(): Promise<void> {
  const scene = await setScene(tmpdir(), most, fresh, { trust });
  const program = new MeasuredProgram(scene.keep, { watchesLoop: false, nodeFlags });
  try {
    await program.begun();
    // At first it looks at every file.
    const before = await program.quiet();
    await new Promise((resolve) => setTimeout(resolve, watched));
    const after = await program.usage();
    await program.stop();
    const part = (cpuOf(after) - cpuOf(before)) / 1000 / watched;
    console.log(
      `\n${most} accounts, idle for a minute: ${mebibytes(after.rss)}, peak ${mebibytes(after.peak)}, ${(part * 100).toFixed(2)} % of a core`,
    );
  } finally {
    program.kill();
    await scene.close();
  }
}

const fileSystems = new Map([
  [0xef53, "ext4"],
  [0x01021994, "tmpfs"],
  [0x58465342, "xfs"],
  [0x9123683e, "btrfs"],
  [0x794c7630, "overlayfs"],
]);

function fileSystemOf(path: string): string {
  const { type } = statfsSync(path);
  return fileSystems.get(type) ?? `file system 0x${type.toString(16)}`;
}

const columns = [8, 9, 14, 10, 10, 13, 10, 8];

function row(cells: readonly string[]): string {
  return cells.map((cell, index) => cell.padStart(columns[index] ?? 0)).join("");
}

const mebibytes = (bytes: number) => `${(bytes / 1024 ** 2).toFixed(0)} MiB`;
const seconds = (ms: number) => `${(ms / 1000).toFixed(2)} s`;
const micros = (value: number) => `${value.toFixed(0)} µs`;

console.log(machine());
console.log(
  `mxtoken keep, ${concurrency} at once, an endpoint that answers after ${delay} ms; CPU is of one refresh`,
);
const all = {
  rounds: measureRounds,
  latency: measureLatency,
  outage: measureOutage,
  order: measureOrder,
  list: measureList,
  idle: measureIdle,
};
for (const [name, measure] of Object.entries(all)) if (parts.includes(name)) await measure();
