import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { google } from "../../src/catalog/google.ts";
import { office365 } from "../../src/catalog/microsoft.ts";
import { startAuthorizationServer } from "./authorization-server.ts";
import { builtImapsync } from "./built-imapsync.ts";
import { issueCertificates, temporaryDirectory } from "./certificates.ts";
import { startDnsServer } from "./dns-server.ts";
import { startDovecot } from "./dovecot.ts";
import { freePort } from "./loopback.ts";
import { startPostfix } from "./postfix.ts";
import { type Run, runCommand, signInAddresses } from "./program.ts";
import { blocksOf } from "./shell-blocks.ts";
import { partsOf, visit } from "./visit.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
/** As a person on Windows may have saved it: the last line has no end. */
const addressList =
  "# of the move\r\n\r\n  old@example.com\t\r\n \r\nnew@example.org # the last one";

const ownSecret = "secret-of-the-own-application";

/** The machine of somebody who reads the README and types what stands there. */
export interface ReadersMachine {
  /** the home directory */
  readonly home: string;
  /** the fresh clone */
  readonly project: string;
  /**
   * runs what is typed into a shell, and does at every sign-in what a person does; `more` is added
   * to the environment
   */
  type(text: string, cwd?: string, more?: Record<string, string>): Run;
  /** the text of a token file in the clone */
  tokenFile(name: string): string;
  /** takes the token file of an address away, wherever it is */
  forget(address: string): void;
  /** the arguments with which a command ran that stands for one that is not to be had here */
  typed(command: "ssh" | "xdg-open" | "logger"): string;
  close(): Promise<void>;
}

/** @param users the addresses that have a mailbox */
export async function startReadersMachine(users: readonly string[]): Promise<ReadersMachine> {
  const directory = temporaryDirectory();
  const home = join(directory, "home");
  const project = join(directory, "mxtoken");
  mkdirSync(home);
  copyProject(project);
  writeStandIns(join(directory, "bin"), directory);
  const certificates = await issueCertificates(directory);
  const server = await startAuthorizationServer(certificates, {
    clients: [
      { id: office365.applications.thunderbird.clientId },
      {
        id: google.applications.thunderbird.clientId,
        secret: google.applications.thunderbird.publishedClientSecret,
      },
      { id: "00000000-0000-0000-0000-000000000000", secret: ownSecret },
      { id: "mail-client" },
      // of docs/own-application.md
      { id: "000000000000-example.apps.googleusercontent.com", secret: "the client secret" },
      { id: "00000000-0000-0000-0000-000000000001" },
    ],
    scopes: [...Object.values(office365.scopes), google.scopes.imap],
  });
  const dns = await startDnsServer();
  dns.answer = ({ name }) => [{ mx: [[10, mxOf(name)]] }];
  const dovecot = await startDovecot(directory, certificates, server, users, { pop3: true });
  const postfix = await startPostfix(directory, certificates, dovecot.authSocket);
  const imapServer = `localhost:${dovecot.imaps}`;
  const env = {
    ...shellEnvironment(home, join(directory, "bin")),
    IMAP_PORT: String(dovecot.imaps),
    CA_FILE: certificates.caFile,
    MXTOKEN_AUTHORIZE_URI: server.authorizeUri,
    MXTOKEN_TOKEN_URI: server.tokenUri,
    MXTOKEN_DEVICE_URI: server.deviceUri,
    MXTOKEN_REVOKE_URI: server.revokeUri,
    MXTOKEN_IMAP_SERVER: imapServer,
    MXTOKEN_SMTP_SERVER: `localhost:${postfix.smtps}`,
    MXTOKEN_POP_SERVER: `localhost:${dovecot.pop3s}`,
    MXTOKEN_CA_FILE: certificates.caFile,
    MXTOKEN_DNS_SERVER: dns.address,
  };
  const port = await freePort();
  /** Names of servers and a port that stand for a person's own. */
  const withOwnServers = (text: string) =>
    text
      .replaceAll("https://login.example.org/authorize", server.authorizeUri)
      .replaceAll("https://login.example.org/token", server.tokenUri)
      .replaceAll("imap.example.org", imapServer)
      .replaceAll("8765", String(port));
  const signIn = async (address: string, typed: string, run: Run) => {
    const end = await server.signIn(address);
    const isListening = new URL(partsOf(address).redirectUri).port !== "";
    const isHere = typed.includes("--home .");
    if (isListening) await visit(isHere ? project : join(home, ".local/share/mxtoken"), end);
    else run.child.stdin?.write(`${end}\n`);
  };
  return {
    home,
    project,
    type(text, cwd = project, more = {}) {
      const options = { cwd, env: { ...env, ...more }, keepOpen: true, isGroupLeader: true };
      const run = runCommand("sh", ["-euc", withOwnServers(text)], options);
      whenAsked(run, server.issuer, (address) => signIn(address, text, run));
      whenGivenACode(run, (address, code, account) =>
        server.enterUserCode(address, code, { account }),
      );
      return run;
    },
    forget(address) {
      const name = `oauth2_tokens_${address}.txt`;
      for (const place of [project, join(home, ".local/share/mxtoken")]) {
        rmSync(join(place, "tokens", name), { force: true });
      }
    },
    tokenFile: (name) => readFileSync(join(project, "tokens", `oauth2_tokens_${name}.txt`), "utf8"),
    typed: (command) => readFileSync(join(directory, `${command}.log`), "utf8"),
    async close() {
      await postfix.close();
      await dovecot.close();
      await dns.close();
      await server.close();
    },
  };
}

function mxOf(domain: string): string {
  return domain.endsWith(".com")
    ? `${domain.replace(".", "-")}.mail.protection.outlook.com`
    : "aspmx.l.google.com";
}

/** What somebody has who has just cloned the repository, with the addresses of the loop edited. */
function copyProject(to: string): void {
  const isMade = (path: string) =>
    /^(\.git|node_modules|dist)(\/|$)|^(tokens|certs)\/(?!README)/.test(relative(root, path));
  cpSync(root, to, { recursive: true, filter: (path) => !isMade(path) });
  const loop = join(to, "scripts", "oauth2_example_loop.sh");
  const addresses = "old@example.com new@example.org";
  const edited = readFileSync(loop, "utf8").replace("foo@example.com bar@example.org", addresses);
  writeFileSync(loop, edited);
  writeFileSync(join(to, "addresses.txt"), addressList);
  writeFileSync(join(to, "accounts.txt"), listOf(readFileSync(join(to, "README.md"), "utf8")));
  // It would run the tests of the README again.
  writeFileSync(join(to, "scripts", "test"), "#!/bin/sh\necho the tests\n");
}

/** The list of accounts that the README shows. */
function listOf(readme: string): string {
  return blocksOf(readme).find(({ text }) => text.startsWith("# both sides of a move"))?.text ?? "";
}

/** Commands that are not to be had here, or not to be let loose. */
function writeStandIns(bin: string, directory: string): void {
  const imapsync = `cd ${root} && exec ${process.execPath} ${builtImapsync()}`;
  const note = (name: string) => `printf '%s\\n' "$*" >> ${join(directory, name)}.log`;
  const texts = {
    sudo: 'exec "$@"',
    "xdg-open": note("xdg-open"),
    ssh: note("ssh"),
    logger: note("logger"),
    mbsync: '[ "$*" = "-a" ] && [ "$(head -n 1 "$MXTOKEN_TOKEN_FILE_1")" != "" ]',
    pass: `[ "$*" = "show mail" ] && echo ${ownSecret}`,
    imapsync: `${imapsync} "$@"`,
    docker: `
[ "$1 $2 $3 $5 $7 $8" = "run --rm --user --volume gilleslamiral/imapsync imapsync" ] || exit 64
volume=$6
shift 8
case $volume in *:ro) ;; *) exit 64 ;; esac
${imapsync} --volume "\${volume%:ro}" "$@"`,
  };
  mkdirSync(bin);
  for (const [name, text] of Object.entries(texts)) {
    writeFileSync(join(bin, name), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
  }
}

/** A desktop's, with npm's cache of this machine, so that nothing is downloaded twice. */
function shellEnvironment(home: string, bin: string): Record<string, string> {
  const prefix = join(home, "prefix");
  const paths = [join(prefix, "bin"), bin, dirname(process.execPath), process.env["PATH"]];
  const cache = execFileSync("npm", ["config", "get", "cache"], { encoding: "utf8" }).trim();
  return {
    HOME: home,
    USER: "you",
    DISPLAY: ":0",
    PATH: paths.join(delimiter),
    NPM_CONFIG_PREFIX: prefix,
    NPM_CONFIG_CACHE: cache,
    NPM_CONFIG_PREFER_OFFLINE: "true",
    TSX_DISABLE_CACHE: "1",
  };
}

/** Calls back once for every sign-in address of the server that the run shows and waits for. */
function whenAsked(run: Run, issuer: string, signIn: (address: string) => Promise<void>): void {
  const followed = new Set<string>();
  for (const name of ["stdout", "stderr"] as const) {
    run.child[name]?.on("data", () => {
      for (const address of signInAddresses(run.written[name])) {
        if (!address.startsWith(issuer) || followed.has(address)) continue;
        followed.add(address);
        signIn(address).catch((error) => {
          run.written.stderr += String(error);
          process.kill(-Number(run.child.pid), "SIGTERM");
        });
      }
    });
  }
}

/** Calls back when the run shows a device code, with the account that it is for. */
function whenGivenACode(
  run: Run,
  enter: (address: string, code: string, account: string) => Promise<unknown>,
): void {
  let isEntered = false;
  run.child.stderr?.on("data", () => {
    const [, account, address, code] =
      /sign in as (\S+) with any.*\n\n(https:\S+)\n\n.*\n\n(\S+)\n\n/.exec(run.written.stderr) ??
      [];
    if (isEntered || account === undefined || address === undefined || code === undefined) return;
    isEntered = true;
    enter(address, code, account).catch((error) => {
      run.written.stderr += String(error);
      process.kill(-Number(run.child.pid), "SIGTERM");
    });
  });
}
