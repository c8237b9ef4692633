import { constants, type Stats } from "node:fs";
import { type FileHandle, open, stat } from "node:fs/promises";
import { join } from "node:path";
import { MxtokenError, systemCode } from "../errors.ts";
import { Secret } from "../secret.ts";
import type { Clock, Host, World } from "../world/world.ts";
import { unwritable } from "./disk.ts";
import { withLock } from "./lock.ts";
import { Reservation } from "./reservation.ts";
import { makeDirectory } from "./rights.ts";

/** Key and certificate of the listener on `https://localhost`, both PEM. */
export interface KeyPair {
  readonly key: Secret;
  readonly certificate: string;
}

/** Where key and certificate of the listener are kept. */
export interface CertificateFiles {
  readonly key: string;
  readonly certificate: string;
}

export function certificateFiles(directory: string): CertificateFiles {
  return {
    key: join(directory, "localhost.key"),
    certificate: join(directory, "localhost.crt"),
  };
}

/** What stands in the files. */
export type StoredKeyPair =
  | { readonly is: "nothing" }
  /** `why` is half a sentence */
  | { readonly is: "unusable"; readonly why: string }
  | { readonly is: "pair"; readonly pair: KeyPair };

/**
 * Reads key and certificate, without a trust that they do not deserve: a key that others have
 * could speak for this listener.
 */
export async function readCertificateFiles(world: Host, directory: string): Promise<StoredKeyPair> {
  const files = certificateFiles(directory);
  try {
    const key = await readRegularFile(files.key);
    const certificate = await readRegularFile(files.certificate);
    if (key === undefined && certificate === undefined) return { is: "nothing" };
    if (key === undefined || certificate === undefined) return unusable("one half is missing");
    const exposed = whyExposed(world, key.stats, await stat(directory));
    if (exposed !== undefined) return unusable(exposed);
    return { is: "pair", pair: { key: new Secret(key.text), certificate: certificate.text } };
  } catch {
    return unusable("the old one cannot be read");
  }
}

function unusable(why: string): StoredKeyPair {
  return { is: "unusable", why };
}

const sizeLimit = 64 * 1024;

/** Reads and judges one and the same file; a named pipe is not waited for. */
async function readRegularFile(path: string): Promise<{ text: string; stats: Stats } | undefined> {
  const { O_RDONLY, O_NONBLOCK, O_NOFOLLOW } = constants;
  let file: FileHandle;
  try {
    // Windows has neither of the two flags.
    file = await open(path, O_RDONLY | (O_NONBLOCK ?? 0) | (O_NOFOLLOW ?? 0));
  } catch (error) {
    if (systemCode(error) === "ENOENT") return undefined;
    throw error;
  }
  try {
    const stats = await file.stat();
    if (!stats.isFile() || stats.size > sizeLimit) throw new Error("not a file of ours");
    return { text: await file.readFile("utf8"), stats };
  } finally {
    await file.close();
  }
}

function whyExposed(world: Host, key: Stats, directory: Stats): string | undefined {
  // Windows protects by the directory's access list.
  if (world.user === undefined) return undefined;
  const { uid } = world.user;
  const isOurs = key.uid === uid || key.uid === 0 || (uid === 0 && key.uid === directory.uid);
  if (!isOurs) return "the old one's key is another user's";
  return (key.mode & 0o077) === 0 ? undefined : "the old one's key can be read by others";
}

/**
 * Runs `work` while no other process makes key and certificate here.
 *
 * @throws MxtokenError `unwritable`, also where others could put a key of theirs; `unreachable`;
 * Interrupted
 */
export async function withCertificateLock<T>(
  world: World,
  directory: string,
  work: () => Promise<T>,
): Promise<T> {
  await makeDirectory(directory);
  await requireOwnDirectory(world, directory);
  return withLock(world, certificateFiles(directory).key, { onWait: () => undefined }, work);
}

/** Where others can write, a key could be swapped after it was judged. */
async function requireOwnDirectory(world: Host, directory: string): Promise<void> {
  if (world.user === undefined) return;
  const { uid, gid } = world.user;
  const found = await stat(directory).catch((error) => {
    throw unwritable(directory, error);
  });
  // Where every user has a group of their own, new directories are writable for that group.
  const others = found.gid === gid && gid === uid ? 0o002 : 0o022;
  if ((found.uid === uid || uid === 0) && (found.mode & others) === 0) return;
  throw new MxtokenError(
    "unwritable",
    `${directory} belongs to another user or can be written by others, so no key is kept there`,
    { hint: "make it yours alone: chmod 700, or name another --home" },
  );
}

/**
 * Replaces both files, under their lock: both or, when one cannot be, none. A crash between the two
 * leaves a pair that does not match, which is seen when it is read.
 *
 * @throws MxtokenError `unwritable`
 */
export async function writeCertificateFiles(
  world: Clock & Host,
  directory: string,
  pair: KeyPair,
): Promise<void> {
  const files = certificateFiles(directory);
  const place = (path: string) => Reservation.make(world, { path, owner: "of the directory" });
  const key = await place(files.key);
  try {
    const certificate = await place(files.certificate);
    try {
      await key.fill(pair.key.reveal());
      await certificate.fill(pair.certificate);
      await key.replace();
      await certificate.replace();
    } finally {
      await certificate.release();
    }
  } finally {
    await key.release();
  }
}
