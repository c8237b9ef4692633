import { imapsyncOptions } from "../consumer/imapsync.ts";
import { Interrupted, MxtokenError, systemReason } from "../errors.ts";
import type { ListenerCertificate } from "../flow/certificate.ts";
import type { CheckOutcome } from "../flow/check.ts";
import type { Event, Outcome } from "../flow/events.ts";
import type { FoundProvider } from "../flow/identify-provider.ts";
import { isoSeconds } from "../store/token-file.ts";
import type { World } from "../world/world.ts";
import { fold } from "./fold.ts";
import { describeProvider, providerDocument } from "./provider.ts";
import { describe, expiry } from "./sentences.ts";
import { describeCertificate } from "./trust.ts";

/** How much is said, and in which form. */
export interface ReportOptions {
  readonly json: boolean;
  readonly quiet: boolean;
  readonly verbose: boolean;
}

/** What a person must answer or know. */
const neverQuiet: ReadonlySet<Event["is"]> = new Set([
  "signIn",
  "tokenWanted",
  "answerRefused",
  "browserNotOpened",
  "noRefreshToken",
  "finishingRequest",
]);

/** Tells what happened. Everything but what was asked for goes to standard error. */
export class Report {
  readonly #world: World;
  readonly #options: ReportOptions;

  constructor(world: World, options: ReportOptions) {
    this.#world = world;
    this.#options = options;
  }

  /** One thing that happened. With --quiet only what a person must answer is shown. */
  event(event: Event): void {
    const lines = describe(event);
    if (this.#options.quiet && !neverQuiet.has(event.is)) return;
    this.#say(lines);
  }

  warning(text: string): void {
    if (!this.#options.quiet) this.#say([`mxtoken: warning: ${text}`]);
  }

  /** One protocol step, for --verbose; the caller has blacked out its secrets. */
  trace(line: string): void {
    if (this.#options.verbose) this.#say([`mxtoken: ${line}`]);
  }

  /** The result of `mxtoken <address>`. */
  async obtained(outcome: Outcome): Promise<void> {
    const { mailbox, client, tokenFile } = outcome;
    const { platform } = this.#world;
    const options = [1, 2] as const;
    const sides = options.map((side) => imapsyncOptions(mailbox, tokenFile, side, platform));
    if (!this.#options.quiet) {
      this.#say([
        `mxtoken: ${expiry(outcome.expiresAt, this.#world.now())}`,
        "mxtoken: options for imapsync, to copy from this mailbox:",
        `  ${sides[0]}`,
        "mxtoken: and to copy to it:",
        `  ${sides[1]}`,
      ]);
    }
    await this.#answer(tokenFile, {
      account: mailbox.address.text,
      provider: mailbox.provider,
      evidence: outcome.evidence,
      app: client.app,
      client: client.id,
      tenant: client.tenant,
      tokenFile,
      source: outcome.source,
      expires: outcome.expiresAt === undefined ? undefined : isoSeconds(outcome.expiresAt),
      findings: [outcome.finding],
      imapsync: { host1: sides[0], host2: sides[1] },
    });
  }

  /** The result of `mxtoken check`. */
  async checked(outcome: CheckOutcome): Promise<void> {
    const { mailbox, expiresAt } = outcome;
    if (!this.#options.quiet) this.#say([`mxtoken: ${expiry(expiresAt, this.#world.now())}`]);
    await this.#answer(undefined, {
      account: mailbox.address.text,
      provider: mailbox.provider,
      tokenFile: outcome.tokenFile,
      expires: expiresAt === undefined ? undefined : isoSeconds(expiresAt),
      findings: [outcome.finding],
    });
  }

  /** The result of `mxtoken provider`. */
  async provider(found: FoundProvider): Promise<void> {
    await this.#answer(describeProvider(found), providerDocument(found));
  }

  /** The result of `mxtoken cert`. */
  async certificate(shown: ListenerCertificate): Promise<void> {
    const { files, facts, isNew, renewedBecause } = shown;
    if (isNew) {
      this.event({
        is: "certificateMade",
        path: files.certificate,
        renewedBecause,
        command: undefined,
      });
    }
    await this.#answer(describeCertificate(files, facts), {
      certificate: files.certificate,
      key: files.key,
      fingerprint: facts.fingerprint,
      validFrom: isoSeconds(facts.validFrom),
      validTo: isoSeconds(facts.validTo),
      names: facts.names,
    });
  }

  /**
   * What went wrong.
   *
   * @returns the exit status
   */
  async failed(error: unknown): Promise<number> {
    const failure = failureOf(error, this.#world.interrupted);
    this.#say([
      `mxtoken: ${failure.message}`,
      ...(failure.hint === undefined ? [] : [`mxtoken: hint: ${failure.hint}`]),
      ...(this.#options.verbose ? failure.stack : []),
    ]);
    const { code, message, hint, retryAfter, exitStatus } = failure;
    if (this.#options.json) {
      const document = { ok: false, error: { code, exitStatus, message, hint, retryAfter } };
      // The status tells the failure even where standard output is gone.
      await writeAll(this.#world.stdout, `${JSON.stringify(document, null, 2)}\n`).catch(
        () => undefined,
      );
    }
    return exitStatus;
  }

  async #answer(text: string | undefined, document: object): Promise<void> {
    const answer = this.#options.json ? JSON.stringify({ ok: true, ...document }, null, 2) : text;
    if (answer === undefined) return;
    try {
      await writeAll(this.#world.stdout, `${answer}\n`);
    } catch (error) {
      throw new MxtokenError(
        "unwritable",
        `cannot write to standard output: ${systemReason(error)}`,
        {
          cause: error,
        },
      );
    }
  }

  #say(lines: readonly string[]): void {
    if (lines.length === 0) return;
    const { stderr } = this.#world;
    const columns = stderr.isTTY ? stderr.columns : undefined;
    stderr.write(`${lines.map((line) => fold(line, columns)).join("\n")}\n`);
  }
}

function writeAll(stream: World["stdout"], text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.write(text, (error) => (error ? reject(error) : resolve()));
  });
}

interface Failure {
  readonly code: string;
  readonly message: string;
  readonly hint: string | undefined;
  readonly retryAfter: number | undefined;
  readonly exitStatus: number;
  readonly stack: readonly string[];
}

function failureOf(error: unknown, interrupted: AbortSignal): Failure {
  const nothing = { hint: undefined, retryAfter: undefined, stack: [] };
  const cause: unknown = interrupted.aborted ? interrupted.reason : error;
  if (cause instanceof Interrupted) {
    // What went wrong on the way out is told as well: it may be a token that could not be saved.
    const trouble = error instanceof MxtokenError ? error : undefined;
    return {
      ...nothing,
      code: cause.message,
      message: trouble === undefined ? cause.message : `${cause.message}; ${trouble.message}`,
      hint: trouble?.hint,
      exitStatus: cause.exitStatus,
    };
  }
  if (error instanceof MxtokenError) {
    const { code, message, hint, retryAfter, exitStatus } = error;
    return { code, message, hint, retryAfter, exitStatus, stack: [] };
  }
  // The message of an unexpected error may quote anything, also a secret; where it happened cannot.
  const name = error instanceof Error ? error.name : typeof error;
  const stack = error instanceof Error ? (error.stack ?? "").split("\n") : [];
  return {
    ...nothing,
    code: "defect",
    message: `this is a defect of mxtoken (${name})`,
    hint: "please report it, with what --verbose prints",
    exitStatus: new MxtokenError("defect", "").exitStatus,
    stack: stack.filter((line) => /^\s+at /.test(line)),
  };
}
