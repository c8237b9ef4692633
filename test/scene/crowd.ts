import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { type Scene, tokenFileText } from "./scene.ts";
import { type Answer, RotatingAccount } from "./token-endpoint.ts";

/** One of many accounts at the server of a scene. */
export interface Member {
  readonly address: string;
  readonly tokenFile: string;
  readonly account: RotatingAccount;
  /** how long its access tokens are good, in seconds, whether the server says so or not */
  readonly life: number;
  /** how many token requests came for it */
  requests: number;
  /** what line 1 of its file is; undefined where there is no file, or an empty line */
  accessToken(): string | undefined;
  refreshToken(): string | undefined;
}

/** Many accounts at one server, which knows until when each access token is good. */
export interface Crowd {
  readonly members: readonly Member[];
  /** one address a line */
  readonly list: string;
  /** the server's word on an access token */
  isGood(accessToken: string | undefined): boolean;
  /** every token that was handed out, and every first one */
  secrets(): string[];
}

/** How the tokens of one account live. */
export interface Life {
  readonly seconds: number;
  readonly isTold: boolean;
}

/**
 * Puts accounts at the token endpoint and the IMAP server of a scene, and a token file for each.
 *
 * @param now the server's clock, ms since 1970
 */
export function putCrowd(scene: Scene, lives: readonly Life[], now: () => number): Crowd {
  const goodUntil = new Map<string, number>();
  const owners = new Map<string, Member>();
  const members = lives.map(({ seconds, isTold }, index) => {
    const address = `user${index}@example.test`;
    const tokenFile = join(scene.directory, "tokens", `oauth2_tokens_${address}.txt`);
    const account = new RotatingAccount(`of-${address}`, isTold ? seconds : undefined);
    const line = (number: number) => {
      try {
        return readFileSync(tokenFile, "utf8").split("\n")[number] || undefined;
      } catch {
        return undefined;
      }
    };
    const member: Member = {
      address,
      tokenFile,
      account,
      life: seconds,
      requests: 0,
      accessToken: () => line(0),
      refreshToken: () => line(1),
    };
    const first = `access-0-of-${address}`;
    account.secrets.push(first);
    owners.set(account.current, member);
    goodUntil.set(first, now() + seconds * 1000);
    const Expires = isTold ? new Date(now() + seconds * 1000).toISOString() : "";
    mkdirSync(dirname(tokenFile), { recursive: true });
    const notes = { Account: address, Issued: new Date(now()).toISOString(), Expires };
    writeFileSync(tokenFile, tokenFileText(first, account.current, notes));
    chmodSync(tokenFile, 0o600);
    return member;
  });
  const list = join(scene.directory, "accounts.txt");
  writeFileSync(list, members.map(({ address }) => `${address}\n`).join(""));

  const answer = (request: URLSearchParams): Answer => {
    const member = owners.get(request.get("refresh_token") ?? "");
    if (member === undefined) return { status: 400, body: { error: "invalid_grant" } };
    member.requests += 1;
    const answered = member.account.answer(request);
    owners.set(member.account.current, member);
    if (answered !== "drop" && typeof answered.body === "object" && answered.status === 200) {
      const token: unknown = Reflect.get(answered.body, "access_token");
      goodUntil.set(String(token), now() + member.life * 1000);
    }
    return answered;
  };
  const isGood = (accessToken: string | undefined) =>
    accessToken !== undefined && (goodUntil.get(accessToken) ?? 0) > now();
  scene.endpoint.answer = answer;
  scene.imap.login = (token) => (isGood(token) ? "accept" : "refuse");
  return {
    members,
    list,
    isGood,
    secrets: () => members.flatMap(({ account }) => account.secrets),
  };
}
