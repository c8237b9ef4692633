import { existsSync, lstatSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import { brotliDecompressSync, gunzipSync, inflateSync } from "node:zlib";
import type { Account, Grant } from "./account.ts";
import { Evidence } from "./evidence.ts";
import { clientSecret, type Lane } from "./lane.ts";
import { isKept, type Played } from "./round.ts";
import type { Fate, Tally } from "./tally.ts";

/** Judges a round: what must not be, and what has become of each account. */
export class Judge {
  readonly #lane: Lane;
  readonly #played: Played;
  readonly #tally: Tally;
  readonly #evidence: Evidence;
  #said = "";

  constructor(lane: Lane, played: Played, tally: Tally) {
    this.#lane = lane;
    this.#played = played;
    this.#tally = tally;
    this.#evidence = new Evidence(played.processes);
  }

  async judge(): Promise<void> {
    const { accounts, requestFaults, faults, plan } = this.#played;
    for (const name of faults) this.#tally.fault(name);
    for (const account of accounts) this.#checkFile(account);
    for (const { run } of this.#played.processes)
      this.#checkSaid(run.written.stdout, run.written.stderr);
    this.#lane.disk.clear();
    for (const [account, fault] of requestFaults) {
      const violation = fault.violation?.(account);
      if (violation !== undefined) this.#played.problems.push(`${violation} (${fault.name})`);
      fault.restore?.(account);
    }
    const wasAlive = new Set(this.#grants().filter(({ isAlive }) => isAlive));
    this.#measure();
    await this.#runAgain(accounts);
    for (const grant of this.#grants()) {
      const fate = await this.#fateOf(grant, wasAlive.has(grant));
      const kind = requestFaults.get(grant.account)?.name ?? faults[0];
      if (fate !== undefined) this.#tally.fate(kind ?? "none", fate, plan.round);
    }
    const cause = faults[0] ?? "no fault";
    for (const problem of this.#played.problems) {
      const isNamed = problem.endsWith(")");
      this.#tally.problem(plan.round, isNamed ? problem : `${problem} (${cause})`);
    }
  }

  #grants(): Grant[] {
    return this.#played.accounts.flatMap(({ grants }) => grants);
  }

  /** Two lines that were handed out, and comments: whatever has happened. */
  #checkFile(account: Account): void {
    if (/^(?:edit|planted):/.test(this.#played.requestFaults.get(account)?.name ?? "")) return;
    const text = account.read();
    const [first = "", second = "", ...rest] = text?.split("\n") ?? [];
    const isWhole = text?.endsWith("\n") && rest.slice(0, -1).every((line) => line.startsWith("#"));
    const isKnown = [first, second].every((line) => account.secrets().includes(line));
    if (!isWhole || !isKnown || !first.startsWith("access") || !second.startsWith("refresh")) {
      this.#played.problems.push(`${account.address}: not a whole token file: ${shape(text)}`);
    }
  }

  /** No token may be told; one may be shown by the command that does so. */
  #checkSaid(stdout: string, stderr: string): void {
    this.#said += stdout + stderr;
    if (`${stdout}${stderr}`.includes(clientSecret)) this.#played.problems.push("printed a secret");
    const { plan, problems } = this.#played;
    const isShown = plan.mode === "show" || plan.mode === "refresh";
    for (const { secrets } of this.#grants()) {
      for (const secret of secrets) {
        const isAsked = isShown && secret.startsWith("access") && stdout === `${secret}\n`;
        if (stderr.includes(secret) || (stdout.includes(secret) && !isAsked)) {
          problems.push(`printed a token: ${secret.slice(0, 9)}…`);
        }
      }
    }
    if (/defect|unhandled|TypeError|RangeError/.test(stderr)) {
      const line = stderr.split("\n").find((each) => /defect|unhandled|Error/.test(each));
      problems.push(`a defect: ${line}`);
    }
  }

  /** The way back, without faults. */
  async #runAgain(accounts: readonly [Account, ...Account[]]): Promise<void> {
    const isOne = accounts.length === 1;
    // That the server has replaced the refresh token is proof enough.
    const more = ["--verify", "none"];
    const run = this.#lane.start(isOne ? "get" : "keep", accounts, { more });
    let isOver = false;
    void run.ended.then(() => {
      isOver = true;
    });
    if (!isOne) {
      await isKept(accounts, () => isOver);
      run.child.kill("SIGTERM");
    }
    const { status } = await run.ended;
    this.#checkSaid(run.written.stdout, run.written.stderr);
    const [account] = accounts;
    const isSound = isOne && account.grants.length === 1 && account.isStored(account.grants[0]);
    if (isSound && account.grants[0].isAlive && status !== 0) {
      const last = run.written.stderr.trim().split("\n").slice(-2).join(" / ");
      this.#played.problems.push(`the next run ended with ${status}: ${last}`);
    }
  }

  async #fateOf(grant: Grant, wasAlive: boolean): Promise<Fate | undefined> {
    const { account } = grant;
    const fault = this.#played.requestFaults.get(account);
    if (grant.isAlive && account.isStored(grant)) return "recovered";
    const isEdited = fault?.name.startsWith("edit:") ?? false;
    // Nothing was replaced, and it was a person who took the file away.
    if (isEdited && grant.refreshes === 0 && grant === account.grants[0]) return undefined;
    const held = this.#filesWith(grant.current);
    // Dead although its token is on the disk: a spent one was presented, at last or by the faulty runs.
    const isSpentLater = held.length > 0 && (wasAlive || fault?.isSpentPlanted === true);
    if (held.length === 0 || !(grant.isAlive || isSpentLater)) {
      return this.#evidence.isInside(grant) ? "inside" : "outside";
    }
    if (!grant.isAlive) return "spent";
    const named = held.find((path) => this.#said.includes(basename(path)));
    if (named === undefined) return "unnamed";
    const isNewer = account.grants.some((other) => other !== grant && account.isStored(other));
    if (isNewer) return "kept";
    await this.#follow(account, named);
    return grant.isAlive && account.isStored(grant) ? "kept" : "spent";
  }

  /** Does what a message says: what is kept is put in its place. */
  async #follow(account: Account, kept: string): Promise<void> {
    if (kept !== account.tokenFile) {
      rmSync(account.tokenFile, { recursive: true, force: true });
      renameSync(kept, account.tokenFile);
    }
    await this.#runAgain([account]);
  }

  /** How long each answer was in memory alone. */
  #measure(): void {
    const { plan } = this.#played;
    // With more at work it would be the machine that is measured.
    if (plan.program?.is === "stop" || plan.accounts + plan.processes > 2) return;
    for (const grant of this.#grants()) {
      const sentAt = grant.rotation?.sentAt;
      const savedAt = this.#evidence.savedAt(grant);
      if (sentAt === undefined || savedAt === undefined || savedAt < sentAt) continue;
      this.#tally.window(Number(savedAt - sentAt) / 1e6);
    }
  }

  /** The files that hold a token, in whatever coding. */
  #filesWith(token: string): string[] {
    return [this.#lane.home, this.#lane.person]
      .flatMap(filesIn)
      .filter((path) => !/^(?:log|clock)-/.test(basename(path)))
      .filter((path) => textOf(path).includes(token));
  }
}

function filesIn(directory: string): string[] {
  if (!existsSync(directory)) return [];
  return readdirSync(directory).flatMap((name) => {
    const path = join(directory, name);
    const stat = lstatSync(path);
    if (stat.isDirectory()) return filesIn(path);
    return stat.isFile() ? [path] : [];
  });
}

/** What stands in it, also where it was kept as it came from the network. */
function textOf(path: string): string {
  const bytes = readFileSync(path);
  const decoded = [gunzipSync, inflateSync, brotliDecompressSync].map((decode) => {
    try {
      return decode(bytes).toString();
    } catch {
      return "";
    }
  });
  return [bytes.toString("utf8"), ...decoded].join("\n");
}

/** What a file is like, without what it holds. */
function shape(text: string | undefined): string {
  return JSON.stringify(text?.replace(/[\w-]{20,}/g, "…").slice(0, 120) ?? "missing");
}
