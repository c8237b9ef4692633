import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { builtImapsync } from "./built-imapsync.ts";
import { type Run, type RunOptions, runProgram } from "./program.ts";
import { type Outcome, runHere } from "./run-here.ts";
import { type Scene, setScene, tokenFileText } from "./scene.ts";
import { type Answer, RotatingAccount } from "./token-endpoint.ts";

export const source = "old@example.test";
export const target = "new@example.test";

/** One of the two accounts, at a server that rotates refresh tokens. */
export interface Side {
  readonly address: string;
  readonly tokenFile: string;
  readonly account: RotatingAccount;
  /** how long its tokens live, in seconds */
  life: number;
  /** what happens to its requests */
  answer: (request: URLSearchParams) => Answer | Promise<Answer>;
  /** as an earlier run would have left it, good for an hour by the real clock */
  write(notes?: Record<string, string>): void;
  lines(): { accessToken: string; refreshToken: string };
}

/** Two mailboxes at one scripted token endpoint and one scripted IMAP server, as for a migration. */
export interface RunScene {
  readonly scene: Scene;
  readonly sides: readonly [Side, Side];
  /** the words between `mxtoken run` and `--`: both addresses, and what leads to the servers */
  readonly both: readonly string[];
  readonly one: readonly string[];
  /** writes a script into the scene's directory; @returns its path */
  script(name: string, text: string): string;
  path(name: string): string;
  /** runs the built program */
  run(command: readonly string[], options?: RunSceneOptions): Run;
  /** runs the program in this process, and the command as one of its own */
  here(
    command: readonly string[],
    options?: Pick<RunSceneOptions, "words" | "more" | "env">,
  ): Promise<Outcome>;
  close(): Promise<void>;
}

export interface RunSceneOptions extends Partial<RunOptions> {
  /** instead of both addresses and the servers */
  readonly words?: readonly string[];
  /** beside the words */
  readonly more?: readonly string[];
}

export async function setRunScene(): Promise<RunScene> {
  const scene = await setScene();
  const sides = [sideOf(scene, source, "source"), sideOf(scene, target, "target")] as const;
  scene.endpoint.answer = (request) => {
    const token = request.get("refresh_token") ?? "";
    const side = sides.find(({ account }) => account.secrets.includes(token));
    return side?.answer(request) ?? { status: 400, body: { error: "invalid_grant" } };
  };
  for (const side of sides) side.write();
  const both = [source, target, ...scene.options];
  const path = (name: string) => join(scene.directory, name);
  return {
    scene,
    sides: [...sides],
    both,
    one: [source, ...scene.options],
    path,
    script(name, text) {
      mkdirSync(dirname(path(name)), { recursive: true });
      writeFileSync(path(name), text, { mode: 0o755 });
      return path(name);
    },
    run(command, { words = both, more = [], ...options } = {}) {
      return runProgram(wordsOfRun(words, more, command), { cwd: scene.directory, ...options });
    },
    here(command, { words = both, more = [], env } = {}) {
      return runHere(wordsOfRun(words, more, command), scene.directory, env);
    },
    close: () => scene.close(),
  };
}

function wordsOfRun(
  words: readonly string[],
  more: readonly string[],
  command: readonly string[],
): string[] {
  return ["run", ...words, ...more, ...(command.length > 0 ? ["--", ...command] : [])];
}

function sideOf(scene: Scene, address: string, name: string): Side {
  const account = new RotatingAccount();
  account.current = `refresh-0-${name}`;
  account.secrets.splice(0, account.secrets.length, account.current);
  const tokenFile = join(scene.directory, "tokens", `oauth2_tokens_${address}.txt`);
  const side: Side = {
    address,
    tokenFile,
    account,
    life: 3600,
    answer(request) {
      const answer = account.answer(request);
      if (answer === "drop" || answer.status !== 200) return answer;
      return { ...answer, body: { ...Object(answer.body), expires_in: side.life } };
    },
    write(notes = {}) {
      mkdirSync(dirname(tokenFile), { recursive: true });
      const Expires = new Date(Date.now() + 3_600_000).toISOString();
      const text = tokenFileText(`stored-${name}`, account.current, {
        Account: address,
        Expires,
        ...notes,
      });
      writeFileSync(tokenFile, text, { mode: 0o600 });
    },
    lines() {
      const [accessToken = "", refreshToken = ""] = readFileSync(tokenFile, "utf8").split("\n");
      return { accessToken, refreshToken };
    },
  };
  return side;
}

/** What became of a run. */
export async function outcome(run: Run) {
  const { status, signal } = await run.ended;
  return { status, signal, ...run.written };
}

/** The text of a shell script that is the stand-in for imapsync. */
export function imapsyncScript(before = ""): string {
  return `#!/bin/sh\n${before}\nexec '${process.execPath}' '${builtImapsync()}' "$@"\n`;
}
