import { randomUUID } from "node:crypto";
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { tokenFileText } from "../../test/scene/scene.ts";
import type { RequestFault } from "./request-fault.ts";

/** How a server has replaced a refresh token for the last time; times are ns of the monotonic clock. */
export interface Rotation {
  readonly at: bigint;
  /** when the whole answer was with the system */
  sentAt: bigint | undefined;
  /** whether the server never sent its answer, or not all of it: a loss that nobody can prevent */
  isCut: boolean;
}

/** What somebody has consented to: a family of tokens, revoked as a whole when a spent one comes back. */
export class Grant {
  readonly account: Account;
  #serial = 0;
  /** what an older backup of the file holds */
  readonly spent: string;
  current: string;
  isAlive = true;
  rotation: Rotation | undefined;
  /** how often it was refreshed */
  refreshes = 0;
  /** every token that was handed out, and the first ones */
  readonly secrets: string[];

  constructor(account: Account) {
    this.account = account;
    const id = randomUUID();
    this.spent = `refresh-spent-${id}`;
    this.current = `refresh-0-${id}`;
    this.secrets = [this.current, `access-0-${id}`, this.spent];
  }

  /** The token file after its sign-in. @param isOver whether line 1 has ended */
  text(isOver: boolean): string {
    const Expires = new Date(Date.now() + (isOver ? -60_000 : 3_600_000)).toISOString();
    const notes = { Account: this.account.address, Expires };
    return tokenFileText(this.secrets[1] ?? "", this.current, notes);
  }

  /** @returns the answer's members */
  rotate(expiresIn: number): Record<string, unknown> {
    this.#serial += 1;
    this.refreshes += 1;
    this.current = `refresh-${this.#serial}-${randomUUID()}`;
    const accessToken = `access-${this.#serial}-${randomUUID()}`;
    this.secrets.push(this.current, accessToken);
    this.rotation = { at: process.hrtime.bigint(), sentAt: undefined, isCut: false };
    return {
      access_token: accessToken,
      refresh_token: this.current,
      token_type: "Bearer",
      expires_in: expiresIn,
    };
  }
}

/** A mailbox, its token file, and what was consented to for it. */
export class Account {
  readonly address: string;
  readonly tokenFile: string;
  /** the first is that of the token file at the beginning; then those of new sign-ins */
  readonly grants: [Grant, ...Grant[]];
  /** what happens to its next request */
  fault: RequestFault | undefined;
  requests = 0;
  answers = 0;

  constructor(address: string, tokenFile: string) {
    this.address = address;
    this.tokenFile = tokenFile;
    this.grants = [new Grant(this)];
  }

  /** What somebody consents to anew. */
  signIn(): Grant {
    const grant = new Grant(this);
    this.grants.push(grant);
    return grant;
  }

  /** Puts the first token file there. @param isOver whether line 1 has ended */
  begin(isOver = false): void {
    mkdirSync(dirname(this.tokenFile), { recursive: true });
    this.put(this.grants[0].text(isOver));
  }

  put(text: string): void {
    writeFileSync(this.tokenFile, text);
    chmodSync(this.tokenFile, 0o600);
  }

  /** undefined where there is no file that can be read */
  read(): string | undefined {
    try {
      return readFileSync(this.tokenFile, "utf8");
    } catch {
      return undefined;
    }
  }

  isStored(grant: Grant): boolean {
    return this.read()?.split(/\r?\n/)[1] === grant.current;
  }

  secrets(): string[] {
    return this.grants.flatMap(({ secrets }) => secrets);
  }
}
