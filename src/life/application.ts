import type { Account } from "../account/account.ts";
import { MxtokenError } from "../errors.ts";
import type { ApplicationAsking } from "../events.ts";
import type { Finding } from "../mail-server.ts";
import type { OAuthClient, ServiceAccount, TokenRequestContext } from "../oauth/client.ts";
import { exchangePermissions } from "../oauth/exchange-permissions.ts";
import { requestClientCredentials } from "../oauth/grants.ts";
import { requestByAssertion, withServerClock } from "../oauth/jwt-bearer.ts";
import { type Claims, readClaims } from "../proof/identity.ts";
import { harmless } from "../secret.ts";
import { type Token, type TokenResponse, tokenFrom } from "../token.ts";
import { type Accepted, accept } from "./accept.ts";
import type { Life } from "./life.ts";

/**
 * Gets a token for the application itself, or by a service account's assertion; proves it and stores
 * it. There is no refresh token: whenever one is needed, it is asked for anew.
 *
 * @throws MxtokenError; Interrupted
 */
export async function issueAndProve(life: Life): Promise<Accepted> {
  const { account, entry, tell } = life;
  await entry.edit(account.owner, (open) => open.reserve());
  tell({ is: "beforeSignIn", remarks: account.client.shortcomings });
  const token = await requestForApplication(life);
  try {
    return await accept(life, token);
  } catch (error) {
    const isBoxRefused =
      error instanceof MxtokenError && error.findings?.some(isRefusalOfMailbox) === true;
    throw isBoxRefused ? withPermissions(account, error, readClaims(token.accessToken)) : error;
  }
}

function isRefusalOfMailbox({ probe, result }: Finding): boolean {
  return probe !== "smtp" && result === "refused";
}

/**
 * Asks for a token of an application. Asking twice does no harm: nothing is spent by it.
 *
 * @throws MxtokenError `applicationRefused` also for a token that lacks the role it needs; Interrupted
 */
export async function requestForApplication(life: Life): Promise<Token> {
  const { account, requests, tell, world } = life;
  const { client } = account;
  const { scope, alternativeScope } = client;
  const { serviceAccount } = await requests.prepare();
  tell({ is: "askingForApplication", who: whoAsks(client, serviceAccount), scope });
  let asked = scope;
  let response: TokenResponse;
  try {
    response = await request(life, scope);
  } catch (error) {
    const isNotDelegated =
      error instanceof MxtokenError && error.oauthError === "unauthorized_client";
    if (!isNotDelegated || alternativeScope === undefined)
      throw explained(account, serviceAccount, error);
    tell({ is: "scopeNotDelegated", scope, instead: alternativeScope });
    asked = alternativeScope;
    response = await request(life, asked).catch((again) => {
      throw explained(account, serviceAccount, again);
    });
  }
  const { unechoedScopes } = client;
  const token = tokenFrom(response, world.now(), { scope: asked, unechoedScopes }, undefined);
  tell({ is: "issued" });
  requireRoles(life, readClaims(token.accessToken));
  // Whatever the server sent beside it, an application has no use for a refresh token.
  return { ...token, refreshToken: undefined };
}

function whoAsks(
  { id, authentication }: OAuthClient,
  serviceAccount: ServiceAccount | undefined,
): ApplicationAsking {
  if (serviceAccount !== undefined) return { serviceAccount: serviceAccount.email };
  return { application: id, by: authentication === "certificate" ? "certificate" : "secret" };
}

function request({ account, requests, tell }: Life, scope: string): Promise<TokenResponse> {
  const { client, mailbox } = account;
  const { host } = new URL(client.tokenEndpoint);
  const send = (context: TokenRequestContext) => {
    const { serviceAccount } = context.credentials;
    return serviceAccount === undefined
      ? requestClientCredentials(context)
      : requestByAssertion(context, serviceAccount, mailbox.address.text, scope);
  };
  // A secret is right or wrong at any time.
  if (client.authentication === "secret") return requests.send(send);
  return requests.send((context) =>
    withServerClock(context, send, (ahead) => tell({ is: "clockDiffers", ahead, host })),
  );
}

/** What an administrator has to do where a service account has no right to what it asks for. */
function explained(
  { client, mailbox }: Account,
  serviceAccount: ServiceAccount | undefined,
  error: unknown,
): unknown {
  if (!(error instanceof MxtokenError) || serviceAccount === undefined) return error;
  const { oauthError } = error;
  const scopes = [client.scope, client.alternativeScope].filter((scope) => scope !== undefined);
  if (oauthError === "unauthorized_client") {
    return error.with({
      code: "applicationRefused",
      hint: `an administrator of the domain must delegate to the client ${client.id} one of the scopes ${scopes.join(" or ")} (Google's Admin console: Security, Access and data control, API controls, Domain-wide delegation); it may take a while to be in force`,
    });
  }
  if (oauthError !== "invalid_grant") return error;
  return error.with({
    code: "applicationRefused",
    hint: `is ${mailbox.address.text} a user of the domain that delegates to ${serviceAccount.email}, and is this machine's clock right?`,
  });
}

/**
 * Microsoft issues a token also to an application without any right. What the token itself says is
 * told before a login fails; one that cannot be read is not judged.
 *
 * @throws MxtokenError `applicationRefused`
 */
function requireRoles({ account, tell }: Life, claims: Claims | undefined): void {
  const { roles, access } = account;
  if (roles === undefined || claims === undefined) return;
  const given = stringsIn(claims["roles"]);
  const lacking = access.filter((protocol) => !given.includes(roles[protocol]));
  if (lacking.length === 0) return;
  const missing = lacking.map((protocol) => roles[protocol]);
  const boxes = access.filter((protocol) => protocol !== "smtp");
  const needed = boxes.length > 0 ? boxes : access;
  if (needed.some((protocol) => !lacking.includes(protocol))) {
    tell({ is: "rolesMissing", roles: missing });
    return;
  }
  throw new MxtokenError(
    "applicationRefused",
    `the token has no role ${missing.join(", ")}, so ${boxes.length > 0 ? "no mailbox opens" : "nothing is sent"} with it (its roles: ${given.join(", ") || "none"})`,
    {
      hint: `in Entra, give the application ${account.client.id} the application permission ${missing.join(", ")} of Office 365 Exchange Online and grant admin consent; then let it into the mailbox, in Exchange Online PowerShell:`,
      commands: permissionsFor(account, claims),
    },
  );
}

function stringsIn(value: unknown): string[] {
  if (!Array.isArray(value)) return [];
  return value.flatMap((one) => (typeof one === "string" ? [harmless(one, 80)] : []));
}

/** Where the mailbox refuses an application's token, it is its permission that is missing. */
function withPermissions(
  account: Account,
  error: MxtokenError,
  claims: Claims | undefined,
): MxtokenError {
  if (error.code !== "mailboxRefused" || account.roles === undefined) return error;
  return error.with({
    hint: "the application needs a right to this mailbox, and its service principal in Exchange the Object ID of Enterprise applications, not of App registrations; an administrator gives it in Exchange Online PowerShell (and it takes a while to be in force):",
    commands: permissionsFor(account, claims),
  });
}

function permissionsFor(
  { mailbox, client, access }: Account,
  claims: Claims | undefined,
): string[] {
  return exchangePermissions(mailbox.address.text, idsOf(client, claims), access.includes("smtp"));
}

/** The ids as the token has them; Microsoft's `oid` is the service principal's Object ID. */
function idsOf({ id, tenant }: OAuthClient, claims: Claims | undefined) {
  const text = (name: string) => {
    const value = claims?.[name];
    return typeof value === "string" ? value : undefined;
  };
  return { tenant: text("tid") ?? tenant, application: id, servicePrincipal: text("oid") };
}

/** @throws MxtokenError `configuration` where a refresh token is brought for what is never refreshed */
export function refuseRefreshToken(isBrought: boolean): void {
  if (!isBrought) return;
  throw new MxtokenError(
    "configuration",
    "--refresh-token-stdin: an application's own tokens are never refreshed",
  );
}
