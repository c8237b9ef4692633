import { MxtokenError, systemReason } from "../errors.ts";
import type { Event } from "../events.ts";
import type { RunEvent } from "../keep/supervised-command.ts";
import type { Outcome } from "../life/job.ts";
import { imapsyncOptions } from "../programs/imapsync.ts";
import type { ListenerCertificate } from "../sign-in/certificate.ts";
import type { CheckOutcome } from "../tasks/check.ts";
import type { FoundProvider } from "../tasks/identify-provider.ts";
import type { Revoked } from "../tasks/revoke.ts";
import { isoSeconds } from "../time.ts";
import type { World } from "../world/world.ts";
import { failureOf } from "./failure.ts";
import { neverQuiet, warnings } from "./importance.ts";
import { KeepReporter } from "./keep.ts";
import type { ReportOptions } from "./options.ts";
import { describePasswordOnly, passwordOnlyDocument } from "./password-only.ts";
import { printable } from "./printable.ts";
import { describeProvider, providerDocument } from "./provider.ts";
import { describeRunEvent } from "./run-sentences.ts";
import { Screen } from "./screen.ts";
import { describe, expiry } from "./sentences.ts";
import { describeCertificate } from "./trust.ts";

/** Bytes that may wait on standard output. */
const dataLimit = 16 * 1024 * 1024;

/** Tells what happened. Everything but what was asked for goes to standard error. */
export class Report {
  readonly #world: World;
  readonly #options: ReportOptions;
  readonly #screen: Screen;
  /** what is known all the same when an error is told, as data */
  #besideError: object = {};
  /** whether the answer is a line for every event, instead of one document */
  #isOfLines = false;

  constructor(world: World, options: ReportOptions) {
    this.#world = world;
    this.#options = options;
    this.#screen = new Screen(world.stderr);
  }

  /**
   * Who tells of accounts that are kept fresh.
   *
   * @param isTroubleOnly the terminal is another program's, and only what goes wrong is told
   */
  keeping(isTroubleOnly: boolean): KeepReporter {
    this.#isOfLines = !isTroubleOnly;
    const outlet = {
      say: (lines: readonly string[]) => this.#screen.say(lines),
      data: (line: string) => this.#data(line),
      foot: (lines: readonly string[]) => this.#screen.foot(lines),
    };
    const options = isTroubleOnly ? { ...this.#options, json: false } : this.#options;
    return new KeepReporter(this.#world, options, outlet, isTroubleOnly);
  }

  /** What happens to the command of `mxtoken run`. With --quiet only how it ended is told. */
  running(event: RunEvent): void {
    const isStart = event.is === "started" && event.restarts === 0;
    if (isStart && !this.#options.verbose) return;
    if (this.#options.quiet && ["started", "waitingForToken"].includes(event.is)) return;
    this.#screen.say(describeRunEvent(event));
  }

  /** One thing that happened. With --quiet only what a person must answer is shown. */
  event(event: Event): void {
    if (event.is === "proven") this.#besideError = { findings: event.findings };
    const lines = describe(event, this.#screen.columns);
    if (this.#options.quiet && !neverQuiet.has(event.is)) return;
    this.#screen.say(lines);
  }

  /** The same for a program that wants a token and nothing else: only with --verbose is it told. */
  detail(event: Event): void {
    if (this.#options.verbose || neverQuiet.has(event.is) || warnings.has(event.is))
      this.event(event);
  }

  warning(text: string): void {
    if (!this.#options.quiet) this.#screen.say([`mxtoken: warning: ${text}`]);
  }

  /** One protocol step, for --verbose; the caller has blacked out its secrets. */
  trace(line: string): void {
    if (this.#options.verbose) this.#screen.say([`mxtoken: ${line}`]);
  }

  /** The result of `mxtoken <address>`. */
  async obtained(outcome: Outcome): Promise<void> {
    const { mailbox, client, tokenFile } = outcome;
    const { platform } = this.#world;
    const sides =
      mailbox.imap === undefined
        ? undefined
        : ([1, 2] as const).map((side) => imapsyncOptions(mailbox, tokenFile, side, platform));
    if (!this.#options.quiet) {
      this.#screen.say([
        `mxtoken: ${expiry(outcome.expiresAt, this.#world.now())}`,
        ...(sides === undefined
          ? []
          : [
              "mxtoken: options for imapsync, to copy from this mailbox:",
              `  ${sides[0]}`,
              "mxtoken: and to copy to it:",
              `  ${sides[1]}`,
            ]),
      ]);
    }
    // For a script it is the path as it is.
    const path = this.#world.stdout.isTTY === true ? printable(tokenFile) : tokenFile;
    await this.#answer(path, {
      account: mailbox.address.text,
      provider: mailbox.provider,
      evidence: outcome.evidence,
      app: client.app,
      client: client.id,
      tenant: client.tenant,
      tokenFile,
      source: outcome.source,
      expires: outcome.expiresAt === undefined ? undefined : isoSeconds(outcome.expiresAt),
      findings: outcome.findings,
      imapsync: sides && { host1: sides[0], host2: sides[1] },
    });
  }

  /** The result of `mxtoken show`: what was asked for, and nothing beside it. */
  async shown(text: string): Promise<void> {
    await this.#write(text);
  }

  /** The result of `mxtoken revoke`. */
  async revoked(accounts: readonly Revoked[]): Promise<void> {
    await this.#answer(undefined, { revoked: accounts });
  }

  /** What is known all the same when an error is told, as data. */
  beside(known: object): void {
    this.#besideError = known;
  }

  /** The result of `mxtoken check`. */
  async checked(outcome: CheckOutcome): Promise<void> {
    const { mailbox, expiresAt } = outcome;
    if (!this.#options.quiet)
      this.#screen.say([`mxtoken: ${expiry(expiresAt, this.#world.now())}`]);
    await this.#answer(undefined, {
      account: mailbox.address.text,
      provider: mailbox.provider,
      tokenFile: outcome.tokenFile,
      expires: expiresAt === undefined ? undefined : isoSeconds(expiresAt),
      findings: outcome.findings,
    });
  }

  /** The result of `mxtoken provider`; where no token opens a mailbox, what to do instead. */
  async provider({ row, evidence }: FoundProvider): Promise<void> {
    if (!("instead" in row)) {
      const found = { row, evidence };
      await this.#answer(describeProvider(found), providerDocument(found));
      return;
    }
    // An error follows, and there is one document only.
    if (this.#options.json) this.#besideError = passwordOnlyDocument({ row, evidence });
    else await this.#answer(describePasswordOnly({ row, evidence }), {});
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
    this.#screen.say([
      `mxtoken: ${failure.message}`,
      ...(failure.hint === undefined ? [] : [`mxtoken: hint: ${failure.hint}`]),
      ...failure.commands.map((command) => `  ${command}`),
      ...(this.#options.verbose ? failure.stack : []),
    ]);
    const { code, reason, message, hint, retryAfter, exitStatus, oauthError } = failure;
    if (this.#options.json) {
      const commands = failure.commands.length === 0 ? undefined : failure.commands;
      const error = { code, reason, oauthError, exitStatus, message, hint, commands, retryAfter };
      const document = this.#isOfLines
        ? JSON.stringify({ time: isoSeconds(this.#world.now()), event: "ended", message, error })
        : JSON.stringify({ ok: false, error, ...this.#besideError }, null, 2);
      // The status tells the failure even where standard output is gone.
      await writeAll(this.#world.stdout, `${document}\n`).catch(() => undefined);
    }
    return exitStatus;
  }

  /** A line of data; where nobody takes them, a month of them would fill the memory. */
  #data(line: string): void {
    const { stdout } = this.#world;
    if (stdout.writableLength < dataLimit) stdout.write(`${line}\n`);
  }

  async #answer(text: string | undefined, document: object): Promise<void> {
    const answer = this.#options.json ? JSON.stringify({ ok: true, ...document }, null, 2) : text;
    if (answer !== undefined) await this.#write(`${answer}\n`);
  }

  async #write(text: string): Promise<void> {
    try {
      await writeAll(this.#world.stdout, text);
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
}

function writeAll(stream: World["stdout"], text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.write(text, (error) => (error ? reject(error) : resolve()));
  });
}
