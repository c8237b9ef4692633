import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { main } from "../../src/cli/main.ts";
import { type Certificates, issueCertificates, temporaryDirectory } from "./certificates.ts";
import { type ImapPeer, startImapPeer } from "./imap-peer.ts";
import { RotatingAccount, startTokenEndpoint, type TokenEndpoint } from "./token-endpoint.ts";
import { noon, type TestWorld, testWorld } from "./world.ts";

export const user = "foo@example.test";

/** A mailbox with a scripted token endpoint and a scripted IMAP server, and its token file. */
export interface Scene {
  readonly directory: string;
  readonly certificates: Certificates;
  readonly endpoint: TokenEndpoint;
  readonly imap: ImapPeer;
  readonly account: RotatingAccount;
  readonly tokenFile: string;
  /** options that lead the program to these servers */
  readonly options: string[];
  world(env?: Record<string, string>): TestWorld;
  /** runs the program in this process, with nothing on standard input */
  run(args?: readonly string[], world?: TestWorld): Promise<Result>;
  /** what the token file holds, or undefined */
  read(): string | undefined;
  /** files beside the token file that keep what could not be put into it, absolute */
  kept(): string[];
  lines(): { accessToken: string | undefined; refreshToken: string | undefined };
  /** puts a token file there, as an earlier run would have left it */
  write(content: string | Uint8Array): void;
  close(): Promise<void>;
}

export interface Result {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Of scenes that are closed: to issue them and to read the authority takes longer than a whole run. */
const issued: Certificates[] = [];

/** Scenes that are open at the same time have authorities of their own. */
async function certificatesIn(directory: string): Promise<Certificates> {
  const former = issued.pop();
  if (former === undefined) return issueCertificates(directory);
  const caFile = join(directory, basename(former.caFile));
  writeFileSync(caFile, former.ca);
  return { ...former, caFile };
}

export async function setScene(): Promise<Scene> {
  const directory = temporaryDirectory();
  const certificates = await certificatesIn(directory);
  const endpoint = await startTokenEndpoint(certificates);
  const imap = await startImapPeer(certificates);
  const account = new RotatingAccount();
  endpoint.answer = account.answer;
  const tokenFile = join(directory, "tokens", `oauth2_tokens_${user}.txt`);
  const options = [
    ...["--provider", "google", "--client-id", "test-client", "--scope", "mail"],
    ...["--authorize-uri", "https://localhost/authorize", "--token-uri", endpoint.uri],
    ...["--imap-server", `localhost:${imap.port}`, "--ca-file", certificates.caFile],
    ...["--home", directory],
  ];
  const world = (env?: Record<string, string>) =>
    testWorld({ cwd: directory, ...(env === undefined ? {} : { env }) });
  const read = () => {
    try {
      return readFileSync(tokenFile, "utf8");
    } catch {
      return undefined;
    }
  };
  return {
    directory,
    certificates,
    endpoint,
    imap,
    account,
    tokenFile,
    options,
    world,
    read,
    run: (args = [user, ...options], into = world()) => runMain(args, into),
    kept: () => keptBeside(tokenFile),
    lines() {
      const [accessToken, refreshToken] = (read() ?? "").split("\n");
      return { accessToken, refreshToken };
    },
    write(content) {
      mkdirSync(dirname(tokenFile), { recursive: true });
      writeFileSync(tokenFile, content);
      chmodSync(tokenFile, 0o600);
      // Neither the clock of a test world nor the real one is earlier.
      const writtenAt = new Date(Math.min(noon, Date.now()));
      utimesSync(tokenFile, writtenAt, writtenAt);
    },
    async close() {
      await endpoint.close();
      await imap.close();
      if (!issued.includes(certificates)) issued.push(certificates);
    },
  };
}

/** Files beside a token file that keep what could not be put into it, absolute. */
export function keptBeside(tokenFile: string): string[] {
  const directory = dirname(tokenFile);
  return readdirSync(directory)
    .filter((name) => name.startsWith(`.${basename(tokenFile)}.kept-`))
    .sort()
    .map((name) => join(directory, name));
}

/** Runs the program in this process, with nothing on standard input. */
export async function runMain(args: readonly string[], world: TestWorld): Promise<Result> {
  if (!world.stdin.writableEnded) world.stdin.end();
  const status = await main(args, world);
  return { status, ...world.written };
}

/** A token file as mxtoken writes it. */
export function tokenFileText(
  accessToken: string,
  refreshToken: string,
  notes: Record<string, string> = {},
): string {
  const all = {
    Account: user,
    Provider: "google",
    App: "own",
    Client: "test-client",
    Scope: "mail",
    // Of a test world's hour, unless the test says another one.
    ...(notes["Expires"] === undefined ? { Issued: "2026-11-20T12:00:00Z" } : {}),
    Expires: "2026-11-20T13:00:00Z",
    ...notes,
  };
  const comments = Object.entries(all).map(([title, value]) => `# ${title}: ${value}`);
  return `${[accessToken, refreshToken, "# Line 1 is the access token.", ...comments].join("\n")}\n`;
}

/** The text of a token file as it was before a refusal was remembered in it. */
export function withoutRefusal(text: string | undefined): string | undefined {
  return text?.replace(/^# Refused: .*\n/m, "");
}
