// npm run bench: what a run of the built program takes, beside an empty run of Node and beside other programs
// that do the same jobs. Everything is on loopback; it measures and judges nothing, but ends where a run has
// not done its job. BENCH_RUNS=3 is for whoever works on it.
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { rootCertificates } from "node:tls";
import { fileURLToPath } from "node:url";
import { programPath } from "../test/scene/program.ts";
import { setScene, tokenFileText, user } from "../test/scene/scene.ts";
import { isInstalled, type Peer, peers } from "./bench-peers.ts";
import { machine, median } from "./measure.ts";

const runs = Number(process.env["BENCH_RUNS"] ?? 20);

interface Job {
  readonly title: string;
  readonly refreshes: boolean;
  readonly logsIn: boolean;
}

const start: Job = { title: "start", refreshes: false, logsIn: false };
const stored: Job = { title: "a stored token", refreshes: false, logsIn: false };
const refresh: Job = { title: "a refresh", refreshes: true, logsIn: false };
const login: Job = { title: "a refresh and a login by IMAP", refreshes: true, logsIn: true };

/** One run. */
interface Usage {
  /** ms, user and system, with every process that it waited for */
  readonly cpu: number;
  /** ms */
  readonly wall: number;
  /** KiB, the largest resident set of any of its processes */
  readonly peak: number;
}

interface Row {
  readonly job: Job;
  readonly name: string;
  readonly command: readonly string[];
  /** whose new tokens are looked for after a run */
  readonly file: string;
  /** whether standard output is the access token */
  readonly printsToken: boolean;
  /** why it is left out */
  readonly leftOut?: string;
  readonly usages: Usage[];
}

const scene = await setScene();
const peerFile = join(scene.directory, "peers", "tokens.json");
const authorities = join(scene.directory, "authorities.pem");
const usageProgram = join(scene.directory, "usage");
/** Nothing of the caller's: a NODE_EXTRA_CA_CERTS takes Node longer to read than all of an empty run. */
const env = {
  // Where Debian's packages are, and no other version of Python or Perl.
  PATH: "/usr/bin:/bin",
  HOME: scene.directory,
  // Whoever reads the first trusts as many authorities as on any machine, and the scene's, as Node and
  // mxtoken do: with one alone, a quarter of a refresh would be missing.
  SSL_CERT_FILE: authorities,
  EXTRA_CA_FILE: scene.certificates.caFile,
};

try {
  mkdirSync(dirname(peerFile));
  writeFileSync(authorities, [...rootCertificates, scene.certificates.ca].join("\n"));
  const source = fileURLToPath(new URL("bench-peers/usage.c", import.meta.url));
  execFileSync("cc", ["-O2", "-o", usageProgram, source]);
  const rows = [...ourRows(), ...peers.flatMap(rowsOf)];
  const [base, ...others] = rows.filter(({ leftOut }) => leftOut === undefined);
  if (base === undefined) throw new Error("there is nothing to compare with");
  // By turns, so that a busy moment of the machine does not fall on one of them alone, and the base beside
  // each, because every factor goes by it. The first turn fills the caches of the system.
  for (let turn = 0; turn <= runs; turn += 1) {
    for (const row of others.flatMap((other) => [base, other])) {
      const usage = await runOnce(row);
      if (turn > 0) row.usages.push(usage);
    }
  }
  show(rows);
} finally {
  await scene.close();
}

function ourRows(): Row[] {
  const row = (job: Job, name: string, args: readonly string[], printsToken = true) => ({
    ...{ job, name, command: [process.execPath, ...args] },
    ...{ file: scene.tokenFile, printsToken, usages: [] },
  });
  const show = [programPath, "show", user];
  return [
    row(start, "node -e 0", ["-e", "0"], false),
    row(start, "mxtoken --version", [programPath, "--version"], false),
    row(stored, "mxtoken show", [...show, "--home", scene.directory]),
    row(refresh, "mxtoken show", [...show, ...scene.options]),
    row(login, "mxtoken ADDRESS", [programPath, user, ...scene.options], false),
  ];
}

function rowsOf(peer: Peer): Row[] {
  const isMissing = !isInstalled(peer, env);
  return [stored, refresh, login].map((job) => ({
    ...{ job, name: peer.name, file: peerFile, printsToken: true, usages: [] },
    command: [...peer.command, peerFile, ...(job.logsIn ? [String(scene.imap.port)] : [])],
    ...(isMissing ? { leftOut: `not installed (in Debian: ${peer.packages})` } : {}),
    ...(job.logsIn && !peer.canLogIn ? { leftOut: "has no login of its own" } : {}),
  }));
}

/** @throws Error where the job was not done */
async function runOnce(row: Row): Promise<Usage> {
  const { job, command } = row;
  writeTokens(job);
  const { requests } = scene.endpoint;
  const { logins } = scene.imap;
  requests.length = 0;
  logins.length = 0;
  const child = spawn(usageProgram, command, {
    stdio: ["ignore", "pipe", "pipe", "pipe"],
    cwd: scene.directory,
    env,
  });
  const written = (descriptor: 1 | 2 | 3) => text(child.stdio[descriptor] as Readable);
  const everything = [written(1), written(2), written(3)] as const;
  const [[status], printed, said, told] = await Promise.all([once(child, "close"), ...everything]);
  const { current, secrets } = scene.account;
  const accessToken = job.refreshes ? (secrets.at(-1) ?? "") : "access-0";
  const tokens = readFileSync(row.file, "utf8");
  const isDone =
    status === 0 &&
    tokens.includes(accessToken) &&
    tokens.includes(current) &&
    (!row.printsToken || printed === `${accessToken}\n`) &&
    requests.length === Number(job.refreshes) &&
    logins.map(({ token }) => token).join() === (job.logsIn ? accessToken : "");
  if (!isDone) throw new Error(`not done, status ${status}: ${command.join(" ")}\n${said}`);
  const [cpu = 0, wall = 0, peak = 0] = told.split(" ").map(Number);
  return { cpu: cpu / 1000, wall: wall / 1000, peak };
}

/** The files of mxtoken and of its peers, as an earlier run would have left them. */
function writeTokens(job: Job): void {
  const { current } = scene.account;
  const expiresAt = Date.now() + (job.refreshes ? -60_000 : 3_600_000);
  scene.write(
    tokenFileText("access-0", current, {
      Issued: new Date(expiresAt - 3_600_000).toISOString(),
      Expires: new Date(expiresAt).toISOString(),
    }),
  );
  // The form of getmail's helper.
  const tokens = {
    user,
    ...{ access_token: "access-0", refresh_token: current, expires_at: expiresAt / 1000 },
    ...{ client_id: "test-client", client_secret: "test-secret", token_uri: scene.endpoint.uri },
  };
  rmSync(`${peerFile}.new`, { force: true });
  writeFileSync(peerFile, JSON.stringify(tokens), { mode: 0o600 });
}

function show(rows: readonly Row[]): void {
  const today = new Date().toISOString().slice(0, 10);
  console.log(`${machine()}; ${today}; medians of ${runs} runs\n`);
  const line = (name: string, ...cells: string[]) => {
    const widths = [9, 8, 12, 8, 14];
    console.log(name.padEnd(30) + cells.map((cell, at) => cell.padStart(widths[at] ?? 0)).join(""));
  };
  line("", "CPU", "", "wall", "", "peak memory");
  const of = (row: Row | undefined, key: keyof Usage) =>
    median(row?.usages.map((usage) => usage[key]) ?? []);
  const factor = (row: Row, key: "cpu" | "wall") =>
    `${(of(row, key) / of(rows[0], key)).toFixed(1)} ×`;
  for (const job of [start, stored, refresh, login]) {
    console.log(job.title);
    for (const row of rows.filter((each) => each.job === job)) {
      const name = `  ${row.name}`;
      if (row.leftOut !== undefined) {
        console.log(`${name.padEnd(30)}left out: ${row.leftOut}`);
        continue;
      }
      const time = (key: "cpu" | "wall") => [`${of(row, key).toFixed(0)} ms`, factor(row, key)];
      line(name, ...time("cpu"), ...time("wall"), `${(of(row, "peak") / 1024).toFixed(0)} MiB`);
    }
  }
}
