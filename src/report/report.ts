import type { FoundProvider } from "../discover/discover.ts";
import type { Event } from "../events.ts";
import type { RunEvent } from "../keep/schedule.ts";
import { imapsyncOptions } from "../programs/imapsync.ts";
import type { ListenerCertificate } from "../sign-in/certificate.ts";
import type { CheckOutcome } from "../tasks/check.ts";
import type { Obtained } from "../tasks/get.ts";
import type { Revoked } from "../tasks/revoke.ts";
import { isoSeconds } from "../token.ts";
import type { World } from "../world/world.ts";
import { describeCertificate } from "./how-to-sign-in.ts";
import { KeepReporter } from "./keep-report.ts";
import { runTellings } from "./keep-tellings.ts";
import { type Line, Output, printable, remedy, Screen } from "./line.ts";
import {
  describePasswordOnly,
  describeProvider,
  passwordOnlyDocument,
  providerDocument,
} from "./provider.ts";
import {
  type Audience,
  isTold,
  type Level,
  levelOf,
  linesOf,
  type ReportOptions,
  type Telling,
} from "./telling.ts";
import { tellings } from "./tellings.ts";
import { errorDocument, expiry, failureOf, timeOf } from "./words.ts";

/** Tells what happened. Everything but what was asked for goes to standard error. */
export class Report {
  readonly #world: World;
  readonly #options: ReportOptions;
  readonly #screen: Screen;
  readonly #output: Output;
  /** what is known all the same when an error is told, as data */
  #besideError: object = {};
  /** whether the answer is a line for every event, instead of one document */
  #isOfLines = false;

  constructor(world: World, options: ReportOptions) {
    this.#world = world;
    this.#options = options;
    this.#screen = new Screen(world.stderr);
    this.#output = new Output(world.stdout);
  }

  /**
   * Who tells of accounts that are kept fresh.
   *
   * @param isTroubleOnly the terminal is another program's, and only what goes wrong is told
   * @param statusFile where all accounts are to be found, if anywhere
   */
  keeping(isTroubleOnly: boolean, statusFile?: string): KeepReporter {
    this.#isOfLines = !isTroubleOnly;
    const options = isTroubleOnly ? { ...this.#options, json: false } : this.#options;
    const audience = isTroubleOnly ? "bystander" : "person";
    const streams = { screen: this.#screen, output: this.#output };
    return new KeepReporter(this.#world, options, streams, { audience, statusFile });
  }

  /** What happens to the command of `mxtoken run`. */
  running(event: RunEvent): void {
    this.#tell(runTellings[event.is], event, "person");
  }

  /** One thing that happened, for the person. */
  event(event: Event): void {
    this.#tell(tellings[event.is], event, "person");
  }

  /** The same for a program that wants a token and nothing else. */
  detail(event: Event): void {
    this.#tell(tellings[event.is], event, "program");
  }

  warning(text: string): void {
    this.#say("warning", [{ say: text, as: "warning" }]);
  }

  /** One protocol step; the caller has blacked out its secrets. */
  trace(line: string): void {
    this.#say("detail", [{ say: line }]);
  }

  /** The result of `mxtoken <address>`. */
  async obtained(outcome: Obtained): Promise<void> {
    const { mailbox, client, tokenFile } = outcome;
    const { platform } = this.#world;
    const side = (of: 1 | 2) => imapsyncOptions(mailbox, tokenFile, of, platform);
    const sides = mailbox.imap === undefined ? undefined : { host1: side(1), host2: side(2) };
    const options: readonly Line[] =
      sides === undefined
        ? []
        : [
            { say: "options for imapsync, to copy from this mailbox:" },
            { command: sides.host1 },
            { say: "and to copy to it:" },
            { command: sides.host2 },
          ];
    this.#say("step", [{ say: expiry(outcome.expiresAt, this.#world.now()) }, ...options]);
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
      expires: timeOf(outcome.expiresAt),
      findings: outcome.findings,
      imapsync: sides,
    });
  }

  /** The result of `mxtoken show`: what was asked for, and nothing beside it. */
  async shown(text: string): Promise<void> {
    await this.#output.write(text);
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
    this.#say("step", [{ say: expiry(expiresAt, this.#world.now()) }]);
    await this.#answer(undefined, {
      account: mailbox.address.text,
      provider: mailbox.provider,
      tokenFile: outcome.tokenFile,
      expires: timeOf(expiresAt),
      findings: outcome.findings,
    });
  }

  /** The result of `mxtoken provider`; where no token opens a mailbox, what to do instead. */
  async provider({ row, evidence }: FoundProvider): Promise<void> {
    if (!("instead" in row)) {
      const found = { row, evidence };
      return this.#answer(describeProvider(found), providerDocument(found));
    }
    // An error follows, and there is one document only.
    if (this.#options.json) this.#besideError = passwordOnlyDocument({ row, evidence });
    else await this.#answer(describePasswordOnly({ row, evidence }), {});
  }

  /** The result of `mxtoken cert`. */
  async certificate(shown: ListenerCertificate): Promise<void> {
    const { files, facts, isNew, renewedBecause } = shown;
    const { certificate: path, key } = files;
    if (isNew) this.event({ is: "certificateMade", path, renewedBecause, command: undefined });
    await this.#answer(describeCertificate(files, facts), {
      certificate: path,
      key,
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
    const stack = this.#options.verbose ? failure.stack.map((copy) => ({ copy })) : [];
    const { message, hint, commands } = failure;
    this.#screen.say([{ say: message }, ...remedy(hint, commands), ...stack]);
    if (this.#options.json) {
      const data = errorDocument(failure);
      const document = this.#isOfLines
        ? { time: isoSeconds(this.#world.now()), event: "ended", message, error: data }
        : { ok: false, error: data, ...this.#besideError, findings: failure.findings };
      const text = JSON.stringify(document, null, this.#isOfLines ? 0 : 2);
      // The status tells the failure even where standard output is gone.
      await this.#output.write(`${text}\n`).catch(() => undefined);
    }
    return failure.exitStatus;
  }

  #tell<E>(telling: Telling<E>, event: E, audience: Audience): void {
    const reader = { columns: this.#screen.columns, now: this.#world.now() };
    if (!isTold(levelOf(telling, event, reader), audience, this.#options)) return;
    this.#screen.say(linesOf(telling, event, reader));
  }

  #say(level: Level, lines: readonly Line[]): void {
    if (isTold(level, "person", this.#options)) this.#screen.say(lines);
  }

  async #answer(text: string | undefined, document: object): Promise<void> {
    const answer = this.#options.json ? JSON.stringify({ ok: true, ...document }, null, 2) : text;
    if (answer !== undefined) await this.#output.write(`${answer}\n`);
  }
}
