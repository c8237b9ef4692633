import { createPrivateKey } from "node:crypto";
import { MxtokenError } from "../errors.ts";
import type { ServiceAccount } from "../oauth/client.ts";
import { Secret } from "../secret.ts";
import { readGivenFile } from "../settings/read-file.ts";
import type { World } from "../world/world.ts";

const option = "service-account-key";

/**
 * Reads the key file of a service account, the JSON that Google's console hands out.
 *
 * @throws MxtokenError `configuration` where it cannot be read, `unreadable` where it is no such key
 */
export async function readServiceAccount(
  world: World,
  name: string | undefined,
): Promise<ServiceAccount> {
  if (name === undefined) {
    throw new MxtokenError("configuration", `--flow service-account needs --${option} FILE`);
  }
  const { path, text, isReadableByEverybody } = await readGivenFile(world, option, name);
  const members = parse(path, text);
  if (members["type"] !== "service_account") {
    throw notAKey(path, 'its "type" is not "service_account"');
  }
  const member = (key: string) => {
    const value = members[key];
    if (typeof value === "string" && /^[\x20-\x7e\n\r]+$/.test(value)) return value;
    throw notAKey(path, `it has no ${JSON.stringify(key)}`);
  };
  const privateKey = member("private_key");
  if (!isRsaKey(privateKey)) throw notAKey(path, 'its "private_key" is no RSA key in PEM form');
  return {
    email: member("client_email"),
    clientId: member("client_id"),
    keyId: members["private_key_id"] === undefined ? undefined : member("private_key_id"),
    privateKey: new Secret(privateKey),
    readableByEverybody: isReadableByEverybody ? path : undefined,
  };
}

function parse(path: string, text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text.replace(/^\uFEFF/, ""));
    if (typeof value === "object" && value !== null) return { ...value };
  } catch {
    // Told below: the parser's own words quote the file.
  }
  throw notAKey(path, "it is not a JSON object");
}

function isRsaKey(pem: string): boolean {
  try {
    return createPrivateKey(pem).asymmetricKeyType === "rsa";
  } catch {
    return false;
  }
}

function notAKey(path: string, why: string): MxtokenError {
  return new MxtokenError("unreadable", `${path} is no key of a service account: ${why}`, {
    hint: "it is the JSON file that Google's console hands out when a key is made",
  });
}
