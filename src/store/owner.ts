import { providerByName } from "../catalog/providers.ts";
import { MxtokenError } from "../errors.ts";
import { flowOf, isAppOnly } from "../settings/flow.ts";
import type { TokenNotes } from "../token.ts";

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
    throw new MxtokenError(
      "configuration",
      `${place} belongs to ${notes.provider} by now and is not overwritten`,
      { hint: "pass another --token-file" },
    );
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
  const differences = [
    {
      what: "the mailbox",
      made: notes.account?.toLowerCase(),
      wanted: owner.account?.toLowerCase(),
    },
    {
      what: "the sign-in of",
      made: notes.login?.toLowerCase(),
      wanted: owner.login?.toLowerCase(),
    },
    { what: "a token of", made: holderIn(notes), wanted: holder(owner.isForApplication) },
    { what: "the client id", made: notes.client, wanted: owner.client },
    { what: "the tenant", made: notes.tenant, wanted: owner.tenant },
    {
      what: "the token endpoint at",
      made: hostOf(notes.tokenEndpoint),
      wanted: owner.tokenHost,
    },
  ];
  for (const { what, made, wanted } of differences) {
    if (made === undefined || wanted === undefined || made === wanted) continue;
    throw new MxtokenError(
      "configuration",
      `${tokenFile} was made for ${what} ${made}, not for ${wanted}`,
      {
        hint: `give the same options as when it was made, or pass another --token-file${canStartOver ? ", or --startover to replace it" : ""}`,
      },
    );
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
