import { MxtokenError } from "../errors.ts";
import type { Life } from "../life/life.ts";
import type { ExpectedAnswer } from "../oauth/authorization-response.ts";
import type { Catcher, CatcherPages } from "./catcher.ts";
import {
  type CertificateForThisRun,
  certificateForThisRun,
  type ListenerCertificate,
} from "./listener-certificate.ts";
import type { ListenerSettings, LoopbackRedirect } from "./redirect.ts";

/** How the person signs in and how the answer comes back. */
export interface BrowserSettings {
  /** a browser may be opened here */
  readonly open: boolean;
  /** `--remotebrowser`: the browser is on another machine */
  readonly isRemote: boolean;
  readonly listener: ListenerSettings;
  /** where the listener's certificate is kept, absolute */
  readonly certificateDirectory: string;
  /** the command that shows this very certificate */
  readonly certificateCommand: string;
  readonly pages: CatcherPages;
}

/** The listener and what a person must know of it. */
export interface Listening {
  readonly catcher: Catcher;
  /** for HTTPS */
  readonly certificate: ListenerCertificate | undefined;
  /** whether it is the stored one, which a browser can be made to trust */
  readonly isCertificateKept: boolean;
}

/** A remote browser comes back through a tunnel only, and that needs a port that is known. */
export function wantsListener(browser: BrowserSettings): boolean {
  return !browser.isRemote || browser.listener.port !== undefined;
}

/**
 * Waits for the answer on loopback, where the redirect URI leads there. Nothing that goes wrong
 * here ends the sign-in: the answer can always be pasted.
 *
 * @returns undefined where there is nothing to listen for, or it cannot be
 * @throws Interrupted
 */
export async function listen(
  job: Life,
  redirect: LoopbackRedirect | undefined,
  browser: BrowserSettings,
  expected: ExpectedAnswer,
): Promise<Listening | undefined> {
  if (redirect === undefined || !wantsListener(browser)) return undefined;
  const { certificateDirectory, certificateCommand, pages } = browser;
  const made =
    redirect.scheme === "https"
      ? await certificateForThisRun(job.world, certificateDirectory)
      : undefined;
  if (made !== undefined) tellOf(job, made, certificateCommand);
  // Node's HTTPS server takes its time to load, and most runs need none.
  const { startCatcher } = await import("./catcher.ts");
  try {
    const keyPair = made?.certificate.pair;
    const catcher = await startCatcher(job.world, { redirect, keyPair, expected, pages });
    return {
      catcher,
      certificate: made?.certificate,
      isCertificateKept: made !== undefined && made.notKept === undefined,
    };
  } catch (error) {
    if (!(error instanceof MxtokenError)) throw error;
    job.tell({ is: "cannotListen", reason: error.message });
    return undefined;
  }
}

function tellOf({ tell }: Life, made: CertificateForThisRun, command: string): void {
  const { certificate, notKept } = made;
  if (notKept !== undefined) {
    tell({ is: "certificateNotKept", reason: notKept });
  } else if (certificate.isNew) {
    const { files, renewedBecause } = certificate;
    tell({ is: "certificateMade", path: files.certificate, renewedBecause, command });
  }
}
