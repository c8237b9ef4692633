// What scripts/demo runs once everything is installed and built.
import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { office365 } from "../src/catalog/microsoft.ts";
import { exitStatus } from "../src/errors.ts";
import { mark, written } from "../src/report/line.ts";
import { isBrowserSeen } from "../src/world/run.ts";
import type { AuthorizationServer } from "../test/scene/authorization-server.ts";
import {
  type Certificates,
  issueCertificates,
  temporaryDirectory,
} from "../test/scene/certificates.ts";
import { startDnsServer } from "../test/scene/dns-server.ts";
import { findDovecot, startDovecot } from "../test/scene/dovecot.ts";
import { startImapPeer } from "../test/scene/imap-peer.ts";
import { programPath, signInAddresses } from "../test/scene/program.ts";
import { visit } from "../test/scene/visit.ts";

const address = "you@demo.example";
const mxHost = "demo-example.mail.protection.outlook.com";

const usageText = "usage: scripts/demo [--auto]";

const interruption = new AbortController();
for (const [signal, number] of Object.entries({ SIGHUP: 1, SIGINT: 2, SIGTERM: 15 })) {
  process.on(signal, () => interruption.abort(128 + number));
}

// Nobody sees it any more: a closed pipe, or a terminal that is gone.
for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", () => interruption.abort(exitStatus.unwritable));
}

const closers: (() => Promise<void>)[] = [];
try {
  process.exitCode = await demo(process.argv.slice(2));
} catch (error) {
  if (!interruption.signal.aborted) throw error;
} finally {
  for (const close of closers.reverse()) await close();
}
if (interruption.signal.aborted) process.exitCode = Number(interruption.signal.reason);

/** @returns the exit status */
async function demo(args: readonly string[]): Promise<number> {
  if (args.includes("--help")) {
    say(usageText);
    return 0;
  }
  if (args.some((word) => word !== "--auto")) {
    console.error(usageText);
    return exitStatus.usage;
  }
  const why = whySignInByItself(args);
  const home = temporaryDirectory();

  heading("1. Servers on this machine, instead of the provider's");
  const { environment, server } = await startServers(home, why === undefined);

  heading("2. The first run: somebody signs in");
  if (why === undefined) {
    say(`A browser opens. It warns twice: of the demo's sign-in page, and of mxtoken's listener that it
comes back to. Go on both times. Sign in as ${address} with any password, then Continue.`);
  } else {
    say(`The demo signs in by itself: ${why}.`);
  }
  const tokenFile = join(home, "tokens", `oauth2_tokens_${address}.txt`);
  const first = await run(environment, why === undefined ? undefined : { server, home });
  if (first !== 0) return stopped(first);
  const before = linesOf(tokenFile);

  heading("3. The second run: nobody is asked anything");
  const second = await run(environment);
  if (second !== 0) return stopped(second);
  const after = linesOf(tokenFile);
  if (after[0] === before[0]) {
    console.error("The access token in the file was not replaced.");
    return exitStatus.defect;
  }

  heading("4. The token file, as imapsync and other programs read it (tokens shortened)");
  say(after.map((line, index) => (index < 2 ? shortened(line) : line)).join("\n"));

  heading("For a real mailbox");
  say(`node dist/cli.js foo@example.com         # your address; or mxtoken, after: sudo npm link
node dist/cli.js provider example.com    # what is known of its provider
README.md says the rest. The demo's servers are stopped now, and their files removed.`);
  return 0;
}

function whySignInByItself(args: readonly string[]): string | undefined {
  if (args.includes("--auto")) return "--auto was given";
  if (!process.stdin.isTTY || !process.stderr.isTTY) return "there is no terminal";
  if (!isBrowserSeen(process.platform, process.env)) return "no browser would be seen here";
  return undefined;
}

interface Servers {
  readonly server: AuthorizationServer;
  /** leads the program to them */
  readonly environment: Record<string, string>;
}

async function startServers(home: string, pages: boolean): Promise<Servers> {
  const certificates = await issueCertificates(home);
  // oidc-provider warns everybody who would use it as it is set up here, for real mailboxes.
  console.warn = () => undefined;
  const { startAuthorizationServer } = await import("../test/scene/authorization-server.ts");
  const server = await startAuthorizationServer(certificates, {
    clients: [{ id: office365.applications.thunderbird.clientId }],
    scopes: [office365.scopes.imap],
    pages,
  });
  closers.push(server.close);
  const dns = await startDnsServer();
  dns.answer = ({ name }) => [name === "demo.example" ? { mx: [[10, mxHost]] } : { rcode: 3 }];
  closers.push(dns.close);
  const imap = await startImapServer(home, certificates, server);
  say(`authorization server   ${server.issuer}, oidc-provider
resolver               ${dns.address}, MX of demo.example: ${mxHost}
IMAP server            localhost:${imap.port}, ${imap.name}`);
  return {
    server,
    environment: {
      MXTOKEN_HOME: home,
      MXTOKEN_DNS_SERVER: dns.address,
      MXTOKEN_AUTHORIZE_URI: server.authorizeUri,
      MXTOKEN_TOKEN_URI: server.tokenUri,
      MXTOKEN_IMAP_SERVER: `localhost:${imap.port}`,
      MXTOKEN_CA_FILE: certificates.caFile,
    },
  };
}

async function startImapServer(
  home: string,
  certificates: Certificates,
  server: AuthorizationServer,
): Promise<{ port: number; name: string }> {
  let why = "Dovecot is not installed";
  if (findDovecot() !== undefined) {
    try {
      const dovecot = await startDovecot(home, certificates, server, [address], {
        isGroupLeader: true,
      });
      closers.push(dovecot.close);
      return { port: dovecot.imaps, name: "Dovecot, which asks the authorization server" };
    } catch (error) {
      const [reason] = String(error).split("\n");
      why = `Dovecot does not start: ${reason}`;
    }
  }
  const peer = await startImapPeer(certificates);
  peer.login = (token) => (server.secrets.includes(token) ? "accept" : "refuse");
  closers.push(peer.close);
  return { port: peer.port, name: `the tests' own, because ${why}` };
}

/**
 * Runs the program as a person would.
 *
 * @param signIn where the demo signs in instead of a person
 * @returns its exit status
 */
async function run(
  environment: Record<string, string>,
  signIn?: { server: AuthorizationServer; home: string },
): Promise<number> {
  interruption.signal.throwIfAborted();
  const args = [address, ...(signIn === undefined ? [] : ["--no-browser"])];
  say(`$ mxtoken ${args.join(" ")}`);
  const child = spawn(process.execPath, [programPath, ...args], {
    env: { ...ownEnvironment(), ...environment },
    stdio: signIn === undefined ? "inherit" : ["pipe", "inherit", "pipe"],
  });
  const interrupt = () => child.kill();
  interruption.signal.addEventListener("abort", interrupt);
  const ended = new Promise<number>((resolve) => {
    child.once("close", (status) => resolve(status ?? exitStatus.defect));
  });
  if (signIn !== undefined) followSignIn(child, signIn.server, signIn.home);
  const status = await ended;
  interruption.signal.removeEventListener("abort", interrupt);
  return status;
}

/** The environment without what would lead the program to other servers, or past these. */
function ownEnvironment(): NodeJS.ProcessEnv {
  const isMeant = ([name]: [string, unknown]) => !/^MXTOKEN_|_proxy$/i.test(name);
  return Object.fromEntries(Object.entries(process.env).filter(isMeant));
}

/** Shows what the program says, and goes where it sends the browser. */
function followSignIn(child: ChildProcess, server: AuthorizationServer, home: string): void {
  let text = "";
  let isFound = false;
  child.stderr?.setEncoding("utf8").on("data", (chunk: string) => {
    const lines = chunk.split("\n").map((line) => {
      const isSaid = line.startsWith(mark);
      return isSaid ? written({ say: line.slice(mark.length) }, process.stderr.columns) : line;
    });
    process.stderr.write(lines.join("\n"));
    text += chunk;
    const [shown] = signInAddresses(text);
    if (shown === undefined || isFound) return;
    isFound = true;
    void server
      .signIn(shown)
      .then((end) => visit(home, end))
      .catch((error) => {
        console.error(`The demo could not sign in: ${error}`);
        child.kill();
      });
  });
}

function linesOf(tokenFile: string): string[] {
  return readFileSync(tokenFile, "utf8").trimEnd().split("\n");
}

function shortened(token: string): string {
  return `${token.slice(0, 6)}… (${token.length} characters)`;
}

function stopped(status: number): number {
  if (!interruption.signal.aborted) console.error(`The demo ends here, with status ${status}.`);
  return status;
}

function heading(text: string): void {
  say(`\n== ${text}\n`);
}

function say(text: string): void {
  console.log(text);
}
