import type { Readable, Writable } from "node:stream";
import type { SecureContext } from "node:tls";
import type { Interrupted } from "../errors.ts";

/** A stream that may be a terminal. */
export type Input = Readable & { isTTY?: boolean; setRawMode?(on: boolean): unknown };
export type Output = Writable & {
  readonly isTTY?: boolean;
  readonly columns?: number | undefined;
  readonly rows?: number | undefined;
};

/** Variables of an environment, by their names. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** One HTTPS request. Redirects are never followed: a token request must not travel on. */
export interface HttpRequest {
  readonly method: "GET" | "POST";
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  /** one more certificate authority, PEM */
  readonly ca?: string | undefined;
  readonly signal: AbortSignal;
}

/** The header fields of an answer, by their names in lower case; many of one name are one, with commas. */
export interface HttpHeaders {
  get(name: string): string | null;
}

/** The whole answer; a body over 1 MiB is cut off there and `truncated` is true. */
export interface HttpReply {
  readonly status: number;
  readonly headers: HttpHeaders;
  readonly body: string;
  readonly truncated: boolean;
  /** the content coding that could not be undone (RFC 9110 section 8.4): `body` is what came, in base64 */
  readonly undecoded?: string | undefined;
}

/** What a child process left behind. `status` is null when it was killed. */
export interface CommandResult {
  readonly status: number | null;
  readonly stdout: string;
}

/** A program without a shell, or a command line with one. */
export type Runnable =
  | { readonly shell: string }
  | { readonly file: string; readonly args: readonly string[] };

/** How a program is run. */
export interface RunOptions {
  /** beside the environment of this process without its secrets; undefined takes a variable out */
  readonly env?: Environment;
  /** whether it is a process group of its own, which ends as a whole; not for what asks at a terminal */
  readonly isGroup?: boolean;
  /** ends it; by default the signals that ask this process to end */
  readonly stop?: AbortSignal;
}

/** A signal that a person or the system sends to a process. */
export type SignalName = "SIGINT" | "SIGTERM" | "SIGHUP" | "SIGQUIT" | "SIGUSR1" | "SIGUSR2";

/** How a child process ended: with a status, or by a signal. */
export type Ending =
  | { readonly status: number; readonly signal?: undefined }
  | { readonly signal: NodeJS.Signals; readonly status?: undefined };

/** A child process that has standard input, output and error of this one. */
export interface Child {
  /** rejects with a system error when it cannot be started */
  readonly ended: Promise<Ending>;
  /** sends it a signal; does nothing after its end */
  kill(signal: SignalName): void;
}

/** HTTPS requests that may share connections. */
export interface HttpPool {
  readonly http: Net["http"];
  close(): Promise<void>;
}

/** What time it is, and waiting. */
export interface Clock {
  /** milliseconds since 1970 */
  now(): number;
  /** from 0 up to, and without, 1; for jitter, not for secrets */
  random(): number;
  /** resolves after `ms`; rejects at once when `stop` aborts, by default {@link Stop.interrupted} */
  sleep(ms: number, stop?: AbortSignal): Promise<void>;
  /** runs it after `ms`, unless the function that is returned is called before */
  after(ms: number, run: () => void): () => void;
  /** a signal that aborts after `ms`, unless `cancel` aborts before */
  deadline(ms: number, cancel?: AbortSignal): AbortSignal;
}

/** Whoever else is on the network. */
export interface Net {
  /** throws `unreachable` (network, TLS, deadline) and nothing else on purpose */
  http(request: HttpRequest): Promise<HttpReply>;
  /** the same for many requests in a row, which share their connections */
  httpPool(): HttpPool;
  /** the system's resolvers, in their order: `IP`, `IP:PORT` or `[IPV6]:PORT` */
  resolvers(): Promise<readonly string[]>;
  /** the system's certificate authorities and one more (PEM), for a TLS connection */
  trust(ca: string | undefined): SecureContext | undefined;
  /** one line about a protocol step, secrets already blacked out; does nothing unless --verbose */
  trace(line: string): void;
}

/** The machine, as the user of this process has it, and its other programs. */
export interface Host {
  readonly env: Environment;
  readonly platform: NodeJS.Platform;
  /** the command by which this very program is run again; absolute where the process is its own */
  readonly program: readonly string[];
  /** the current directory, absolute */
  readonly cwd: string;
  /** numeric ids of the user, undefined on Windows */
  readonly user: { readonly uid: number; readonly gid: number } | undefined;
  /** the per-user data directory of this program, absolute */
  readonly dataDirectory: string | undefined;
  /** runs a program and reads its standard output; its stderr is the user's */
  run(command: Runnable, options?: RunOptions): Promise<CommandResult>;
  /** whether a program of this name could be started */
  isProgram(file: string): Promise<boolean>;
  /** starts a program without a shell, which takes this one's place at the terminal */
  start(file: string, args: readonly string[], env: RunOptions["env"]): Promise<Child>;
  /** opens an address in the person's browser; rejects with an Error whose message is the reason */
  openBrowser(url: string): Promise<void>;
}

/** The streams of the process, and the terminal that a person may sit at. */
export interface Terminal {
  readonly stdin: Input;
  readonly stdout: Output;
  readonly stderr: Output;
  /** whether the terminal that standard error was shown on has been closed */
  isTerminalGone(): boolean;
  /** whether a terminal's Ctrl-C reaches this process, and by itself every child of it */
  isInForeground(): boolean;
}

/** Whoever asks the process to end. */
export interface Stop {
  /** aborts with an {@link Interrupted} as reason when the process is asked to end */
  readonly interrupted: AbortSignal;
  /** asks the process to end, as the signal would: a terminal in raw mode sends none on Ctrl-C */
  interrupt(signal: Interrupted["signal"]): void;
  /** hears of a signal instead of `interrupted`, until the function that is returned is called */
  onSignal(name: SignalName, listener: () => void): () => void;
}

/**
 * Everything outside the program. The program is one function of its arguments and a world, so a
 * test moves the clock, answers the questions and reads the streams without touching `process`.
 */
export interface World extends Clock, Net, Host, Terminal, Stop {}

/** A world, or some ports of one, with some members in place of others; the rest stays what it is. */
export function withWorld<Some extends Partial<World>>(world: Some, members: Partial<World>): Some {
  return Object.create(world, Object.getOwnPropertyDescriptors(members));
}
