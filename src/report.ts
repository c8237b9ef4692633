import { showEndpoint } from "./config/endpoint.ts";
import { imapsyncOptions } from "./consumer/imapsync.ts";
import { Interrupted, MxtokenError, systemReason } from "./errors.ts";
import type { CheckOutcome } from "./flow/check.ts";
import type { Event, Outcome } from "./flow/events.ts";
import { isoSeconds } from "./store/token-file.ts";
import type { Finding } from "./verify/finding.ts";
import type { World } from "./world/world.ts";

/** How much is said, and in which form. */
export interface ReportOptions {
  readonly json: boolean;
  readonly quiet: boolean;
  readonly verbose: boolean;
}

/** What a person must answer. */
const questions: ReadonlySet<Event["is"]> = new Set(["signIn", "tokenWanted", "pasteRefused"]);

/**
 * Puts findings, events and errors into words: the only file with prose. Everything but what was
 * asked for goes to standard error.
 */
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
    const isQuestion = questions.has(event.is);
    if (this.#options.quiet && !isQuestion) return;
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
    if (lines.length > 0) this.#world.stderr.write(`${lines.join("\n")}\n`);
  }
}

function writeAll(stream: World["stdout"], text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.write(text, (error) => (error ? reject(error) : resolve()));
  });
}

function describe(event: Event): string[] {
  switch (event.is) {
    case "started": {
      const { mailbox, client, tokenFile } = event;
      return [
        `mxtoken: ${mailbox.address.text} at ${mailbox.provider} (${mailbox.title}), as ${client.consentName === undefined ? "an application of your own" : `the application ${client.app}`}`,
        `mxtoken: token file ${tokenFile}`,
      ];
    }
    case "otherProvidersFile":
      return [`mxtoken: ${event.tokenFile} belongs to ${event.provider} and is left alone`];
    case "readableByEverybody":
      return [`mxtoken: warning: ${event.tokenFile} can be read by everybody on this machine`];
    case "proving":
      return [`mxtoken: logging in to ${showEndpoint(event.mailbox.imap)}`];
    case "storedExpired":
      return [`mxtoken: the stored access token expired at ${isoSeconds(event.expiresAt)}`];
    case "storedProven":
      return [
        `mxtoken: stored token: ${sentence(event.finding)}; getting a fresh one all the same`,
      ];
    case "waitingForLock":
      return [`mxtoken: waiting for another process that holds the lock of ${event.tokenFile}`];
    case "waitingForOther":
      return ["mxtoken: another process has refreshed this account; waiting for its proof"];
    case "otherRefreshed":
      return ["mxtoken: another process has just refreshed this account; using its token"];
    case "refreshing":
      return ["mxtoken: asking for a new access token with the refresh token"];
    case "finishingRequest":
      return [
        "mxtoken: a request is on its way and may have spent the refresh token: waiting up to 10 seconds to save the answer",
      ];
    case "refreshed":
      return [
        event.newRefreshToken
          ? "mxtoken: got a new access token and a new refresh token"
          : "mxtoken: got a new access token; the refresh token stays the same",
      ];
    case "signIn":
      return signIn(event);
    case "tokenWanted":
      return [`mxtoken: paste the ${event.what} and press Enter (the text is not shown):`];
    case "pasteRefused":
      return [`mxtoken: not usable: ${event.reason}`, "mxtoken: paste again:"];
    case "stateUnchecked":
      return [
        "mxtoken: a bare code carries no state, so whether it answers this very sign-in cannot be checked",
      ];
    case "exchanging":
      return ["mxtoken: exchanging the code for a token"];
    case "noRefreshToken":
      return [
        "mxtoken: warning: the server gave no refresh token: when this access token ends, somebody must sign in again",
      ];
    case "proven":
      // What was not accepted ends the run, and is told as its error.
      return event.finding.result === "accepted" ? [`mxtoken: ${sentence(event.finding)}`] : [];
  }
}

function signIn(event: Extract<Event, { is: "signIn" }>): string[] {
  const { account, consentName, redirectUri, timeout, why } = event;
  const consent =
    consentName === undefined
      ? []
      : [
          `mxtoken: the consent page will say ${consentName}: mxtoken acts as that application;`,
          "mxtoken: to use one of your own, pass --client-id, --redirect-uri and, if it has one, its secret",
        ];
  return [
    `mxtoken: a sign-in is needed: ${why}`,
    `mxtoken: sign in as ${account} with any browser on any machine, at this address:`,
    "",
    event.url,
    "",
    ...consent,
    `mxtoken: in the end the browser goes to ${redirectUri}, a page that ${isLoopback(redirectUri) ? "cannot be reached: that is as it should be" : "may show a code"};`,
    `mxtoken: copy the whole address of that page within ${duration(timeout)} and paste it here${event.isTerminal ? ", then press Enter (the text is not shown)" : ""}:`,
  ];
}

function duration(seconds: number): string {
  return seconds % 60 === 0 ? count(seconds / 60, "minute") : count(seconds, "second");
}

function isLoopback(redirectUri: string): boolean {
  const { hostname } = new URL(redirectUri);
  return hostname === "localhost" || hostname === "[::1]" || hostname.startsWith("127.");
}

/** A login in one sentence without a full stop. */
export function sentence(finding: Finding): string {
  const where = showEndpoint(finding);
  if (finding.result !== "accepted") return finding.reason;
  const { user, mechanism, folders, messages } = finding;
  return `proven by IMAP login to ${where} as ${user} with ${mechanism}: ${count(folders, "folder")}, ${count(messages, "message")} in INBOX`;
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}

function expiry(expiresAt: number | undefined, now: number): string {
  if (expiresAt === undefined) return "the server did not say when the access token expires";
  const minutes = Math.floor((expiresAt - now) / 60_000);
  return `the access token expires at ${isoSeconds(expiresAt)}, in ${count(minutes, "minute")}`;
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
    return {
      ...nothing,
      code: cause.message,
      message: cause.message,
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
