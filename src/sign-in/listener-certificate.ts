import { MxtokenError } from "../errors.ts";
import {
  type CertificateFiles,
  certificateFiles,
  type KeyPair,
  readCertificateFiles,
  type StoredKeyPair,
  withCertificateLock,
  writeCertificateFiles,
} from "../store/certificate-files.ts";
import type { World } from "../world/world.ts";
import {
  type CertificateFacts,
  certificateFacts,
  makeKeyPair,
  whyUnusable,
} from "./certificate.ts";

/** The listener's key and certificate, and where they are kept. */
export interface ListenerCertificate {
  readonly pair: KeyPair;
  readonly facts: CertificateFacts;
  readonly files: CertificateFiles;
  /** whether it was made just now */
  readonly isNew: boolean;
  /** half a sentence: why a former one was replaced, whose trust is void now */
  readonly renewedBecause: string | undefined;
}

/**
 * The certificate of this home: the stored one, or a new one where there is none or it cannot be
 * used (any more).
 *
 * @param renew makes a new one in any case
 * @throws MxtokenError `unwritable`, `unreachable`; Interrupted
 */
export async function listenerCertificate(
  world: World,
  directory: string,
  renew: boolean,
): Promise<ListenerCertificate> {
  const files = certificateFiles(directory);
  const read = async () => judge(await readCertificateFiles(world, directory), world.now());
  const found = renew ? undefined : await read();
  if (found?.is === "pair") return describe(found.pair, files);
  return withCertificateLock(world, directory, async () => {
    const former = await read();
    // Another process may have made one while the lock was waited for.
    if (former.is === "pair" && !renew) return describe(former.pair, files);
    const pair = await makeKeyPair(world.now());
    await writeCertificateFiles(world, directory, pair);
    return { ...describe(pair, files), isNew: true, renewedBecause: reasonFor(former) };
  });
}

function reasonFor(former: StoredKeyPair): string | undefined {
  if (former.is === "nothing") return undefined;
  return former.is === "unusable" ? former.why : "--renew asks for it";
}

/** A certificate that will do, and why it could not be kept, where that is so. */
export interface CertificateForThisRun {
  readonly certificate: ListenerCertificate;
  readonly notKept: string | undefined;
}

/** As {@link listenerCertificate}; where nothing can be written, a certificate for this run only. */
export async function certificateForThisRun(
  world: World,
  directory: string,
): Promise<CertificateForThisRun> {
  try {
    return { certificate: await listenerCertificate(world, directory, false), notKept: undefined };
  } catch (error) {
    if (!(error instanceof MxtokenError)) throw error;
    const pair = await makeKeyPair(world.now());
    const certificate = { ...describe(pair, certificateFiles(directory)), isNew: true };
    return { certificate, notKept: error.message };
  }
}

/** What is stored, and still can be used at this time. */
function judge(stored: StoredKeyPair, now: number): StoredKeyPair {
  if (stored.is !== "pair") return stored;
  const why = whyUnusable(stored.pair, now);
  return why === undefined ? stored : { is: "unusable", why };
}

function describe(pair: KeyPair, files: CertificateFiles): ListenerCertificate {
  const facts = certificateFacts(pair.certificate);
  return { pair, facts, files, isNew: false, renewedBecause: undefined };
}
