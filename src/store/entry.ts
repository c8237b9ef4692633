import { isAppOnly } from "../catalog/provider-row.ts";
import { providerByName } from "../catalog/providers.ts";
import { MxtokenError } from "../errors.ts";
import type { Secret } from "../secret.ts";
import { flowOf } from "../settings/provider.ts";
import type { RefusedGrant, TokenNotes, TokenRecord } from "../token.ts";
import type { TokenIdentity } from "./token-file.ts";

// What the tokens of an account are kept in, whatever that is. Nobody outside this room knows a path, a
// lock, a rename or the times of files.

/** Where accounts are kept. */
export interface TokenStore {
  /**
   * The entry of the account that the store was opened for.
   *
   * @param provider where the same address is kept once more for another provider
   */
  entry(provider?: string): Entry;
  /**
   * Every entry here.
   *
   * @throws MxtokenError `unwritable` where that cannot be looked at
   */
  list(): Promise<readonly Entry[]>;
}

/** The tokens of one account. */
export interface Entry {
  /** where they are, for sentences and for programs: an absolute path */
  readonly place: string;
  /** whether others on this machine can read them */
  readonly isExposed: boolean;
  /**
   * Makes sure, before anybody is asked for anything, that what the settings say of it can be done.
   *
   * @throws MxtokenError `configuration` for a group that does not exist, `unreachable`; Interrupted
   */
  checkSettings(): Promise<void>;
  /**
   * What is stored now, without waiting for anybody.
   *
   * @throws MxtokenError `unreadable`, `unreachable`
   */
  peek(): Promise<TokenRecord | undefined>;
  /**
   * What is stored now; what a process that died has left is put in its place before.
   *
   * @returns undefined where nothing is
   * @throws MxtokenError `unreadable`, `unreachable`, `unwritable`; Interrupted
   */
  read(): Promise<TokenRecord | undefined>;
  /**
   * What tells these tokens from any others.
   *
   * @returns undefined where there are none, or nobody may look
   * @throws MxtokenError `unreachable` where that cannot be told now
   */
  identity(): Promise<TokenIdentity | undefined>;
  /**
   * Runs `work` while no other process works at this entry; what is stored is read again before.
   *
   * @param owner whose tokens these must be, where there are some; what of it is undefined is not compared
   * @param stop ends the wait; by default the signals that ask the process to end
   * @throws MxtokenError `configuration` for another owner's, and as `read`; Interrupted
   */
  edit<T>(owner: Owner, work: (open: OpenEntry) => Promise<T>, stop?: AbortSignal): Promise<T>;
  /**
   * Keeps a text that may hold tokens, and is none of ours.
   *
   * @returns where, for sentences; undefined where nothing at all can be written
   */
  keepText(text: Secret): Promise<string | undefined>;
  /** Where tokens of the same account were stored last, and still are, that is not here. */
  elsewhere(): Promise<Elsewhere | undefined>;
  /** Where more tokens of this account are: such as were never proven, or could not be put in their place. */
  beside(): Promise<readonly string[]>;
}

/** Where tokens of an account are that are looked for in another place. */
export interface Elsewhere {
  readonly place: string;
  /** that leads there, for sentences */
  readonly option: string;
}

/** How a place is reserved. */
export interface ReservedPlace {
  /** of its own, beside what is stored */
  readonly isBeside?: boolean;
  /** it was replaced before, so that it need not be tried out */
  readonly isKnown?: boolean;
}

/** An entry that this process alone works at. */
export interface OpenEntry {
  readonly record: TokenRecord | undefined;
  /** whether what is stored was put there just now, where another process had left it */
  readonly isRestored: boolean;
  /**
   * Makes sure that what follows cannot fail for want of room or rights. Whatever is reserved and not used
   * is given back in the end.
   *
   * @throws MxtokenError `unwritable`
   */
  reserve(place?: ReservedPlace): Promise<void>;
  /**
   * Stores it. Whatever goes wrong from here on, it is kept, and the error says where.
   *
   * @throws MxtokenError `unwritable`; `unreachable` where somebody has replaced or removed what was
   * stored, which stays as it is
   */
  commit(next: TokenRecord): Promise<void>;
  /**
   * Remembers, beside tokens that stay as they are, that the refresh token was refused; until others are
   * stored. Never fails: what cannot be remembered is asked again.
   */
  noteRefusal(refusal: RefusedGrant): Promise<void>;
  /** Keeps it beside what is stored, for a person. @returns where, for sentences */
  keepBeside(next: TokenRecord): Promise<string>;
  /** Puts what is stored aside. @returns where it is now */
  moveBeside(): Promise<string>;
  /** Removes what was kept beside. */
  removeBeside(place: string): Promise<void>;
  /**
   * Makes sure that what is stored can be removed.
   *
   * @throws MxtokenError `unwritable`
   */
  prepareRemoval(): Promise<void>;
  /** @throws MxtokenError `unwritable` */
  remove(): Promise<void>;
}

/** A file that says nothing of its provider, like oauth2_imap's, belongs to whoever names it. */
export function belongsTo(notes: TokenNotes | undefined, provider: string): boolean {
  const former = notes?.provider;
  return former === undefined || (providerByName(former)?.name ?? former) === provider;
}

/** Whose tokens they are. What is undefined is not compared. */
export interface Owner {
  /** the provider's name here */
  readonly provider?: string | undefined;
  readonly account?: string | undefined;
  readonly client?: string | undefined;
  readonly tenant?: string | undefined;
  /** host name of the token endpoint */
  readonly tokenHost?: string | undefined;
  /** who signed in for somebody else's mailbox */
  readonly login?: string | undefined;
  /** whether the tokens are an application's own */
  readonly isForApplication?: boolean | undefined;
}

/**
 * Makes sure that what is stored still belongs to whoever is about to use it: whatever another process
 * has put there meanwhile is neither sent to the wrong server nor overwritten.
 *
 * @param place for the error
 * @throws MxtokenError `configuration`
 */
export function requireOwner(place: string, notes: TokenNotes, owner: Owner): void {
  if (owner.provider !== undefined && !belongsTo(notes, owner.provider)) {
    const message = `${place} belongs to ${notes.provider} by now and is not overwritten`;
    const details = { facts: { path: place }, hint: "pass another --token-file" };
    throw new MxtokenError("configuration", message, details);
  }
  checkSameOwner(place, notes, owner);
}

/**
 * Protects the tokens of another mailbox, person, client or tenant from being used or overwritten,
 * and from being sent to another server than the one that issued them; and a person's from being
 * replaced by an application's.
 *
 * @param canStartOver whether the command can replace the file on purpose
 * @throws MxtokenError `configuration`
 */
export function checkSameOwner(
  tokenFile: string,
  notes: TokenNotes,
  owner: Owner,
  canStartOver = false,
): void {
  const both = [
    ["the mailbox", notes.account?.toLowerCase(), owner.account?.toLowerCase()],
    ["the sign-in of", notes.login?.toLowerCase(), owner.login?.toLowerCase()],
    ["a token of", holderIn(notes), holder(owner.isForApplication)],
    ["the client id", notes.client, owner.client],
    ["the tenant", notes.tenant, owner.tenant],
    ["the token endpoint at", hostOf(notes.tokenEndpoint), owner.tokenHost],
  ] as const;
  for (const [what, made, wanted] of both) {
    if (made === undefined || wanted === undefined || made === wanted) continue;
    const message = `${tokenFile} was made for ${what} ${made}, not for ${wanted}`;
    const orReplace = canStartOver ? ", or --startover to replace it" : "";
    const hint = `give the same options as when it was made, or pass another --token-file${orReplace}`;
    throw new MxtokenError("configuration", message, { facts: { path: tokenFile }, hint });
  }
}

function holder(isForApplication: boolean | undefined): string | undefined {
  if (isForApplication === undefined) return undefined;
  return isForApplication ? "an application" : "a person";
}

/** A file that says nothing of its client says nothing of this either. */
function holderIn(notes: TokenNotes): string | undefined {
  const flow = flowOf(notes);
  if (flow !== undefined) return holder(isAppOnly(flow));
  return notes.client === undefined ? undefined : holder(false);
}

/** The host name of an address; undefined for what is none. */
export function hostOf(url: string | undefined): string | undefined {
  return url !== undefined && URL.canParse(url) ? new URL(url).hostname : undefined;
}
