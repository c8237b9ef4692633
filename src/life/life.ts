import type { Account } from "../account/account.ts";
import { MxtokenError } from "../errors.ts";
import type { Tell } from "../events.ts";
import { type TokenRequestContext, TokenRequests } from "../oauth/client.ts";
import { refreshToken } from "../oauth/grants.ts";
import { withServerClock } from "../oauth/jwt-bearer.ts";
import {
  findOtherAccount,
  type Proof,
  proveByEvery,
  serversToAsk,
  unprovenNote,
  verifiedNote,
} from "../proof/proof.ts";
import type { Secret } from "../secret.ts";
import type { Entry } from "../store/entry.ts";
import {
  missingScopes,
  type Token,
  type TokenNotes,
  type TokenRecord,
  tokenFrom,
} from "../token.ts";
import type { World } from "../world/world.ts";

/** An account, what is stored for it, and whom it asks. */
export interface Life {
  readonly world: World;
  readonly account: Account;
  readonly entry: Entry;
  readonly requests: TokenRequests;
  /** what is stored is not used, and may be replaced */
  readonly startover: boolean;
  readonly tell: Tell;
}

/** The life of the tokens of an account. */
export function lifeOf(
  world: World,
  account: Account,
  { entry, startover = false }: { readonly entry: Entry; readonly startover?: boolean },
  tell: Tell,
): Life {
  const { client, credentials, mailbox } = account;
  const requests = new TokenRequests(world, { client, credentials, ca: mailbox.ca }, tell);
  return { world, account, entry, requests, startover, tell };
}

/**
 * Sends a request to the authorization server; once more by its clock where an assertion is refused for
 * the time that stands in it.
 *
 * @param patience for how long the answer is waited for, ms
 * @throws what `request` throws; Interrupted before it was sent
 */
export function send<T>(
  { account: { client }, requests, tell }: Life,
  request: (context: TokenRequestContext) => Promise<T>,
  patience?: number,
): Promise<T> {
  const isSigned = ["certificate", "serviceAccount"].includes(client.authentication);
  // A secret is right or wrong at any time.
  if (!isSigned) return requests.send(request, patience);
  const { host } = new URL(client.tokenEndpoint);
  const onDifference = (ahead: number) => tell({ is: "clockDiffers", ahead, host });
  return requests.send((context) => withServerClock(context, request, onDifference), patience);
}

/**
 * Asks the token endpoint for a new token, once.
 *
 * @param formerScope what is noted to have been granted
 * @throws MxtokenError as `judgeReply` says; Interrupted
 */
export async function requestRefresh(
  life: Life,
  token: Secret,
  formerScope: string | undefined,
): Promise<Token> {
  const { world, tell } = life;
  const { client } = life.account;
  tell({ is: "refreshing" });
  const scope = formerScope ?? client.scope;
  const repeated = client.scopeOnRefresh ? scope : undefined;
  const { unechoedScopes } = client;
  const refreshed = await keepingAnswer(life, async () => {
    const response = await send(life, (context) => refreshToken(context, token, repeated));
    return tokenFrom(response, world.now(), { scope, unechoedScopes }, token);
  });
  tellMissingScopes(life, refreshed, formerScope !== undefined);
  return refreshed;
}

/**
 * Runs `ask`; where a token endpoint has granted something that is not understood, its answer is kept in
 * a private file: it may hold the only refresh token that still counts.
 *
 * @throws what `ask` throws, with the place of the answer in its message
 */
export async function keepingAnswer<T>({ entry }: Life, ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    if (!(error instanceof MxtokenError) || error.answer === undefined) throw error;
    const kept = await entry.keepText(error.answer);
    const where = kept === undefined ? "could not be kept anywhere" : `is kept in ${kept}`;
    const message = `${error.message}; its answer, perhaps with new tokens, ${where}`;
    throw error.with({ message, answer: undefined });
  }
}

/**
 * Tells which of the scopes that are wanted now the token was not granted.
 *
 * @param isStored whether it is the stored consent that lacks them
 */
export function tellMissingScopes({ account, tell }: Life, token: Token, isStored: boolean): void {
  const scopes = missingScopes(account.client.scope, token.scope);
  if (scopes.length > 0) tell({ is: "scopesMissing", scopes, isStored });
}

/** Whose token is to be proven, and perhaps the client that it was issued to. */
interface Proving extends Pick<Life, "world" | "tell"> {
  readonly account: Pick<Account, "mailbox"> & Partial<Pick<Account, "client">>;
}

/**
 * Proves a token by real logins, and tells it; and compares its account with the mailbox's.
 *
 * @param isNew whether it may be anybody's: then the provider may be asked whose it is
 * @throws Interrupted
 */
export async function prove(
  { world, account, tell }: Proving,
  token: Pick<Token, "accessToken" | "idToken">,
  isNew = false,
): Promise<Proof> {
  const { mailbox, client } = account;
  const otherAccount = await findOtherAccount({ world, mailbox, client }, token, isNew);
  if (mailbox.verify.length > 0) tell({ is: "proving", servers: serversToAsk(mailbox) });
  const findings = await proveByEvery(world, mailbox, token.accessToken);
  tell({ is: "proven", findings });
  return { findings, otherAccount };
}

/**
 * What is to be stored.
 *
 * @param proof undefined for a token that nobody has tried yet
 * @param former the notes of the record whose account this still is: who signed in, and when, stays;
 * undefined after a sign-in
 */
export function recordOf(
  { world, account }: Life,
  token: Token,
  proof: Proof | undefined,
  former: TokenNotes | undefined,
): TokenRecord {
  const { mailbox, client } = account;
  const now = world.now();
  const person = mailbox.login === mailbox.address.text ? undefined : mailbox.login;
  const notes: TokenNotes = {
    account: mailbox.address.text,
    login: former?.account === undefined ? person : former.login,
    provider: mailbox.provider,
    flow: client.flow === "code" ? undefined : client.flow,
    app: client.app,
    client: client.id,
    tenant: client.tenant,
    tokenEndpoint: client.tokenEndpoint,
    scope: token.scope,
    signedInAt: former === undefined ? now : former.signedInAt,
    issuedAt: token.issuedAt,
    expiresAt: token.expiresAt,
    verified: proof === undefined ? unprovenNote(now) : verifiedNote(proof, now),
  };
  return { accessToken: token.accessToken, refreshToken: token.refreshToken, notes };
}
