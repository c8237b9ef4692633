import { existsSync, type Stats, statSync } from "node:fs";
import { dirname, isAbsolute, join, resolve, sep } from "node:path";
import { MxtokenError } from "../errors.ts";
import { systemReason } from "../system-error.ts";
import { jsonObject } from "../world/http-answers.ts";
import type { Host, World } from "../world/world.ts";
import { contentOf, prepareFile } from "./atomic.ts";
import { renameOver } from "./disk.ts";
import { withLock } from "./lock.ts";
import { temporaryPath } from "./places.ts";
import { makeDirectory } from "./rights.ts";

// Where tokens were stored is noted in `places.json` in the data directory, so that whoever looks for them
// with other options, or from another directory, can be told where they are. It is a help and no more:
// nothing fails for it.

/** Tokens that were stored somewhere. */
export interface KnownPlace {
  /** address of the mailbox, in lower case */
  readonly account: string;
  readonly provider?: string | undefined;
  /** of the token file, absolute */
  readonly place: string;
}

/** A place that tokens were put at, or that they were taken from. */
export type PlaceChange =
  | ({ readonly is: "stored" } & KnownPlace)
  | { readonly is: "removed"; readonly place: string };

/** The newest ones are kept. */
const most = 10_000;
/** Bytes; with paths of a usual length there is room for all of them. */
const sizeLimit = 2_000_000;

/** A lock that is held for longer is not waited for; ms. */
const patience = 5_000;

/** Places that this process has noted or found noted, each with the file that it is noted in. */
const known = new Set<string>();

/** Changes that wait for the file, which is written once for all of them; and who writes them. */
const waiting = new Map<string, Map<string, PlaceChange>>();
const underWay = new Map<string, Promise<void>>();

/**
 * Notes where tokens are. Where that is noted already, nothing is written; and within a process nothing is
 * read either; nor is it for the temporary directory. Never fails: what goes wrong is told at the level of protocol steps.
 */
export async function notePlace(world: World, change: PlaceChange): Promise<void> {
  const path = placesPath(world);
  if (path === undefined || isTemporary(world, change.place, path)) return;
  const key = `${path}\n${change.place}`;
  if (change.is === "removed") known.delete(key);
  else if (known.has(key)) return;
  else known.add(key);
  const changes = waiting.get(path) ?? new Map<string, PlaceChange>();
  waiting.set(path, changes.set(change.place, change));
  // Whoever has begun already may have missed this one; whoever comes after that takes it along.
  while (waiting.get(path)?.get(change.place) === change) {
    await (underWay.get(path) ?? begin(world, path));
  }
  await underWay.get(path);
}

function begin(world: World, path: string): Promise<void> {
  const writing = writeWaiting(world, path).finally(() => underWay.delete(path));
  underWay.set(path, writing);
  return writing;
}

async function writeWaiting(world: World, path: string): Promise<void> {
  const changes = [...(waiting.get(path)?.values() ?? [])];
  waiting.delete(path);
  const cancel = new AbortController();
  try {
    if (isNews(readPlaces(world, path), changes)) {
      await makeDirectory(dirname(path));
      // What is to be stored is stored while the process is asked to end, too.
      const stop = world.deadline(patience, cancel.signal);
      await withLock(world, path, { onWait: () => undefined, stop }, async (lock) => {
        const places = changed(readPlaces(world, path), changes);
        const owner = "of the directory";
        lock.hold(await prepareFile(world, { path, owner }, Buffer.from(textOf(places))));
        await renameOver(world, temporaryPath(path), path);
        // Whoever stores thousands of tokens need not read all of it again for each few of them.
        lastRead = { signature: signatureOf(path, statSync(path)), places };
      });
    }
  } catch (error) {
    world.trace(`${path} is behind: ${reasonOf(error)}`);
  } finally {
    cancel.abort("done");
  }
}

/** What is in the temporary directory is soon gone, as what a rehearsal stores there. */
function isTemporary({ env, platform }: Host, place: string, path: string): boolean {
  const named = platform === "win32" ? env["TEMP"] : (env["TMPDIR"] ?? "/tmp");
  if (!named || !isAbsolute(named)) return false;
  const begin = join(named, sep);
  return place.startsWith(begin) && !path.startsWith(begin);
}

function placesPath({ dataDirectory }: Host): string | undefined {
  return dataDirectory === undefined ? undefined : join(dataDirectory, "places.json");
}

/** What is noted, the newest last. A file that is not ours, or that nobody can read, says nothing. */
function readPlaces(world: World, path: string): Places {
  const { user } = world;
  const found = statSync(path, { throwIfNoEntry: false });
  const isOurs = user === undefined || user.uid === 0 || found?.uid === user.uid;
  if (found === undefined || !isOurs || found.size > sizeLimit) return new Map();
  const signature = signatureOf(path, found);
  if (lastRead?.signature === signature) return lastRead.places;
  const listed = jsonObject(contentOf(path)?.toString("utf8") ?? "")?.["places"];
  if (!Array.isArray(listed)) world.trace(`${path} is no list of places, and is made anew`);
  const known = Array.isArray(listed) ? listed.filter(isPlace) : [];
  const places = new Map(known.map((each) => [each.place, each]));
  lastRead = { signature, places };
  return places;
}

/** By their paths, the newest last. */
type Places = ReadonlyMap<string, KnownPlace>;

/** For many accounts in a row; each new file has another signature. */
let lastRead: { readonly signature: string; readonly places: Places } | undefined;

function signatureOf(path: string, { mtimeMs, ino, size }: Stats): string {
  return `${path} ${mtimeMs} ${ino} ${size}`;
}

function isPlace(each: unknown): each is KnownPlace {
  if (typeof each !== "object" || each === null) return false;
  const { account, place, provider } = each as Record<string, unknown>;
  const isProvider = provider === undefined || typeof provider === "string";
  const isKnown = typeof account === "string" && typeof place === "string";
  return isProvider && isKnown && resolve(place) === place;
}

/** The newest of them, one on each line. */
function textOf(places: Places): string {
  let lines = [...places.values()].map(lineOf);
  const size = () => lines.reduce((sum, { bytes }) => sum + bytes + 2, 100);
  while (size() > sizeLimit) lines = lines.slice(Math.ceil(lines.length / 10));
  return `{"places": [\n${lines.map(({ text }) => text).join(",\n")}\n]}\n`;
}

const lines = new WeakMap<KnownPlace, { readonly text: string; readonly bytes: number }>();

function lineOf(place: KnownPlace) {
  const former = lines.get(place);
  if (former !== undefined) return former;
  const text = JSON.stringify(place);
  const line = { text, bytes: Buffer.byteLength(text) };
  lines.set(place, line);
  return line;
}

function reasonOf(error: unknown): string {
  return error instanceof MxtokenError ? error.message : systemReason(error);
}

function isNews(places: Places, changes: readonly PlaceChange[]): boolean {
  return changes.some((change) => {
    const former = places.get(change.place);
    if (change.is === "removed") return former !== undefined;
    return former?.account !== change.account || former.provider !== change.provider;
  });
}

function changed(places: Places, changes: readonly PlaceChange[]): Places {
  const byPlace = new Map(places);
  for (const change of changes) {
    const { place } = change;
    byPlace.delete(place);
    if (change.is === "removed") continue;
    // In one shape: V8 describes what rest and spread make one by one.
    byPlace.set(place, { account: change.account, provider: change.provider, place });
  }
  for (const place of byPlace.keys()) {
    if (byPlace.size <= most) break;
    byPlace.delete(place);
  }
  return byPlace;
}

/**
 * Where tokens of an address were stored last, of all places where there still are some.
 *
 * @param account address of the mailbox
 */
export function knownPlaceOf(
  world: World,
  account: string,
  isWanted: (known: KnownPlace) => boolean,
): KnownPlace | undefined {
  const path = placesPath(world);
  if (path === undefined) return undefined;
  try {
    return [...readPlaces(world, path).values()]
      .filter((each) => each.account === account.toLowerCase() && isWanted(each))
      .filter(({ place }) => existsSync(place))
      .map((each) => ({ each, storedAt: statSync(each.place).mtimeMs }))
      .toSorted((one, other) => one.storedAt - other.storedAt)
      .at(-1)?.each;
  } catch (error) {
    world.trace(`${path} cannot be read: ${reasonOf(error)}`);
    return undefined;
  }
}
