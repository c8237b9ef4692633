// npm run bench: how long the built program takes, as ratios to an empty run of Node, and how much
// memory. Everything is on loopback; it measures and judges nothing.
import { spawn } from "node:child_process";
import { programPath } from "../test/scene/program.ts";
import { setScene, tokenFileText, user } from "../test/scene/scene.ts";
import { before, machine, median } from "./measure.ts";

const runs = 30;

/** What makes a run tell its peak memory, in KiB, through file descriptor 3. */
const tellMemory = before(
  'import{writeSync}from"node:fs";process.on("exit",()=>writeSync(3,String(process.resourceUsage().maxRSS)))',
);

const scene = await setScene();
const inAnHour = new Date(Date.now() + 3_600_000).toISOString();
scene.write(tokenFileText("access-0", scene.account.current, { Expires: inAnHour }));
try {
  const show = [programPath, "show", user, "--home", scene.directory];
  const refreshAndProve = [programPath, user, ...withoutCaFile(scene.options), "--quiet"];
  const names = [
    "node -e 0",
    "mxtoken show, a fresh token",
    "mxtoken --version",
    "refresh and prove on loopback",
  ] as const;
  const commands = [["-e", "0"], show, [programPath, "--version"], refreshAndProve];
  const times: number[][] = commands.map(() => []);
  // By turns, so that a busy moment of the machine does not fall on one of them alone. The first
  // turn fills the caches of the system.
  for (let turn = 0; turn <= runs; turn += 1) {
    for (const [index, args] of commands.entries()) {
      const { milliseconds } = await run(args);
      if (turn > 0) times[index]?.push(milliseconds);
    }
  }
  const [base = 0] = times.map(median);
  const memory = [];
  for (let turn = 0; turn < 5; turn += 1) {
    memory.push((await run(["--import", tellMemory, ...refreshAndProve])).peakKibibytes);
  }
  console.log(`${machine()}; medians of ${runs} runs\n`);
  times.forEach((all, index) => {
    const time = median(all);
    const row = [`${time.toFixed(0)} ms`.padStart(8), `${(time / base).toFixed(1)} ×`.padStart(7)];
    console.log(`${(names[index] ?? "").padEnd(32)}${row.join("")}`);
  });
  console.log(`peak memory of the last one     ${(Math.max(...memory) / 1024).toFixed(0)} MiB`);
} finally {
  await scene.close();
}

/** Most people have none, and with one, Node's own list of authorities is parsed anew. */
function withoutCaFile(options: readonly string[]): string[] {
  return options.toSpliced(options.indexOf("--ca-file"), 2);
}

/** Runs Node with these arguments. */
async function run(
  args: readonly string[],
): Promise<{ milliseconds: number; peakKibibytes: number }> {
  const start = process.hrtime.bigint();
  const child = spawn(process.execPath, args, {
    stdio: ["ignore", "ignore", "pipe", "pipe"],
    env: { ...process.env, NODE_EXTRA_CA_CERTS: scene.certificates.caFile },
  });
  let written = "";
  let peak = "";
  child.stderr?.setEncoding("utf8").on("data", (chunk: string) => {
    written += chunk;
  });
  child.stdio[3]?.on("data", (chunk: Buffer) => {
    peak += chunk;
  });
  const exited = new Promise<bigint>((resolve) => {
    child.once("exit", () => resolve(process.hrtime.bigint()));
  });
  const status = await new Promise((resolve) => child.once("close", resolve));
  if (status !== 0) throw new Error(`${args.join(" ")} ended with status ${status}: ${written}`);
  return {
    milliseconds: Number((await exited) - start) / 1e6,
    peakKibibytes: Number(peak),
  };
}
