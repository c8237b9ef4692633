import { type Account, resolveAccount } from "../account/account.ts";
import type { Stored } from "../account/peek.ts";
import { orElsewhere, readStored } from "../account/stored.ts";
import { isAppOnly } from "../catalog/provider-row.ts";
import { MxtokenError, signInHintOf } from "../errors.ts";
import type { Tell } from "../events.ts";
import { issueAndProve, refuseRefreshToken } from "../life/application.ts";
import { acceptBrought } from "../life/brought.ts";
import { type Life, lifeOf } from "../life/life.ts";
import { renew } from "../life/renew.ts";
import type { Finding } from "../mail-server.ts";
import { knownEndOf } from "../proof/identity.ts";
import { type Proof, proveByEvery, serversToAsk } from "../proof/proof.ts";
import type { Settings } from "../settings/settings.ts";
import { LineInput } from "../sign-in/line-input.ts";
import { loopbackRedirect } from "../sign-in/redirect.ts";
import type { TokenNotes, TokenRecord } from "../token.ts";
import type { Terminal, World } from "../world/world.ts";
import { type SignInWishes, signIn, tokenFromInput } from "./person.ts";

/** What the person wants of one run. */
export interface GetRequest extends SignInWishes {
  readonly settings: Settings;
  /** ignore the stored tokens */
  readonly startover: boolean;
  /** take the refresh token from standard input instead of the file */
  readonly refreshTokenFromInput: boolean;
  /** whether a person may be asked to sign in; a program may be waiting for what stands on stdin */
  readonly mayAsk: boolean;
  /** the command by which a person signs in, in a terminal */
  signInCommand(): string;
}

/** What `mxtoken <address>` achieved. */
export interface Obtained extends Pick<Account, "mailbox" | "client" | "evidence"> {
  /** absolute */
  readonly tokenFile: string;
  /** how the token in it came about */
  readonly source: "refreshed" | "signed in" | "issued" | "another process";
  /** milliseconds since 1970 */
  readonly expiresAt: number | undefined;
  /** empty where no proof was wanted */
  readonly findings: readonly Finding[];
}

/**
 * The whole job for one mailbox: prove the stored token, refresh it or let the person sign in,
 * prove the new one, write the token file.
 *
 * @throws MxtokenError; Interrupted
 */
export async function get(world: World, request: GetRequest, tell: Tell): Promise<Obtained> {
  const { settings, startover, browser } = request;
  const accountRequest = { settings, startover, purpose: "newToken" } as const;
  const first = await readStored(world, accountRequest, tell);
  const { account, stored } = await resolveAccount(world, accountRequest, first, tell);
  const life = lifeOf(world, account, { ...stored, startover }, tell);
  const { client } = account;
  // A contradiction is told at every run, not only when somebody has to sign in.
  const redirect =
    client.flow === "code"
      ? loopbackRedirect(client.redirectUri, browser.listener, client.isRedirectUriExact)
      : undefined;
  await life.entry.checkSettings();
  tellOf(life, stored);
  if (isAppOnly(client.flow)) {
    refuseRefreshToken(request.refreshTokenFromInput);
    if (stored.record !== undefined && !startover) await proveStored(life, stored.record);
    return obtained(life, "issued", await issueAndProve(life));
  }
  if (request.refreshTokenFromInput) return takeOver(life, stored);
  const renewed = await renewStored(life, stored);
  if (!("why" in renewed)) return renewed;
  const { why } = renewed;
  tellOfOthers(renewed, tell);
  const input = new LineInput(world);
  try {
    await requireSomebody(world, input, request, renewed);
    return obtained(life, "signed in", await signIn(life, request, { input, redirect, why }));
  } finally {
    input.close();
  }
}

function tellOf({ account, entry, tell }: Life, { passedOver }: Stored): void {
  const { mailbox, client } = account;
  tell({
    is: "started",
    account: mailbox.address.text,
    provider: mailbox.provider,
    title: mailbox.title,
    application: client.consentName === undefined ? undefined : client.app,
    tokenFile: entry.place,
  });
  if (passedOver !== undefined) tell({ is: "otherProvidersFile", ...passedOver });
  if (entry.isExposed) tell({ is: "readableByEverybody", path: entry.place });
}

function obtained(
  { account, entry }: Life,
  source: Obtained["source"],
  {
    token: { expiresAt },
    proof: { findings },
  }: { readonly token: Pick<TokenNotes, "expiresAt">; readonly proof: Pick<Proof, "findings"> },
): Obtained {
  const { mailbox, client, evidence } = account;
  return { mailbox, client, tokenFile: entry.place, evidence, source, expiresAt, findings };
}

/** Takes over a refresh token from standard input; perhaps it is the stored one. */
async function takeOver(life: Life, { record }: Stored): Promise<Obtained> {
  const { account, startover, tell, world } = life;
  const { foundRow } = account;
  const brought = await tokenFromInput(world, tell, { what: "refresh token", foundRow });
  if (!startover && record !== undefined && brought.equals(record.refreshToken)) {
    // Whoever brings the token wants it to be tried.
    const refreshed = await refresh(life, record, false);
    if (refreshed !== undefined) return refreshed;
  }
  return obtained(life, "refreshed", await acceptBrought(life, brought));
}

/** @returns undefined where there is no refresh token */
async function refresh(
  life: Life,
  seen: TokenRecord,
  isRefusalHeeded: boolean,
): Promise<Obtained | undefined> {
  const renewed = await renew(life, { proof: "before it is shown", seen, isRefusalHeeded });
  if (renewed.is === "nothingToRenew") return undefined;
  const { record, proof = { findings: [] } } = renewed;
  const source = renewed.is === "byOther" ? "another process" : "refreshed";
  return obtained(life, source, { token: record.notes, proof });
}

/** Why only a person can help. */
interface PersonNeeded {
  readonly why: string;
  /** there are no tokens here */
  readonly missing?: MxtokenError;
}

/** @returns what came of the stored tokens, or why only a person can help */
async function renewStored(life: Life, { record }: Stored): Promise<Obtained | PersonNeeded> {
  const { place } = life.entry;
  if (life.startover) return { why: "--startover ignores the stored tokens" };
  if (record === undefined) {
    const missing = await orElsewhere(nothingYet(place), life.entry);
    return { why: missing.message, missing };
  }
  await proveStored(life, record);
  try {
    // Who sits there has perhaps seen to it, and would else have to sign in for nothing.
    const isHeeded = !isTerminal(life.world);
    return (
      (await refresh(life, record, isHeeded)) ?? { why: `there is no refresh token in ${place}` }
    );
  } catch (error) {
    if (!(error instanceof MxtokenError) || error.code !== "signInNeeded") throw error;
    return { why: error.message };
  }
}

/** Only to tell the person: whatever comes out, a fresh token has the longest life before it. */
async function proveStored({ world, account, tell }: Life, record: TokenRecord): Promise<void> {
  const { accessToken } = record;
  const { mailbox } = account;
  if (accessToken === undefined) return;
  const expiresAt = knownEndOf(record);
  if (expiresAt !== undefined && expiresAt <= world.now()) {
    // A failed login would count against the mailbox.
    tell({ is: "storedExpired", expiresAt });
    return;
  }
  if (mailbox.verify.length === 0) return;
  tell({ is: "proving", servers: serversToAsk(mailbox) });
  const findings = await proveByEvery(world, mailbox, accessToken);
  tell({ is: "storedProven", findings });
}

/** Under cron and in CI nobody can sign in: then nothing is begun. */
async function requireSomebody(
  world: Terminal,
  input: LineInput,
  { timeout, mayAsk, signInCommand }: GetRequest,
  { why, missing }: PersonNeeded,
): Promise<void> {
  const isSomebodyThere = isTerminal(world) || timeout !== undefined;
  if (mayAsk && (isSomebodyThere || !(await input.isAtEnd()))) return;
  const nobody = mayAsk ? ", and nobody is there" : "";
  throw new MxtokenError("signInNeeded", `a person must sign in${nobody}: ${why}`, {
    ...{ causeId: missing?.causeId, facts: missing?.facts },
    hint: signInHintOf(missing),
    commands: [signInCommand()],
  });
}

/** Before somebody signs in for nothing. */
function tellOfOthers({ missing }: PersonNeeded, tell: Tell): void {
  const { option, elsewhere } = missing?.facts ?? {};
  if (option !== undefined && elsewhere !== undefined) {
    tell({ is: "tokensElsewhere", tokenFile: elsewhere, option });
  }
}

function nothingYet(place: string): MxtokenError {
  return new MxtokenError("signInNeeded", `there are no tokens yet in ${place}`);
}

function isTerminal({ stdin, stderr }: Terminal): boolean {
  return stdin.isTTY === true || stderr.isTTY === true;
}
