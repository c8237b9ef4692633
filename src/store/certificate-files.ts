import { lstat, readFile, stat, unlink } from "node:fs/promises";
import { join } from "node:path";
import type { KeyPair } from "../grant/certificate.ts";
import { Secret } from "../secret.ts";
import type { World } from "../world/world.ts";
import { reserve } from "./atomic.ts";
import { makeDirectory } from "./directory.ts";
import { withLock } from "./lock.ts";

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

/** What stands in the files, and what is wrong with them where somebody else had his hands on it. */
export interface StoredKeyPair {
  readonly pair: KeyPair;
  /** half a sentence */
  readonly exposed: string | undefined;
}

/** @returns undefined where one of the two is missing or cannot be read */
export async function readCertificateFiles(
  world: World,
  files: CertificateFiles,
): Promise<StoredKeyPair | undefined> {
  try {
    const exposed = whyExposed(world, await stat(files.key));
    const [key, certificate] = await Promise.all([
      readFile(files.key, "utf8"),
      readFile(files.certificate, "utf8"),
    ]);
    return { pair: { key: new Secret(key), certificate }, exposed };
  } catch {
    return undefined;
  }
}

function whyExposed(world: World, key: { uid: number; mode: number }): string | undefined {
  // Windows protects by the directory's access list.
  if (world.user === undefined) return undefined;
  if (key.uid !== world.user.uid && key.uid !== 0) return "the old one's key is another user's";
  return (key.mode & 0o077) === 0 ? undefined : "the old one's key can be read by others";
}

/**
 * Runs `work` while no other process makes key and certificate here.
 *
 * @throws MxtokenError `unwritable`, `unreachable`; Interrupted
 */
export async function withCertificateLock<T>(
  world: World,
  directory: string,
  work: () => Promise<T>,
): Promise<T> {
  await makeDirectory(directory);
  return withLock(world, certificateFiles(directory).key, () => undefined, work);
}

/**
 * Replaces both files, under their lock. A crash between the two leaves a pair that does not
 * match, which is seen when it is read.
 *
 * @throws MxtokenError `unwritable`
 */
export async function writeCertificateFiles(
  world: World,
  files: CertificateFiles,
  pair: KeyPair,
): Promise<void> {
  const contents = [
    [files.key, pair.key.reveal()],
    [files.certificate, pair.certificate],
  ] as const;
  for (const [path, content] of contents) {
    await removeFile(path);
    const reservation = await reserve(world, path, undefined);
    try {
      await reservation.commit(content);
    } finally {
      await reservation.release();
    }
  }
}

/** A new key takes over neither owner nor rights of the one before. */
async function removeFile(path: string): Promise<void> {
  const found = await lstat(path).catch(() => undefined);
  if (found?.isFile()) await unlink(path).catch(() => undefined);
}
