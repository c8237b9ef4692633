// What bench-keep.ts plays in: accounts, the endpoint that refreshes them, and the program that keeps them.
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { issueCertificates } from "../../test/scene/certificates.ts";
import { programPath } from "../../test/scene/program.ts";
import { tokenFileText } from "../../test/scene/scene.ts";
import type { Asked, Told } from "./token-endpoint.ts";

export const concurrency = 64;
/** until the endpoint answers, ms */
export const delay = 50;

/** How the program is told which certificate authority to trust beside Node's own. */
export type Trust = "environment" | "--ca-file";

/** Times of a token, ms since 1970. */
export interface Life {
  readonly issued?: number;
  readonly expires: number;
}

/** What is to be run, and with which environment. */
export interface Command {
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
}

/** A directory with a list of accounts, a token file for each, and the endpoint that refreshes them. */
export interface Scene {
  readonly keep: Command;
  /** the same work without this program */
  readonly bare: Command;
  /** of an account's token file */
  pathOf(index: number): string;
  /** Resolves when the next request comes, with the time, ms since 1970. */
  firstRequest(): Promise<number>;
  /** Resolves when there have been as many requests, or as many were granted. */
  counted(what: "requests" | "granted", count: number): Promise<void>;
  ask(asked: Asked): void;
  close(): Promise<void>;
}

export async function setScene(
  parent: string,
  accounts: number,
  lifeOf: (index: number) => Life,
  { trust = "environment", extra = [] }: { trust?: Trust; extra?: readonly string[] } = {},
): Promise<Scene> {
  const directory = mkdtempSync(join(parent, "mxtoken-bench-"));
  const certificates = await issueCertificates(directory);
  const keyFile = join(directory, "key.pem");
  const certFile = join(directory, "cert.pem");
  writeFileSync(keyFile, certificates.key);
  writeFileSync(certFile, certificates.cert);
  const names = Array.from({ length: accounts }, (_, index) => `user${index}@example.test`);
  const list = join(directory, "accounts.txt");
  writeFileSync(list, `${names.join("\n")}\n`);
  const pathOf = (index: number) =>
    join(directory, "tokens", `oauth2_tokens_user${index}@example.test.txt`);
  mkdirSync(join(directory, "tokens"), { mode: 0o700 });
  for (const [index, name] of names.entries()) {
    const { issued, expires } = lifeOf(index);
    const text = tokenFileText(`access-${index}-0`, `refresh-${index}-0`, {
      Account: name,
      Expires: new Date(expires).toISOString(),
      ...(issued === undefined ? {} : { Issued: new Date(issued).toISOString() }),
    });
    writeFileSync(pathOf(index), text, { mode: 0o600 });
  }
  const { endpoint, port } = await startEndpoint(keyFile, certFile);
  const ask = (asked: Asked) => void endpoint.send(asked);
  const tokenUri = `https://localhost:${port}/token`;
  const { caFile } = certificates;
  const { NODE_EXTRA_CA_CERTS: _, ...inherited } = process.env;
  const env = {
    ...inherited,
    // Where tokens are is noted there.
    XDG_DATA_HOME: directory,
    ...(trust === "environment" ? { NODE_EXTRA_CA_CERTS: caFile } : {}),
  };
  const ca = trust === "--ca-file" ? [caFile] : [];
  const bare = fileURLToPath(new URL("bare-program.ts", import.meta.url));
  return {
    pathOf,
    ask,
    async firstRequest() {
      ask("watch");
      const told = await nextTold(endpoint, (one) => "firstRequestAt" in one);
      return "firstRequestAt" in told ? told.firstRequestAt : Number.NaN;
    },
    async counted(what, count) {
      for (;;) {
        ask("count");
        const told = await nextTold(endpoint, (one) => "requests" in one);
        if ("requests" in told && told[what] >= count) return;
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    },
    bare: {
      args: ["--import", "tsx", bare, list, directory, tokenUri, String(concurrency), ...ca],
      env,
    },
    keep: {
      args: [
        ...[programPath, "keep", "--list", list, "--home", directory, "--verify", "none"],
        ...["--concurrency", String(concurrency)],
        ...["--provider", "google", "--client-id", "test-client", "--scope", "mail"],
        ...["--authorize-uri", "https://localhost/authorize", "--token-uri", tokenUri],
        ...ca.flatMap((file) => ["--ca-file", file]),
        ...extra,
      ],
      env,
    },
    async close() {
      endpoint.disconnect();
      await once(endpoint, "exit");
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

async function startEndpoint(
  keyFile: string,
  certFile: string,
): Promise<{ endpoint: ChildProcess; port: number }> {
  const program = fileURLToPath(new URL("token-endpoint.ts", import.meta.url));
  const endpoint = fork(program, [keyFile, certFile, String(delay)], {
    execArgv: ["--import", "tsx"],
  });
  const [told] = (await once(endpoint, "message")) as [Told];
  if (!("port" in told)) throw new Error("the token endpoint does not listen");
  return { endpoint, port: told.port };
}

function nextTold(endpoint: ChildProcess, isIt: (told: Told) => boolean): Promise<Told> {
  return new Promise((resolve) => {
    const take = (told: Told) => {
      if (!isIt(told)) return;
      endpoint.off("message", take);
      resolve(told);
    };
    endpoint.on("message", take);
  });
}
