import { existsSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { providerByName } from "../catalog/providers.ts";
import type { Tell } from "../events.ts";
import type { Secret } from "../secret.ts";
import type { Settings } from "../settings/settings.ts";
import { believed, type TokenNotes, type TokenRecord } from "../token.ts";
import type { World } from "../world/world.ts";
import {
  belongsTo,
  type Elsewhere,
  type Entry,
  type OpenEntry,
  type Owner,
  requireOwner,
  type TokenStore,
} from "./entry.ts";
import type { PlaceChange } from "./known-places.ts";
import type { HeldLock } from "./lock.ts";
import type { UsedTokenFile } from "./open-token-file.ts";
import { defaultTokenFile, temporaryPath } from "./places.ts";
import { identityIn, isReadableByEverybody, readTokenFile, type SeenFile } from "./read.ts";
import type { TokenIdentity } from "./token-file.ts";

// Programs ask for a stored token every few minutes: what only a change needs is loaded when there is one.

interface TokenFileSettings
  extends Pick<Settings, "address" | "home" | "tokenFile" | "group" | "provider"> {
  /** tokens that cannot be read may be replaced, and count as none */
  readonly startover?: boolean;
}

/**
 * Opens the token files: the one that is named, else those of the default names in the directory that
 * `--home` or the current directory tells.
 */
export function tokenFiles(world: World, settings: TokenFileSettings, tell: Tell): TokenStore {
  const { tokenFile } = settings;
  const at = (path: string) => new TokenFileEntry(world, path, settings, tell);
  const named = tokenFile === undefined ? undefined : resolve(world.cwd, tokenFile);
  return {
    entry: (provider) => at(named ?? defaultTokenFile(world, settings, provider)),
    async list() {
      const directory = dirname(defaultTokenFile(world, settings));
      const { tokenFilesIn } = await import("./kept-tokens.ts");
      return (await tokenFilesIn(directory)).map(at);
    },
  };
}

class TokenFileEntry implements Entry {
  readonly place: string;
  readonly #world: World;
  readonly #settings: TokenFileSettings;
  readonly #tell: Tell;
  readonly #seen: SeenFile = {};

  constructor(world: World, path: string, settings: TokenFileSettings, tell: Tell) {
    this.place = path;
    this.#world = world;
    this.#settings = settings;
    this.#tell = tell;
  }

  get isExposed(): boolean {
    return isReadableByEverybody(this.#world, this.place);
  }

  async checkSettings(): Promise<void> {
    const { group } = this.#settings;
    if (group === undefined) return;
    const { groupId } = await import("./rights.ts");
    await groupId(this.#world, group);
  }

  async peek(lock?: HeldLock): Promise<TokenRecord | undefined> {
    const damaged = this.#settings.startover === true ? "replaceable" : "refused";
    const record = await readTokenFile(this.place, { damaged, lock, seen: this.#seen });
    return believed(record, this.#world.now());
  }

  async read(): Promise<TokenRecord | undefined> {
    const record = await this.peek();
    // What is prepared is of a process that is at work, or that died.
    if (record !== undefined || !existsSync(temporaryPath(this.place))) return record;
    const { withTokenFileLock } = await import("./open-token-file.ts");
    return withTokenFileLock(this.#world, this.#used(), ({ lock }) => this.peek(lock));
  }

  identity(): Promise<TokenIdentity | undefined> {
    return identityIn(this.place);
  }

  async edit<T>(
    owner: Owner,
    work: (open: OpenEntry) => Promise<T>,
    stop?: AbortSignal,
  ): Promise<T> {
    const { OpenTokenFile, withTokenFileLock } = await import("./open-token-file.ts");
    let change: PlaceChange | undefined;
    const edited = withTokenFileLock(this.#world, this.#used(stop), async (file) => {
      const record = await this.peek(file.lock);
      if (record !== undefined) requireOwner(this.place, record.notes, owner);
      const open = new OpenTokenFile(this.#world, file, record, this.#seen);
      try {
        return await work(open);
      } finally {
        await open.release();
        change = open.change;
      }
    });
    return edited.finally(async () => {
      if (change === undefined) return;
      const { notePlace } = await import("./known-places.ts");
      await notePlace(this.#world, change);
    });
  }

  async elsewhere(): Promise<Elsewhere | undefined> {
    const { address, provider, tokenFile } = this.#settings;
    const { knownPlaceOf } = await import("./known-places.ts");
    const named = provider === undefined ? undefined : (providerByName(provider)?.name ?? provider);
    const isWanted = (notes: TokenNotes) => named === undefined || belongsTo(notes, named);
    const found = knownPlaceOf(this.#world, address.text, (known) => {
      return known.place !== this.place && isWanted(known);
    });
    const place = found?.place ?? this.#usualPlace();
    if (place === undefined) return undefined;
    const home = dirname(dirname(place));
    const isDefault = defaultTokenFile(this.#world, { address, home }) === place;
    const instead = tokenFile === undefined ? "" : " instead of --token-file";
    return { place, option: isDefault ? `--home ${home}${instead}` : `--token-file ${place}` };
  }

  /** What stands where everybody's tokens are by default, and was stored there before that was noted. */
  #usualPlace(): string | undefined {
    const { address, provider } = this.#settings;
    const { dataDirectory: home } = this.#world;
    if (home === undefined || provider !== undefined) return undefined;
    const place = defaultTokenFile(this.#world, { address, home });
    return place !== this.place && existsSync(place) ? place : undefined;
  }

  async keepText(text: Secret): Promise<string | undefined> {
    const { keepElsewhere } = await import("./kept-tokens.ts");
    return keepElsewhere(this.#world, this.place, text);
  }

  async beside(): Promise<readonly string[]> {
    const { tokenFilesBeside } = await import("./kept-tokens.ts");
    return tokenFilesBeside(this.place);
  }

  #used(stop?: AbortSignal): UsedTokenFile {
    return { path: this.place, group: this.#settings.group, tell: this.#tell, stop };
  }
}
