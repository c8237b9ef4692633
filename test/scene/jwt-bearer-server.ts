import { createPublicKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { decodeJwt, decodeProtectedHeader, jwtVerify } from "jose";
import type { Certificates } from "./certificates.ts";
import { type Answer, startTokenEndpoint, type TokenEndpoint } from "./token-endpoint.ts";

/** A service account and what its domain's administrator has delegated to it. */
export interface Account {
  readonly email: string;
  readonly clientId: string;
  readonly keyId: string;
  /** PEM */
  readonly privateKey: string;
  /** the scopes that it may ask for in the name of the domain's users */
  delegated: string[];
}

/**
 * An authorization server for the JWT bearer grant (RFC 7523), which answers in Google's words: it
 * checks signature, audience, times, account, user and scopes of every assertion.
 */
export interface JwtBearerServer {
  readonly endpoint: TokenEndpoint;
  /** what `aud` has to be; by default its own token endpoint */
  audience: string;
  /** ms since 1970; in the header Date too */
  now: () => number;
  readonly accounts: Account[];
  /** the mailboxes of the domain */
  readonly users: Set<string>;
  /** the claims of every assertion that came, whatever came of it */
  readonly claims: Record<string, unknown>[];
  /** every token that was handed out, and every assertion that came */
  readonly secrets: string[];
  close(): Promise<void>;
}

const longestLife = 3600;

export async function startJwtBearerServer(certificates: Certificates): Promise<JwtBearerServer> {
  const endpoint = await startTokenEndpoint(certificates);
  const server: JwtBearerServer = {
    endpoint,
    audience: endpoint.uri,
    now: Date.now,
    accounts: [],
    users: new Set(),
    claims: [],
    secrets: [],
    close: () => endpoint.close(),
  };
  endpoint.answer = async (request) => {
    const answer = await judge(server, request);
    return { ...answer, headers: { date: new Date(server.now()).toUTCString() } };
  };
  return server;
}

async function judge(
  server: JwtBearerServer,
  request: URLSearchParams,
): Promise<Exclude<Answer, "drop">> {
  if (request.get("grant_type") !== "urn:ietf:params:oauth:grant-type:jwt-bearer") {
    return refusal("unsupported_grant_type", "Invalid grant_type");
  }
  const assertion = request.get("assertion") ?? "";
  server.secrets.push(assertion);
  let claims: Record<string, unknown>;
  let account: Account | undefined;
  try {
    claims = decodeJwt(assertion);
    const { kid } = decodeProtectedHeader(assertion);
    account = server.accounts.find(({ email, keyId }) => email === claims["iss"] && keyId === kid);
  } catch {
    return refusal("invalid_grant", "Bad Request");
  }
  server.claims.push(claims);
  if (account === undefined) {
    return refusal("invalid_grant", "Invalid grant: account not found");
  }
  if (!(await isSignedBy(account, assertion))) {
    return refusal("invalid_grant", "Invalid JWT Signature.");
  }
  if (claims["aud"] !== server.audience) {
    return refusal("invalid_grant", "Invalid JWT: Failed audience check.");
  }
  if (!isInTime(claims, Math.floor(server.now() / 1000))) {
    return refusal(
      "invalid_grant",
      "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. Check your iat and exp values in the JWT claim.",
    );
  }
  const { sub, scope } = claims;
  if (typeof sub !== "string" || !server.users.has(sub)) {
    return refusal("invalid_grant", "Invalid email or User ID");
  }
  const scopes = typeof scope === "string" ? scope.split(" ") : [""];
  const { delegated } = account;
  if (!scopes.every((one) => delegated.includes(one))) {
    return refusal(
      "unauthorized_client",
      "Client is unauthorized to retrieve access tokens using this method, or client not authorized for any of the scopes requested.",
      401,
    );
  }
  const token = `ya29.c.${crypto.randomUUID()}`;
  server.secrets.push(token);
  return {
    status: 200,
    body: { access_token: token, expires_in: 3599, token_type: "Bearer" },
  };
}

async function isSignedBy({ privateKey }: Account, assertion: string): Promise<boolean> {
  try {
    // The times are looked at separately, for an answer of their own.
    await jwtVerify(assertion, createPublicKey(privateKey), {
      algorithms: ["RS256"],
      currentDate: new Date(0),
      clockTolerance: Number.MAX_SAFE_INTEGER / 2,
    });
    return true;
  } catch {
    return false;
  }
}

function isInTime({ iat, exp }: Record<string, unknown>, now: number): boolean {
  if (typeof iat !== "number" || typeof exp !== "number") return false;
  return iat <= now && exp > now && exp <= iat + longestLife;
}

function refusal(error: string, error_description: string, status = 400) {
  return { status, body: { error, error_description } };
}

let serial = 0;

/** An RSA key takes long to make: what comes one after the other has different ones. */
const keys: KeyObject[] = [];

function nextKey(): KeyObject {
  const former = keys.length < 4 ? undefined : keys.shift();
  const key = former ?? generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey;
  keys.push(key);
  return key;
}

/** Makes a service account; only with its own key can it sign. */
export function newAccount(...delegated: string[]): Account {
  serial += 1;
  const privateKey = nextKey();
  return {
    email: `migration-${serial}@project.iam.gserviceaccount.com`,
    clientId: `10000000000000000000${serial}`,
    keyId: `key-${serial}`,
    privateKey: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
    delegated,
  };
}

/** Writes the key file as Google's console hands it out; its path. */
export function writeKeyFile(
  directory: string,
  { email, clientId, keyId, privateKey }: Account,
  changes: Record<string, unknown> = {},
): string {
  const path = join(directory, `${keyId}.json`);
  const members = {
    type: "service_account",
    project_id: "project",
    private_key_id: keyId,
    private_key: privateKey,
    client_email: email,
    client_id: clientId,
    auth_uri: "https://accounts.google.com/o/oauth2/auth",
    token_uri: "https://oauth2.googleapis.com/token",
    ...changes,
  };
  writeFileSync(path, JSON.stringify(members, null, 2), { mode: 0o600 });
  return path;
}
