import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import vm from "node:vm";
import { codeFileOf, directoryOfCode, doubled, root } from "./code-cache.ts";
import { type RehearsalServers, startServers } from "./rehearsal-servers.ts";

// Run when the program is built or installed, for the Node that is there: has the program do what it does most
// often, with servers of this very process, and keeps what V8 has compiled for it.

async function makeAll(): Promise<void> {
  const home = mkdtempSync(join(tmpdir(), "mxtoken-code-cache-"));
  const tidyUp = () => rmSync(home, { recursive: true, force: true });
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.once(signal, () => {
      tidyUp();
      process.exit(1);
    });
  }
  try {
    // Another Node's is of no use.
    rmSync(directoryOfCode, { recursive: true, force: true });
    makeDirectory(dirname(directoryOfCode));
    makeDirectory(directoryOfCode);
    await run(home, [join(root, "cli.js"), "cert", "--home", home]);
    await rehearse(home);
  } finally {
    tidyUp();
  }
}

/** For everybody to read, whatever the umask is, and for nobody else to write. */
function makeDirectory(path: string): void {
  mkdirSync(path, { recursive: true });
  chmodSync(path, 0o755);
}

async function rehearse(home: string): Promise<void> {
  storeToken(home);
  const certificate = join(home, "certs", "localhost.crt");
  const key = readFileSync(join(home, "certs", "localhost.key"));
  const servers = await startServers({ cert: readFileSync(certificate), key });
  try {
    const account = accountAt(servers, home, certificate);
    // A file is kept as the first of them has left it: with more in it, it takes longer to read.
    const mostOften = ["show", "foo@example.com", "--home", home];
    for (const words of [mostOften, account, ["show", "--nocache", ...account], ["--help"]]) {
      await run(home, [__filename, ...words]);
    }
  } finally {
    servers.close();
  }
}

function accountAt(servers: RehearsalServers, home: string, certificate: string): string[] {
  const { imapPort, tokenPort } = servers;
  return [
    ...["foo@example.com", "--home", home, "--ca-file", certificate, "--provider", "google"],
    ...["--client-id", "rehearsal", "--token-uri", `https://localhost:${tokenPort}/token`],
    ...["--imap-server", `localhost:${imapPort}`],
  ];
}

/** One that is still good. */
function storeToken(home: string): void {
  const tokens = join(home, "tokens");
  mkdirSync(tokens, { mode: 0o700 });
  const expires = new Date(Date.now() + 3_600_000).toISOString();
  const text = `access\nrefresh\n# Expires: ${expires}\n`;
  writeFileSync(join(tokens, "oauth2_tokens_foo@example.com.txt"), text, { mode: 0o600 });
}

/** What a run takes at most, ms. */
const longest = 60_000;

async function run(home: string, words: readonly string[]): Promise<void> {
  const env = { HOME: home };
  const child = spawn(process.execPath, words, {
    cwd: home,
    stdio: ["ignore", "ignore", "pipe"],
    env,
    timeout: longest,
  });
  let told = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    told += text;
  });
  const [status] = await once(child, "close");
  if (status !== 0) throw new Error(`${words.join(" ")} ended with status ${status}: ${told}`);
}

/** Runs the program in this process, and keeps at its end what was compiled. */
function makeFor(words: readonly string[]): void {
  const scripts: [string, vm.Script][] = [];
  const Compiled = vm.Script;
  vm.Script = class extends Compiled {
    constructor(text: string, options: vm.ScriptOptions & { filename: string }) {
      super(text, options);
      scripts.push([options.filename, this]);
    }
  };
  process.on("exit", () => {
    for (const [path, script] of scripts) {
      const kept = codeFileOf(path.slice(root.length + 1));
      if (!existsSync(kept)) keep(kept, doubled(script.createCachedData()));
    }
  });
  process.argv = [process.execPath, join(root, "cli.js"), ...words];
  require(join(root, "load.js"));
}

/** Whoever runs the program meanwhile, or after the machine has lost its power, finds all of it or nothing. */
function keep(path: string, code: Buffer): void {
  const half = join(dirname(path), `.${process.pid}`);
  writeFileSync(half, code, { flush: true });
  chmodSync(half, 0o644);
  renameSync(half, path);
}

const words = process.argv.slice(2);
if (words.length > 0) makeFor(words);
else {
  makeAll().catch((error: unknown) => {
    // It does the same without, and takes longer.
    console.error(`mxtoken: V8's code cache was not made: ${error}`);
  });
}
