import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Certificates, issueCertificates } from "../../test/scene/certificates.ts";
import { type ImapPeer, startImapPeer } from "../../test/scene/imap-peer.ts";
import { type Run, runProgram } from "../../test/scene/program.ts";
import { Account } from "./account.ts";
import { SmallDisk } from "./disk.ts";
import type { Mode } from "./plan.ts";
import { TokenServer } from "./server.ts";

type Accounts = readonly [Account, ...Account[]];

interface Extra {
  readonly more?: readonly string[];
  readonly env?: Record<string, string>;
}

/** What must reach no endpoint but one that the same person has named. */
export const clientSecret = "the-secret-of-the-client";

/** Servers, a disk and a home directory, where one round after the other is played. */
export class Lane {
  readonly server: TokenServer;
  /** where nothing of a person's may be sent */
  readonly elsewhere: TokenServer;
  readonly disk: SmallDisk;
  /** `--home` of the program, on the disk that may be full */
  readonly home: string;
  /** the home directory and the temporary one of whoever calls it, on another disk */
  readonly person: string;
  readonly #imap: ImapPeer;
  readonly #caFile: string;
  readonly #running = new Set<Run>();

  static async open(directory: string): Promise<Lane> {
    mkdirSync(directory);
    const certificates = await issueCertificates(directory);
    return new Lane(directory, certificates, {
      server: await TokenServer.start(certificates),
      elsewhere: await TokenServer.start(certificates),
      imap: await startImapPeer(certificates),
    });
  }

  constructor(
    directory: string,
    { caFile }: Certificates,
    servers: { server: TokenServer; elsewhere: TokenServer; imap: ImapPeer },
  ) {
    this.server = servers.server;
    this.elsewhere = servers.elsewhere;
    this.#imap = servers.imap;
    this.#caFile = caFile;
    this.disk = new SmallDisk(join(directory, "disk"));
    this.home = join(this.disk.path, "home");
    this.person = join(directory, "person");
  }

  get #options(): string[] {
    return [
      ...["--provider", "google", "--client-id", "test-client", "--scope", "mail"],
      ...["--authorize-uri", "https://localhost/authorize", "--token-uri", this.server.uri],
      ...["--imap-server", `localhost:${this.#imap.port}`],
      ...this.#places,
    ];
  }

  get #places(): string[] {
    return ["--home", this.home, "--ca-file", this.#caFile];
  }

  /** Everything of the last round away, and so many new accounts. */
  begin(accounts: number): [Account, ...Account[]] {
    for (const path of [this.home, this.person]) rmSync(path, { recursive: true, force: true });
    this.disk.clear();
    mkdirSync(this.home);
    mkdirSync(this.person);
    this.#imap.logins.length = 0;
    this.#imap.commands.length = 0;
    const make = (index: number) => {
      const address = `user${index}@example.test`;
      return new Account(address, join(this.home, "tokens", `oauth2_tokens_${address}.txt`));
    };
    const more = Array.from({ length: accounts - 1 }, (_, index) => make(index + 1));
    const all: [Account, ...Account[]] = [make(0), ...more];
    this.server.reset(all);
    this.elsewhere.reset([]);
    writeFileSync(this.#list, all.map(({ address }) => `${address}\n`).join(""));
    return all;
  }

  /** Calls the built program, with the servers of this lane. */
  start(mode: Mode, accounts: Accounts, { more = [], env = {} }: Extra = {}): Run {
    return this.#run(mode, accounts, [...this.#options, ...more], env);
  }

  /** Calls the built program, which goes by what the token file says. */
  startByFile(mode: Mode, accounts: Accounts, { more = [], env = {} }: Extra = {}): Run {
    const secret = { MXTOKEN_CLIENT_SECRET: clientSecret, MXTOKEN_CLIENT_ID: "test-client" };
    return this.#run(mode, accounts, [...this.#places, ...more], { ...env, ...secret });
  }

  #run(
    mode: Mode,
    [{ address }]: Accounts,
    options: readonly string[],
    env: Record<string, string>,
  ): Run {
    const args = {
      get: [address, ...options, "--timeout", "3"],
      show: ["show", address, ...options],
      refresh: ["show", address, "--nocache", ...options],
      keep: ["keep", "--list", this.#list, ...options, "--json"],
      run: ["run", address, ...options, "--", "true"],
    }[mode];
    const run = runProgram(args, { cwd: this.person, env: { TMPDIR: this.person, ...env } });
    this.#running.add(run);
    void run.ended.then(() => this.#running.delete(run));
    return run;
  }

  /** Leaves nothing on the machine, whatever has happened; at once, as the end of a process wants it. */
  abandon(): void {
    for (const { child } of this.#running) child.kill("SIGKILL");
    this.disk.unmount();
  }

  async close(): Promise<void> {
    await this.server.close();
    await this.elsewhere.close();
    await this.#imap.close();
  }

  get #list(): string {
    return join(this.person, "accounts.txt");
  }
}
