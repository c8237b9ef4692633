import type { Facts } from "./causes/cause.ts";
import type { CauseId } from "./causes/diagnose.ts";
import type { Finding } from "./mail-server.ts";
import type { Secret } from "./secret.ts";

/**
 * Exit status of every kind of failure, after sysexits.h (as msmtp and Postfix use it). The key is
 * the error's `code`: scripts see it in `--json`, so it is part of the contract.
 */
export const exitStatus = {
  /** unknown option, bad value, not an address */
  usage: 64,
  /** a file that we were given cannot be understood */
  unreadable: 65,
  /** no provider found for the address */
  noProvider: 68,
  /** a defect of ours */
  defect: 70,
  /** cannot write where we must */
  unwritable: 73,
  /** nobody answered, 5xx, throttled, lock held: nothing was lost, try again later */
  unreachable: 75,
  /** the server answered something that is not the protocol */
  notUnderstood: 76,
  /** a person must sign in (again) */
  signInNeeded: 77,
  /** the person, or the provider on the consent page, said no */
  signInDeclined: 77,
  /** the authorization server refuses the application, not the token */
  applicationRefused: 77,
  /** the mail server refuses the token, or opens no mailbox for it */
  mailboxRefused: 77,
  /** somebody else signed in than the mailbox's person */
  wrongAccount: 77,
  /** unknown application, missing client id or secret, contradictory settings */
  configuration: 78,
} as const;

/** What went wrong, as a stable name. */
export type ErrorCode = keyof typeof exitStatus;

/**
 * Why a `noProvider` is one: beside the code, because what can be done about it differs. Scripts see
 * it in `--json`, so it is part of the contract.
 */
export type NoProviderReason =
  | "noSuchDomain"
  | "noMx"
  | "nullMx"
  /** the MX hosts are of no provider that is known */
  | "unknownMx"
  | "gateway"
  /** the MX hosts are of several, or of one that several share */
  | "severalProviders"
  /** no source says for sure that the MX host is the provider's */
  | "probableProvider"
  /** the provider's IMAP server takes no OAuth 2.0 token */
  | "withoutOAuth"
  /** the token file names one that has no row */
  | "notInCatalogue";

/** Details of an {@link MxtokenError} beside its code and message; its `cause` is another error. */
type ErrorDetails = ErrorOptions & {
  readonly [Name in Exclude<keyof MxtokenError, keyof Error | "code" | "exitStatus" | "with">]?:
    | MxtokenError[Name]
    | undefined;
};

/** What of an {@link MxtokenError} is said otherwise. */
type ErrorChanges = ErrorDetails & Partial<Pick<MxtokenError, "code" | "message">>;

/**
 * The only error that this program throws on purpose. Messages begin in lower case, have no full
 * stop, and say what failed and then why; they never hold a secret.
 */
export class MxtokenError extends Error {
  override readonly name = "MxtokenError";
  readonly code: ErrorCode;
  /** which known failure it is */
  readonly causeId: CauseId | undefined;
  /** what is known of it */
  readonly facts: Facts;
  /** what the person can do next, as one sentence */
  readonly hint: string | undefined;
  /** command lines for it, ready to be copied; they hold no secret */
  readonly commands: readonly string[];
  /** the server's own error code (RFC 6749 section 5.2, RFC 8628 section 3.5) */
  readonly oauthError: string | undefined;
  /** of `noProvider` */
  readonly reason: NoProviderReason | undefined;
  /** how many seconds the server asks us to wait, when it said so */
  readonly retryAfter: number | undefined;
  /** the same may go well later although nobody does anything, as when a vault was not there yet */
  readonly mayPass: boolean;
  /** what a server sent in place of tokens, when they may be in it: to be kept, never to be shown */
  readonly answer: Secret | undefined;
  /** what logins showed, where it is a proof that failed */
  readonly findings: readonly Finding[] | undefined;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.causeId = details.causeId;
    this.facts = details.facts ?? {};
    this.hint = details.hint;
    this.commands = details.commands ?? [];
    this.oauthError = details.oauthError;
    this.reason = details.reason;
    this.retryAfter = details.retryAfter;
    this.mayPass = details.mayPass === true;
    this.answer = details.answer;
    this.findings = details.findings;
  }

  /** The same error with some of it said otherwise; the rest stays, and this one is its cause. */
  with({ code = this.code, message = this.message, ...changes }: ErrorChanges): MxtokenError {
    return new MxtokenError(code, message, { ...this, cause: this, ...changes });
  }

  /** Exit status of the process that ends with this error. */
  get exitStatus(): number {
    return exitStatus[this.code];
  }
}

const signInHint = "somebody must sign in, by this command in a terminal:";

/** The hint of a `signInNeeded` with its command; and before it what may do without a sign-in. */
export function signInHintOf({ causeId, hint }: Partial<MxtokenError> = {}): string {
  return causeId === "tokens-elsewhere" ? `${hint}; or else ${signInHint}` : signInHint;
}

/** Exit status of a process that a signal asked to end: 128 and the signal's number; and the word for it. */
const endingSignals = {
  SIGHUP: { status: 129, word: "hung up" },
  SIGINT: { status: 130, word: "interrupted" },
  SIGTERM: { status: 143, word: "terminated" },
} as const;

/** The process was asked to end; whatever was waited for is given up. */
export class Interrupted extends Error {
  override readonly name = "Interrupted";
  readonly signal: keyof typeof endingSignals;
  /** what logins had shown by then */
  readonly findings: readonly Finding[] | undefined;

  constructor(signal: keyof typeof endingSignals, findings?: readonly Finding[]) {
    super(endingSignals[signal].word);
    this.signal = signal;
    this.findings = findings;
  }

  get exitStatus(): number {
    return endingSignals[this.signal].status;
  }
}
