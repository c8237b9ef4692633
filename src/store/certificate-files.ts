import { constants, type Stats } from "node:fs";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { MxtokenError } from "../errors.ts";
import { Secret } from "../secret.ts";
import { systemCode } from "../system-error.ts";
import type { Clock, Host, World } from "../world/world.ts";
import { OpenFile, unwritable } from "./disk.ts";
import { withLock } from "./lock.ts";
import { isWritableByOthers } from "./places.ts";
import { Reservation } from "./reservation.ts";
import { makeDirectory } from "./rights.ts";

/** Key and certificate of the listener on `https://localhost`, both PEM. */
export interface KeyPair {
  readonly key: Secret;
  readonly certificate: string;
}

/** Where key and certificate of the listener are kept. */
export type CertificateFiles = Readonly<Record<keyof KeyPair, string>>;

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
  // Windows has neither O_NONBLOCK nor O_NOFOLLOW; undefined counts as 0.
  const flags = O_RDONLY | O_NONBLOCK | O_NOFOLLOW;
  const file = await OpenFile.open(path, flags).catch((error) => {
    if (systemCode(error) === "ENOENT") return undefined;
    throw error;
  });
  if (file === undefined) return undefined;
  try {
    const stats = file.stat();
    if (!stats.isFile() || stats.size > sizeLimit) throw new Error("not a file of ours");
    return { text: file.read().toString("utf8"), stats };
  } finally {
    file.close();
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
  const { user } = world;
  if (user === undefined) return;
  const found = await stat(directory).catch((error) => {
    throw unwritable(directory, error);
  });
  const isOurs = found.uid === user.uid || user.uid === 0;
  if (isOurs && !isWritableByOthers(found, user)) return;
  const why = "belongs to another user or can be written by others, so no key is kept there";
  const hint = "make it yours alone: chmod 700, or name another --home";
  throw new MxtokenError("unwritable", `${directory} ${why}`, { hint });
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
