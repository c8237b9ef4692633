import type { Facts } from "../causes/cause.ts";
import { diagnosed, explained } from "../causes/diagnose.ts";
import { MxtokenError } from "../errors.ts";
import type { ApplicationAsking } from "../events.ts";
import type { Finding } from "../finding.ts";
import type { OAuthClient } from "../oauth/client.ts";
import { requestClientCredentials } from "../oauth/client-credentials.ts";
import { requestByAssertion } from "../oauth/jwt-bearer.ts";
import type { TokenRequestContext } from "../oauth/request-context.ts";
import { withServerClock } from "../oauth/server-clock.ts";
import { type Claims, readClaims } from "../proof/identity.ts";
import { harmless } from "../secret.ts";
import { rehearseReplacement } from "../store/atomic.ts";
import { withTokenFileLock } from "../store/token-file-lock.ts";
import { type Token, type TokenResponse, tokenFrom } from "../token.ts";
import { type Job, type Outcome, withTokenRequest } from "./job.ts";
import { proveAndStore } from "./new-token.ts";

/**
 * Gets a token for the application itself, or by a service account's assertion; proves it and stores
 * it. There is no refresh token: whenever one is needed, it is asked for anew.
 *
 * @throws MxtokenError; Interrupted
 */
export async function obtainForApplication(job: Job): Promise<Outcome> {
  const { world, tokenFile, gid } = job;
  await withTokenFileLock(job, () => rehearseReplacement(world, tokenFile, gid));
  job.tell({ is: "beforeSignIn", remarks: job.client.shortcomings });
  const token = await requestForApplication(job);
  try {
    return await proveAndStore(job, token, "issued");
  } catch (error) {
    throw withPermissions(job, error, readClaims(token.accessToken));
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
export async function requestForApplication(job: Job): Promise<Token> {
  const { client, tell, world } = job;
  const { scope, alternativeScope } = client;
  for (const path of [client.serviceAccount, client.certificate].map(exposed)) {
    if (path !== undefined) tell({ is: "readableByEverybody", path });
  }
  tell({ is: "askingForApplication", who: whoAsks(client), scope });
  let asked = scope;
  let response: TokenResponse;
  try {
    response = await request(job, scope);
  } catch (error) {
    const isNotDelegated =
      error instanceof MxtokenError && error.oauthError === "unauthorized_client";
    if (!isNotDelegated || alternativeScope === undefined) throw withDelegation(job, error);
    tell({ is: "scopeNotDelegated", scope, instead: alternativeScope });
    asked = alternativeScope;
    response = await request(job, asked).catch((again) => {
      throw withDelegation(job, again);
    });
  }
  const { unechoedScopes } = client;
  const token = tokenFrom(response, world.now(), { scope: asked, unechoedScopes }, undefined);
  tell({ is: "issued" });
  requireRoles(job, readClaims(token.accessToken));
  // Whatever the server sent beside it, an application has no use for a refresh token.
  return { ...token, refreshToken: undefined };
}

function whoAsks({ id, certificate, serviceAccount }: OAuthClient): ApplicationAsking {
  if (serviceAccount !== undefined) return { serviceAccount: serviceAccount.email };
  return { application: id, by: certificate === undefined ? "secret" : "certificate" };
}

function exposed(key: { readonly readableByEverybody: string | undefined } | undefined) {
  return key?.readableByEverybody;
}

function request(job: Job, scope: string): Promise<TokenResponse> {
  const { client, tell, mailbox } = job;
  const { host } = new URL(client.tokenEndpoint);
  const send = (context: TokenRequestContext) =>
    client.serviceAccount === undefined
      ? requestClientCredentials(context)
      : requestByAssertion(context, client.serviceAccount, mailbox.address.text, scope);
  // A secret is right or wrong at any time.
  const hasAssertion = client.serviceAccount !== undefined || client.certificate !== undefined;
  if (!hasAssertion) return withTokenRequest(job, send);
  return withTokenRequest(job, (context) =>
    withServerClock(context, send, (ahead) => tell({ is: "clockDiffers", ahead, host })),
  );
}

/** What an administrator has to do where a service account has no right to what it asks for. */
function withDelegation({ client, mailbox }: Job, error: unknown): unknown {
  if (!(error instanceof MxtokenError) || client.serviceAccount === undefined) return error;
  const { oauthError } = error;
  const scopes = [client.scope, client.alternativeScope].filter((scope) => scope !== undefined);
  const isOfDelegation = oauthError === "unauthorized_client" || oauthError === "invalid_grant";
  if (!isOfDelegation) return error;
  const { email: serviceAccount } = client.serviceAccount;
  const facts = { client: client.id, serviceAccount, scopes, mailbox: mailbox.address.text };
  return error.with({
    code: "applicationRefused",
    ...diagnosed({ ...error.facts, ...facts }),
  });
}

/**
 * Microsoft issues a token also to an application without any right. What the token itself says is
 * told before a login fails; one that cannot be read is not judged.
 *
 * @throws MxtokenError `applicationRefused`
 */
function requireRoles(job: Job, claims: Claims | undefined): void {
  const { roles, access, tell } = job;
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
    explained("role-missing", { ...factsOf(job, claims), roles: missing }),
  );
}

function stringsIn(value: unknown): string[] {
  if (!Array.isArray(value)) return [];
  return value.flatMap((one) => (typeof one === "string" ? [harmless(one, 80)] : []));
}

/** Where the mailbox refuses an application's token, it is its permission that is missing. */
function withPermissions(job: Job, error: unknown, claims: Claims | undefined): unknown {
  const isRefused = error instanceof MxtokenError && error.code === "mailboxRefused";
  if (!isRefused || job.roles === undefined) return error;
  if (error.findings?.some(isRefusalOfMailbox) !== true) return error;
  const facts = { ...error.facts, ...factsOf(job, claims) };
  return error.with(explained("application-without-right-to-mailbox", facts));
}

/** The ids as the token has them; Microsoft's `oid` is the service principal's Object ID. */
function factsOf({ mailbox, client, access }: Job, claims: Claims | undefined): Facts {
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
  if (!isBrought) return;
  throw new MxtokenError(
    "configuration",
    "--refresh-token-stdin: an application's own tokens are never refreshed",
  );
}
