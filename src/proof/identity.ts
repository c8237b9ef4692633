import { domainToASCII } from "node:url";
import { isAddressLike } from "../mailbox.ts";
import { harmless, type Secret } from "../secret.ts";
import type { TokenRecord } from "../token.ts";
import { jsonObject } from "../world/http-answers.ts";
import type { Clock, Net, Stop } from "../world/world.ts";

/** The claims of a token that is a JWT (RFC 7519); nobody has checked its signature. */
export type Claims = Readonly<Record<string, unknown>>;

/** Longer than any token seen; what is larger is not looked into. */
const sizeLimit = 64 * 1024;
const tokenInfoTimeout = 10_000;

/** @returns undefined for a token that is opaque */
export function readClaims(token: Secret | undefined): Claims | undefined {
  const [, payload = ""] = token?.reveal().split(".") ?? [];
  if (payload === "" || payload.length > sizeLimit) return undefined;
  return jsonObject(Buffer.from(payload, "base64url").toString("utf8"));
}

/** The last second of the year 9999; what is later is no time. */
const latest = 253_402_300_799;

/**
 * When a token says of itself that it ends (the claim `exp`, RFC 7519 section 4.1.4), ms since 1970.
 *
 * @returns undefined where it does not say, or is opaque
 */
export function expiryIn(token: Secret | undefined): number | undefined {
  const seconds = readClaims(token)?.["exp"];
  const isTime = typeof seconds === "number" && seconds > 0 && seconds <= latest;
  return isTime ? Math.floor(seconds) * 1000 : undefined;
}

/** When a stored token ends, ms since 1970: as its notes say, else as it says itself. */
export function knownEndOf({
  accessToken,
  notes,
}: Pick<TokenRecord, "accessToken" | "notes">): number | undefined {
  return notes.expiresAt ?? expiryIn(accessToken);
}

/** Claims in which servers name the account, the surest first (OpenID Connect Core section 5.1; Microsoft's). */
const accountClaims = ["email", "preferred_username", "upn", "unique_name", "sub"];

/** Names of the account in the claims, as far as they look like addresses. */
export function accountsIn(claims: Claims | undefined): string[] {
  return accountClaims.flatMap((name) => {
    const value = claims?.[name];
    return typeof value === "string" && isAddressLike(value) ? [harmless(value, 320)] : [];
  });
}

/**
 * Whether a token is somebody else's.
 *
 * @param expected every address that it may belong to
 * @param accounts the account's names, as the token or the server tell them
 * @returns the other account; undefined where it is an expected one, or nobody knows
 */
export function otherAccount(
  expected: readonly string[],
  accounts: readonly string[],
): string | undefined {
  const wanted = new Set(expected.map(canonical));
  return accounts.some((account) => wanted.has(canonical(account))) ? undefined : accounts[0];
}

/** One form for every way to write an address, in letters of any script (IDNA). */
function canonical(address: string): string {
  const at = address.lastIndexOf("@");
  const domain = address.slice(at + 1);
  return `${address.slice(0, at)}@${domainToASCII(domain) || domain}`
    .normalize("NFC")
    .toLowerCase();
}

/**
 * Asks the provider whose an opaque access token is (Google's tokeninfo, which tells the address
 * only where the scope `email` was granted too). What cannot be asked is not known: the login tells
 * the rest.
 *
 * @throws Interrupted
 */
export async function askTokenInfo(
  world: Clock & Net & Stop,
  endpoint: string,
  accessToken: Secret,
  ca: string | undefined,
): Promise<string[]> {
  const signal = AbortSignal.any([world.deadline(tokenInfoTimeout), world.interrupted]);
  world.trace(`POST ${endpoint} (authorization: [secret])`);
  try {
    const reply = await world.http({
      method: "POST",
      url: endpoint,
      // As Google's own library asks: in the address a token would end in logs.
      headers: {
        "content-type": "application/x-www-form-urlencoded;charset=UTF-8",
        accept: "application/json",
        authorization: `Bearer ${accessToken.reveal()}`,
      },
      ca,
      signal,
    });
    world.trace(`${endpoint} answered ${reply.status}`);
    const isWhole = reply.status === 200 && !reply.truncated;
    return accountsIn(isWhole ? jsonObject(reply.body) : undefined);
  } catch {
    world.interrupted.throwIfAborted();
    return [];
  }
}
