import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Certificates, issueCertificates } from "../../test/peers/certificates.ts";
import { type ImapPeer, startImapPeer } from "../../test/peers/imap-peer.ts";
import { type Run, runProgram } from "../../test/peers/program.ts";
import { Account } from "./account.ts";
import { SmallDisk } from "./disk.ts";
import type { Mode } from "./plan.ts";
import { TokenServer } from "./server.ts";

/** Servers, a disk and a home directory, where one round after the other is played. */
export class Lane {
  readonly server: TokenServer;
  readonly disk: SmallDisk;
  /** `--home` of the program, on the disk that may be full */
  readonly home: string;
  /** the home directory and the temporary one of whoever calls it, on another disk */
  readonly person: string;
  readonly #imap: ImapPeer;
  readonly #options: readonly string[];

  static async open(directory: string): Promise<Lane> {
    mkdirSync(directory);
    const certificates = await issueCertificates(directory);
    const [server, imap] = [
      await TokenServer.start(certificates),
      await startImapPeer(certificates),
    ];
    return new Lane(directory, certificates, server, imap);
  }

  constructor(directory: string, certificates: Certificates, server: TokenServer, imap: ImapPeer) {
    this.server = server;
    this.#imap = imap;
    this.disk = new SmallDisk(join(directory, "disk"));
    this.home = join(this.disk.path, "home");
    this.person = join(directory, "person");
    this.#options = [
      ...["--provider", "google", "--client-id", "test-client", "--scope", "mail"],
      ...["--authorize-uri", "https://localhost/authorize", "--token-uri", server.uri],
      ...["--imap-server", `localhost:${imap.port}`, "--ca-file", certificates.caFile],
      ...["--home", this.home],
    ];
  }

  /** Everything of the last round away, and so many new accounts. */
  begin(accounts: number): [Account, ...Account[]] {
    for (const path of [this.home, this.person]) rmSync(path, { recursive: true, force: true });
    this.disk.clear();
    mkdirSync(join(this.home, "tokens"), { recursive: true });
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
    writeFileSync(this.#list, all.map(({ address }) => `${address}\n`).join(""));
    return all;
  }

  /** Calls the built program. */
  start(
    mode: Mode,
    [{ address }]: readonly [Account, ...Account[]],
    more: readonly string[] = [],
    env: Record<string, string> = {},
  ): Run {
    const options = [...this.#options, ...more];
    const args = {
      get: [address, ...options, "--timeout", "3"],
      show: ["show", address, ...options],
      refresh: ["show", address, "--nocache", ...options],
      keep: ["keep", "--list", this.#list, ...options, "--json"],
      run: ["run", address, ...options, "--", "true"],
    }[mode];
    return runProgram(args, { cwd: this.person, env: { TMPDIR: this.person, ...env } });
  }

  async close(): Promise<void> {
    await this.server.close();
    await this.#imap.close();
    this.disk.unmount();
  }

  get #list(): string {
    return join(this.person, "accounts.txt");
  }
}
