import type { Account } from "../account/account.ts";
import type { Facts } from "../causes/cause.ts";
import { diagnosed, explained } from "../causes/diagnose.ts";
import { MxtokenError } from "../errors.ts";
import type { ApplicationAsking } from "../events.ts";
import type { OAuthClient, ServiceAccount } from "../oauth/client.ts";
import { requestClientCredentials } from "../oauth/grants.ts";
import { requestByAssertion } from "../oauth/jwt-bearer.ts";
import { type Claims, readClaims } from "../proof/identity.ts";
import { harmless } from "../secret.ts";
import { type Token, type TokenResponse, tokenFrom } from "../token.ts";
import { type Accepted, accept } from "./accept.ts";
import { type Life, send } from "./life.ts";

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
  return accept(life, token).catch((error) => {
    throw withPermissions(account, error, readClaims(token.accessToken));
  });
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
  const ask = () =>
    request(life, asked).catch((error) => {
      throw withDelegation(account, serviceAccount, error);
    });
  const response = await ask().catch((error) => {
    const isNotDelegated =
      error instanceof MxtokenError && error.oauthError === "unauthorized_client";
    if (!isNotDelegated || alternativeScope === undefined) throw error;
    tell({ is: "scopeNotDelegated", scope, instead: alternativeScope });
    asked = alternativeScope;
    return ask();
  });
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

function request(life: Life, scope: string): Promise<TokenResponse> {
  const { address } = life.account.mailbox;
  return send(life, (context) => {
    const { serviceAccount } = context.credentials;
    return serviceAccount === undefined
      ? requestClientCredentials(context)
      : requestByAssertion(context, serviceAccount, address.text, scope);
  });
}

/** What an administrator has to do where a service account has no right to what it asks for. */
function withDelegation(
  { client, mailbox }: Account,
  serviceAccount: ServiceAccount | undefined,
  error: unknown,
): unknown {
  if (!(error instanceof MxtokenError) || serviceAccount === undefined) return error;
  const { oauthError } = error;
  const scopes = [client.scope, client.alternativeScope].filter((scope) => scope !== undefined);
  const isOfDelegation = oauthError === "unauthorized_client" || oauthError === "invalid_grant";
  if (!isOfDelegation) return error;
  const { email } = serviceAccount;
  const facts = { client: client.id, serviceAccount: email, scopes, mailbox: mailbox.address.text };
  return error.with({ code: "applicationRefused", ...diagnosed({ ...error.facts, ...facts }) });
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
    explained("role-missing", { ...factsOf(account, claims), roles: missing }),
  );
}

function stringsIn(value: unknown): string[] {
  if (!Array.isArray(value)) return [];
  return value.flatMap((one) => (typeof one === "string" ? [harmless(one, 80)] : []));
}

/** Where the mailbox refuses an application's token, it is its permission that is missing. */
function withPermissions(account: Account, error: unknown, claims: Claims | undefined): unknown {
  if (!(error instanceof MxtokenError) || error.code !== "mailboxRefused") return error;
  const isBoxRefused = error.findings?.some(
    ({ probe, result }) => probe !== "smtp" && result === "refused",
  );
  if (isBoxRefused !== true || account.roles === undefined) return error;
  const facts = { ...error.facts, ...factsOf(account, claims) };
  return error.with(explained("application-without-right-to-mailbox", facts));
}

/** The ids as the token has them; Microsoft's `oid` is the service principal's Object ID. */
function factsOf({ mailbox, client, access }: Account, claims: Claims | undefined): Facts {
  const text = (name: string) => {
    const value = claims?.[name];
    return typeof value === "string" ? value : undefined;
  };
  return {
    ...{ mailbox: mailbox.address.text, client: client.id, access },
    tenant: text("tid") ?? client.tenant,
    servicePrincipal: text("oid"),
  };
}

/** @throws MxtokenError `configuration` where a refresh token is brought for what is never refreshed */
export function refuseRefreshToken(isBrought: boolean): void {
  const message = "--refresh-token-stdin: an application's own tokens are never refreshed";
  if (isBrought) throw new MxtokenError("configuration", message);
}
