import { MxtokenError, signInHintOf } from "../errors.ts";
import type { Finding } from "../mail-server.ts";
import type { Settings } from "../settings/settings.ts";
import type { TokenLife } from "../token.ts";

/**
 * What tells an account from every other that is kept, and finds its settings; the same whenever the
 * accounts are read. It is no secret.
 */
export type AccountKey = string;

/** Which account an event is about. */
interface AccountName {
  /** the address; with its provider where another account here has the same */
  readonly label: string;
}

/** An account that is to be kept fresh. */
export interface AccountToKeep extends AccountName {
  readonly key: AccountKey;
  readonly settings: Settings;
  /** the command by which a person signs in */
  signInCommand(): string;
}

/** What can be told of a failure. */
export interface Trouble {
  /** of the MxtokenError; `defect` where it is none */
  readonly code: string;
  readonly reason: string;
  /** the same for failures that differ only in the times and serial numbers of a server's words */
  readonly kind: string;
  /** the same for what many accounts may have in common */
  readonly family: string;
  /** whether a server has answered so, and it is not found out here */
  readonly isAnswer: boolean;
  readonly hint: string | undefined;
  /** command lines, ready to be copied */
  readonly commands: readonly string[];
}

/**
 * What can be told of a failure.
 *
 * @param signInCommand the command by which a person signs in, where the error names none
 */
export function troubleOf(error: unknown, signInCommand: () => string): Trouble {
  if (!(error instanceof MxtokenError)) {
    const name = error instanceof Error ? error.name : typeof error;
    // The message of an unexpected error may quote anything, also a secret.
    const reason = `this is a defect of mxtoken (${name})`;
    const hint = "please report it, with what --verbose prints";
    const kind = `defect ${name}`;
    return { code: "defect", reason, kind, family: kind, isAnswer: false, hint, commands: [] };
  }
  const { code, message: reason, hint, commands, facts } = error;
  const isAnswer = facts.host !== undefined;
  const trouble = { code, reason, kind: kindOf(error), family: familyOf(error), isAnswer };
  if (code !== "signInNeeded" || commands.length > 0) return { ...trouble, hint, commands };
  return { ...trouble, hint: signInHintOf(error), commands: [signInCommand()] };
}

/** The same whatever stands in it of one account alone: its address, its file. */
function familyOf({ code, causeId, facts, reason, hint }: MxtokenError): string {
  const said = facts.said?.replace(/\S+@\S+/g, "@").replace(/[\da-f-]*\d[\da-f-]*/gi, "0");
  const what = causeId ?? `${reason ?? hint}`;
  return [code, what, facts.host, said ?? facts.code].join(" ");
}

/** What a server has said, or how it failed, tells more than what we make of it. */
function kindOf({ code, message, facts }: MxtokenError): string {
  const said = facts.said?.replace(/[\da-f-]*\d[\da-f-]*/gi, "0") ?? facts.code;
  return said === undefined ? `${code} ${message}` : `${code} ${facts.host ?? facts.path} ${said}`;
}

/** What happens to one account. Times are ms since 1970. */
export type AccountEvent =
  /** a new token is stored; `findings` is undefined where no login was due */
  | {
      is: "refreshed";
      life: TokenLife | undefined;
      findings: readonly Finding[] | undefined;
      /** after it could not be had for a while */
      isAgain: boolean;
    }
  /** another process has stored a new token */
  | { is: "refreshedElsewhere"; life: TokenLife | undefined; isAgain: boolean }
  /** the stored token was accepted by a login */
  | {
      is: "proven";
      life: TokenLife | undefined;
      findings: readonly Finding[];
      isAgain: boolean;
    }
  /** what was wrong is not any more, and nothing else had to be done */
  | { is: "worksAgain"; life: TokenLife | undefined }
  /** the mail server was not reachable: what is stored is not proven */
  | { is: "unproven"; trouble: Trouble; life: TokenLife | undefined; nextAt: number }
  /** the token opens the mailbox, and a server for something else refuses it */
  | { is: "partlyRefused"; trouble: Trouble; life: TokenLife | undefined }
  /** nobody answered, so there is no new token now; the old one is kept */
  | { is: "unreachable"; trouble: Trouble; life: TokenLife | undefined; nextAt: number }
  /** the same for what else passes: a full disk, an answer that is not the server's */
  | { is: "failed"; trouble: Trouble; life: TokenLife | undefined; nextAt: number }
  /** the stored token has ended, and there is no new one yet */
  | { is: "expired"; expiresAt: number }
  /** somebody has to do something; it is tried again at a time, or only when the token file changes */
  | {
      is: "refused";
      trouble: Trouble;
      life: TokenLife | undefined;
      nextAt: number | undefined;
    }
  /** the file of a refused account has changed, or the list was read again: it is tried again */
  | { is: "triedAgain" };

/** What happens to all of them. */
type KeeperEvent =
  | { is: "begun"; accounts: number }
  | { is: "clockSet"; ms: number }
  | { is: "listRead"; added: number; removed: number; accounts: number }
  | { is: "listNotRead"; trouble: Trouble }
  | { is: "statusNotWritten"; path: string; trouble: Trouble }
  | { is: "commandFailed"; reason: string }
  | { is: "nothingAlive"; accounts: number }
  | { is: "stopping"; inFlight: number };

export type KeepEvent = KeeperEvent | (AccountEvent & AccountName);

/** How an account stands: what a person looks for first. */
export type State =
  /** not looked at yet */
  | "waiting"
  | "fresh"
  /** a new token could not be had, the old one is still good */
  | "retrying"
  /** no token is good, and a new one is still tried for */
  | "expired"
  /** somebody has to do something */
  | "refused";

/** One account as it stands now. Times are ms since 1970. */
export interface AccountPicture extends AccountName {
  readonly address: string;
  readonly provider: string | undefined;
  readonly tokenFile: string | undefined;
  readonly state: State;
  readonly expiresAt: number | undefined;
  /** when the next step is due; undefined where nothing is done before the token file changes */
  readonly nextAt: number | undefined;
  readonly provenAt: number | undefined;
  readonly last: LastEvent | undefined;
}

export interface LastEvent {
  readonly at: number;
  readonly is: AccountEvent["is"];
  /** what happened, without the account's name */
  readonly message: string;
  /** what a person can type about it */
  readonly commands: readonly string[];
}
