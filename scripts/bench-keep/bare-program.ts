// What `mxtoken keep` is measured beside: the same steps for every refresh, and nothing else. It reads and
// parses the token file, takes the locks, reads again, reserves the place on the disk, asks, stores the
// answer in the temporary file, renames it, and has all of it synced. It begins a round at its start, and
// another one whenever it is told that an hour has passed.
import * as fs from "node:fs";
import { Agent, request } from "node:https";
import { createRequire } from "node:module";
import { join } from "node:path";
import { promisify } from "node:util";

const [list = "", home = "", tokenUri = "", concurrency = "64", caFile] = process.argv.slice(2);
const { platform, arch } = process;
const locks: { tryLock(fd: number, offset: number, length: number, isExclusive: boolean): void } =
  createRequire(import.meta.url)(
    `fs-native-extensions/prebuilds/${platform}-${arch}/fs-native-extensions.node`,
  );
const open = promisify(fs.open);
const write = promisify(fs.write);
const truncate = promisify(fs.ftruncate);
const sync = promisify(fs.fsync);
const rename = promisify(fs.rename);

const blank = Buffer.alloc(32 * 1024, "\n");
const directory = join(home, "tokens");
const accounts = fs.readFileSync(list, "utf8").split("\n").filter(Boolean);
const ca = caFile === undefined ? {} : { ca: fs.readFileSync(caFile) };
const agent = new Agent({ keepAlive: true, maxSockets: Number(concurrency), ...ca });

interface Stored {
  readonly accessToken: string;
  readonly refreshToken: string;
  readonly notes: ReadonlyMap<string, string>;
}

function read(path: string): Stored {
  const [accessToken = "", refreshToken = "", ...comments] = fs
    .readFileSync(path, "utf8")
    .split("\n");
  const notes = comments.flatMap((line) => {
    const [, title, value] = /^# ([^:]+): (.*)$/.exec(line) ?? [];
    return title === undefined || value === undefined ? [] : [[title, value] as const];
  });
  return { accessToken, refreshToken, notes: new Map(notes) };
}

function ask(refreshToken: string): Promise<Record<string, unknown>> {
  const form = new URLSearchParams({
    grant_type: "refresh_token",
    refresh_token: refreshToken,
    client_id: "test-client",
  });
  const body = form.toString();
  const headers = {
    accept: "application/json",
    "content-type": "application/x-www-form-urlencoded;charset=UTF-8",
    "content-length": Buffer.byteLength(body),
  };
  return new Promise((resolve, reject) => {
    const sent = request(tokenUri, { method: "POST", agent, headers }, (answer) => {
      let text = "";
      answer.setEncoding("utf8").on("data", (chunk: string) => {
        text += chunk;
      });
      answer.on("end", () => resolve(JSON.parse(text) as Record<string, unknown>));
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

/** All who wait for the directory share one sync, unless that has begun already. */
let underWay: Promise<void> = Promise.resolve();
let coming: Promise<void> | undefined;
function syncDirectory(): Promise<void> {
  coming ??= underWay.then(async () => {
    coming = undefined;
    const fd = fs.openSync(directory, "r");
    underWay = sync(fd).finally(() => fs.closeSync(fd));
    await underWay;
  });
  return coming;
}

async function refresh(name: string): Promise<void> {
  const path = join(directory, `oauth2_tokens_${name}.txt`);
  const temporary = join(directory, `.oauth2_tokens_${name}.txt.tmp`);
  read(path);
  const { O_RDWR, O_CREAT, O_EXCL } = fs.constants;
  const lockFile = fs.openSync(
    join(directory, `.oauth2_tokens_${name}.txt.lock`),
    O_RDWR | O_CREAT,
    0o600,
  );
  locks.tryLock(lockFile, 0, 0, true);
  const target = fs.openSync(path, "r+");
  locks.tryLock(target, 0, 0, true);
  const stored = read(path);
  const next = await open(temporary, O_RDWR | O_CREAT | O_EXCL, 0o600);
  await write(next, blank, 0, blank.length, 0);
  await sync(next);
  const granted = await ask(stored.refreshToken);
  const now = Date.now();
  const notes = new Map(stored.notes)
    .set("Issued", new Date(now).toISOString())
    .set("Expires", new Date(now + Number(granted["expires_in"]) * 1000).toISOString());
  const comments = [...notes].map(([title, value]) => `# ${title}: ${value}`);
  const lines = [granted["access_token"], granted["refresh_token"], ...comments];
  const content = Buffer.from(`${lines.join("\n")}\n`);
  await write(next, content, 0, content.length, 0);
  await truncate(next, content.length);
  await sync(next);
  await rename(temporary, path);
  await syncDirectory();
  for (const fd of [next, target, lockFile]) fs.closeSync(fd);
  process.stderr.write(`${name}: a new token, good until ${notes.get("Expires")}\n`);
}

async function round(): Promise<void> {
  const waiting = accounts.values();
  const worker = async () => {
    for (const name of waiting) await refresh(name);
  };
  await Promise.all(Array.from({ length: Number(concurrency) }, worker));
}

process.on("message", (asked) => {
  if (asked === "hour") void round();
});
process.channel?.ref();
process.on("SIGTERM", () => process.exit());
await round();
