// npm run bench: how long `mxtoken keep` takes for many accounts, how much memory, and for how long
// its event loop stands still. Everything is on loopback; it measures and judges nothing. The arguments
// are numbers of accounts.
import { type ChildProcess, fork, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { issueCertificates } from "../test/scene/certificates.ts";
import { programPath } from "../test/scene/program.ts";
import { tokenFileText } from "../test/scene/scene.ts";
import type { Told } from "./bench-token-endpoint.ts";
import { before, machine, median } from "./measure.ts";

const concurrency = 64;
const delay = 50;
const sizes = process.argv.slice(2).map(Number);
if (sizes.length === 0) sizes.push(100, 1000, 10_000);
// For whoever works on it: BENCH_RUNS=1, BENCH_IDLE=no, BENCH_NODE_FLAGS="--cpu-prof".
const runs = Number(process.env["BENCH_RUNS"] ?? 3);
const nodeFlags = (process.env["BENCH_NODE_FLAGS"] ?? "").split(" ").filter((flag) => flag !== "");
/** how long idle accounts are watched, in ms */
const watched = 60_000;
/** 10 ms are how often the event loop is looked at, and count as none of its delay */
const resolution = 10;

/**
 * Makes the program tell how it is, in a line on file descriptor 3, at SIGUSR2 and at its end; the stall
 * since it told before.
 */
const tellUsage = (watchesLoop: boolean) =>
  before(`
    import { writeSync } from "node:fs";
    import { monitorEventLoopDelay } from "node:perf_hooks";
    const loop = monitorEventLoopDelay({ resolution: ${resolution} });
    if (${watchesLoop}) loop.enable();
    const tell = () => {
      writeSync(3, JSON.stringify({
        cpu: process.cpuUsage(),
        rss: process.memoryUsage.rss(),
        peak: process.resourceUsage().maxRSS * 1024,
        stall: Math.max(0, loop.max / 1e6 - ${resolution}),
      }) + "\\n");
      loop.reset();
    };
    process.on("SIGUSR2", tell).on("exit", tell);`);

interface Usage {
  /** microseconds */
  readonly cpu: { readonly user: number; readonly system: number };
  /** bytes */
  readonly rss: number;
  readonly peak: number;
  /** ms */
  readonly stall: number;
}

/** A directory with a list of accounts, a token file for each, and the endpoint that refreshes them. */
interface Scene {
  readonly directory: string;
  /** ms since 1970; resolves when the first request has come */
  readonly firstRequestAt: Promise<number>;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  close(): Promise<void>;
}

async function setScene(parent: string, accounts: number, expiresAt: number): Promise<Scene> {
  const directory = mkdtempSync(join(parent, "mxtoken-bench-"));
  const certificates = await issueCertificates(directory);
  const keyFile = join(directory, "key.pem");
  const certFile = join(directory, "cert.pem");
  writeFileSync(keyFile, certificates.key);
  writeFileSync(certFile, certificates.cert);
  const names = Array.from({ length: accounts }, (_, index) => `user${index}@example.test`);
  const list = join(directory, "accounts.txt");
  writeFileSync(list, `${names.join("\n")}\n`);
  mkdirSync(join(directory, "tokens"));
  for (const [index, name] of names.entries()) {
    const text = tokenFileText(`access-${index}-0`, `refresh-${index}-0`, {
      Account: name,
      Expires: new Date(expiresAt).toISOString(),
    });
    writeFileSync(join(directory, "tokens", `oauth2_tokens_${name}.txt`), text, { mode: 0o600 });
  }
  const program = fileURLToPath(new URL("bench-token-endpoint.ts", import.meta.url));
  const endpoint = fork(program, [keyFile, certFile, String(delay)], {
    execArgv: ["--import", "tsx"],
  });
  const [told] = (await once(endpoint, "message")) as [Told];
  if (!("port" in told)) throw new Error("the token endpoint does not listen");
  const firstRequestAt = new Promise<number>((resolve) => {
    endpoint.on("message", (message: Told) => {
      if ("firstRequestAt" in message) resolve(message.firstRequestAt);
    });
  });
  return {
    directory,
    firstRequestAt,
    args: [
      ...[programPath, "keep", "--list", list, "--home", directory, "--verify", "none"],
      ...["--concurrency", String(concurrency)],
      ...["--provider", "google", "--client-id", "test-client", "--scope", "mail"],
      ...["--authorize-uri", "https://localhost/authorize"],
      ...["--token-uri", `https://localhost:${told.port}/token`],
    ],
    env: { ...process.env, NODE_EXTRA_CA_CERTS: certificates.caFile },
    async close() {
      endpoint.disconnect();
      await once(endpoint, "exit");
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** `mxtoken keep` as a child process. */
class Program {
  readonly #child: ChildProcess;
  readonly #usages: ((usage: Usage) => void)[] = [];
  #last: Usage | undefined;
  #lines = 0;
  #rest = "";
  #written = "";
  #onLine: () => void = () => undefined;

  constructor({ args, env }: Scene, watchesLoop: boolean) {
    this.#child = spawn(
      process.execPath,
      [...nodeFlags, "--import", tellUsage(watchesLoop), ...args],
      {
        stdio: ["ignore", "ignore", "pipe", "pipe"],
        env,
      },
    );
    this.#child.stderr?.setEncoding("utf8").on("data", (chunk: string) => {
      const lines = (this.#rest + chunk).split("\n");
      this.#rest = lines.pop() ?? "";
      this.#written = lines.at(-1) ?? this.#written;
      this.#lines += lines.filter((line) => line.includes(": a new token, ")).length;
      this.#onLine();
    });
    let told = "";
    this.#child.stdio[3]?.on("data", (chunk: Buffer) => {
      told += chunk;
      const lines = told.split("\n");
      told = lines.pop() ?? "";
      for (const line of lines) {
        this.#last = JSON.parse(line) as Usage;
        this.#usages.shift()?.(this.#last);
      }
    });
  }

  /** Resolves when it has told of as many new tokens; with the time, ms since 1970. */
  async refreshed(count: number): Promise<number> {
    await new Promise<void>((resolve, reject) => {
      this.#onLine = () => {
        if (this.#lines >= count) resolve();
      };
      this.#child.once("exit", () => reject(new Error(`it ended: ${this.#written}`)));
      this.#onLine();
    });
    return Date.now();
  }

  /** Resolves when it has begun. */
  async begun(): Promise<void> {
    if (this.#written === "") await once(this.#child.stderr ?? this.#child, "data");
  }

  async usage(): Promise<Usage> {
    const usage = new Promise<Usage>((resolve) => this.#usages.push(resolve));
    this.#child.kill("SIGUSR2");
    return usage;
  }

  /** Ends it at once, whatever it is about; does nothing after its end. */
  kill(): void {
    this.#child.kill("SIGKILL");
  }

  /** @returns what it had used by its end */
  async stop(): Promise<Usage> {
    const closed = once(this.#child, "close");
    this.#child.kill("SIGTERM");
    await closed;
    if (this.#last === undefined) throw new Error(`it told nothing: ${this.#written}`);
    return this.#last;
  }
}

interface Refreshed {
  /** ms, from the first request at the endpoint to the last token that is told to be stored */
  readonly wall: number;
  readonly cpu: number;
  readonly usage: Usage;
  /** ms, until the first request: the program is being loaded, and then the list */
  readonly firstStall: number;
}

async function refreshAll(parent: string, accounts: number): Promise<Refreshed> {
  const scene = await setScene(parent, accounts, Date.now() - 60_000);
  const program = new Program(scene, true);
  try {
    const refreshed = program.refreshed(accounts);
    const begin = await scene.firstRequestAt;
    const { stall: firstStall } = await program.usage();
    const wall = (await refreshed) - begin;
    const usage = await program.stop();
    return { wall, cpu: cpuOf(usage), usage, firstStall };
  } finally {
    program.kill();
    await scene.close();
  }
}

interface Idle {
  /** bytes, after a minute */
  readonly rss: number;
  readonly peak: number;
  /** of one core, from 0 to 1 */
  readonly cpuShare: number;
}

async function idle(parent: string, accounts: number): Promise<Idle> {
  const scene = await setScene(parent, accounts, Date.now() + 7_200_000);
  const program = new Program(scene, false);
  try {
    await program.begun();
    // At first it looks at every file.
    let used = await program.usage();
    for (;;) {
      await sleep(1000);
      const now = await program.usage();
      const isQuiet = cpuOf(now) - cpuOf(used) < 20;
      used = now;
      if (isQuiet) break;
    }
    await sleep(watched);
    const after = await program.usage();
    await program.stop();
    const cpuShare = (cpuOf(after) - cpuOf(used)) / watched;
    return { rss: after.rss, peak: after.peak, cpuShare };
  } finally {
    program.kill();
    await scene.close();
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** ms */
function cpuOf({ cpu }: Usage): number {
  return (cpu.user + cpu.system) / 1000;
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

const columns = [10, 11, 9, 7, 8, 13, 8, 10];

function row(cells: readonly string[]): string {
  return cells.map((cell, index) => cell.padStart(columns[index] ?? 0)).join("");
}

const mebibytes = (bytes: number) => `${(bytes / 1024 ** 2).toFixed(0)} MiB`;
const seconds = (ms: number) => `${(ms / 1000).toFixed(2)} s`;

console.log(machine());
console.log(
  `mxtoken keep, ${concurrency} at once, an endpoint that answers after ${delay} ms; medians of ${runs} runs`,
);
const places = new Set([tmpdir(), ...(existsSync("/dev/shm") ? ["/dev/shm"] : [])]);
for (const place of places) {
  console.log(`\ntoken files on ${fileSystemOf(place)}:`);
  console.log(
    row(["accounts", "refreshed", "floor", "ratio", "CPU", "peak memory", "stall", "at first"]),
  );
  for (const accounts of sizes) {
    const all: Refreshed[] = [];
    for (let run = 0; run < runs; run += 1) all.push(await refreshAll(place, accounts));
    const wall = median(all.map((one) => one.wall));
    const floor = (accounts * delay) / concurrency;
    console.log(
      row([
        String(accounts),
        seconds(wall),
        seconds(floor),
        `${(wall / floor).toFixed(2)} ×`,
        seconds(median(all.map(({ cpu }) => cpu))),
        mebibytes(Math.max(...all.map(({ usage }) => usage.peak))),
        `${Math.max(...all.map(({ usage }) => usage.stall)).toFixed(0)} ms`,
        `${Math.max(...all.map(({ firstStall }) => firstStall)).toFixed(0)} ms`,
      ]),
    );
  }
}
if (process.env["BENCH_IDLE"] !== "no") {
  console.log("\nidle for a minute:");
  for (const accounts of sizes) {
    const { rss, peak, cpuShare } = await idle(tmpdir(), accounts);
    const share = `${(cpuShare * 100).toFixed(2)} % of a core`;
    console.log(
      `${String(accounts).padStart(10)} accounts: ${mebibytes(rss)}, peak ${mebibytes(peak)}, ${share}`,
    );
  }
}
