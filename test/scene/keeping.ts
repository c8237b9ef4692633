import assert from "node:assert/strict";
import { type Crowd, type Life, putCrowd } from "./crowd.ts";
import { type Result, type Scene, setScene } from "./scene.ts";
import { type Running, type SteppedWorld, steppedWorld } from "./stepped-world.ts";

export const second = 1000;
export const minute = 60 * second;
export const hour = 60 * minute;

/** Accounts whose tokens live for so many seconds. */
export function accounts(count: number, seconds = 3600, isTold = true): Life[] {
  return Array.from({ length: count }, () => ({ seconds, isTold }));
}

/** A line of `mxtoken keep --json`. */
export interface Told {
  readonly time: string;
  readonly event: string;
  readonly account?: string;
  readonly message: string;
  readonly state?: string;
  readonly expires?: string;
  readonly next?: string;
  readonly [name: string]: unknown;
}

/** What was told in lines of JSON; fails at one that is none, or that lacks what every one has. */
export function toldIn(stdout: string): Told[] {
  const lines = stdout.split("\n");
  assert.equal(lines.pop(), "", "the last line has an end");
  const documents = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  // The last line of a program that failed is its error, as of every command.
  if (documents.at(-1)?.["ok"] === false) documents.pop();
  return documents.map((document) => {
    assert.match(String(document["time"]), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    for (const name of ["event", "message"]) assert.equal(typeof document[name], "string", name);
    if (document["state"] !== undefined) assert.match(String(document["account"]), /@/);
    return document as unknown as Told;
  });
}

/** `mxtoken keep` in this process, for accounts at a server of its own, in a world of steps. */
export class Keeping {
  readonly scene: Scene;
  readonly world: SteppedWorld;
  isDefectExpected = false;
  #crowd: Crowd | undefined;
  #running: Running | undefined;

  static async set(): Promise<Keeping> {
    return new Keeping(await setScene());
  }

  constructor(scene: Scene) {
    this.scene = scene;
    this.world = steppedWorld({ cwd: scene.directory });
  }

  get crowd(): Crowd {
    assert.ok(this.#crowd !== undefined);
    return this.#crowd;
  }

  /** One of the accounts. */
  member(index = 0) {
    const member = this.crowd.members[index];
    assert.ok(member !== undefined);
    return member;
  }

  put(lives: readonly Life[]): void {
    this.#crowd = putCrowd(this.scene, lives, this.world.trueNow);
  }

  /** Keeps accounts with such tokens, until the first round is over. */
  async begin(lives: readonly Life[], ...more: readonly string[]): Promise<void> {
    this.put(lives);
    await this.run(...more);
  }

  /** Keeps the accounts that are there. */
  async run(...more: readonly string[]): Promise<void> {
    const { world, scene, crowd } = this;
    this.#running = world.begin([
      "keep",
      "--list",
      crowd.list,
      ...scene.options,
      "--json",
      ...more,
    ]);
    await world.idle();
  }

  /** undefined while it runs */
  get result(): Result | undefined {
    return this.#running?.result;
  }

  get events(): Told[] {
    return toldIn(this.world.written.stdout);
  }

  /** Events of a kind, of one account or all. */
  told(event: string, account?: string): Told[] {
    return this.events.filter(
      (each) => each.event === event && (account ?? each.account) === each.account,
    );
  }

  /** Asks it to end. */
  async end(): Promise<Result> {
    assert.ok(this.#running !== undefined);
    if (this.#running.result === undefined) this.world.signal("SIGTERM");
    return this.#running.ended;
  }

  /** Ends everything; whatever was said is well formed and holds no secret. */
  async close(): Promise<void> {
    if (this.#running !== undefined) await this.end();
    await this.scene.close();
    const { stdout, stderr } = this.world.written;
    if (this.#running !== undefined) toldIn(stdout);
    for (const secret of this.#crowd?.secrets() ?? []) {
      assert.ok(!stdout.includes(secret) && !stderr.includes(secret), "a secret was told");
    }
    assert.doesNotMatch(stderr, this.isDefectExpected ? /Warning/ : /defect|Warning/);
  }
}
