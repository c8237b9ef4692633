// What mxtoken is measured beside: programs that do the same jobs, each with what it needs.
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";

/** A program that prints the access token of a file of the form of `peerTokens`, a new one where it must. */
export interface Peer {
  readonly name: string;
  /** the file comes after it, and then the port of the IMAP server if a login is asked for as well */
  readonly command: readonly [string, ...string[]];
  readonly canLogIn: boolean;
  /** a command that ends with 0 where everything is there, and Debian's packages of it */
  readonly probe: readonly [string, ...string[]];
  readonly packages: string;
}

function file(name: string): string {
  return fileURLToPath(new URL(`bench-peers/${name}`, import.meta.url));
}

export const peers: readonly Peer[] = [
  {
    name: "bare Node",
    command: [process.execPath, file("token.cjs")],
    canLogIn: true,
    probe: [process.execPath, "--version"],
    packages: "",
  },
  {
    name: "curl and jq",
    command: ["sh", file("token.sh")],
    canLogIn: true,
    probe: ["sh", "-c", "curl --version && jq --version"],
    packages: "curl, jq",
  },
  {
    name: "Perl",
    command: ["perl", file("token.pl")],
    canLogIn: true,
    probe: ["perl", "-MJSON::PP", "-MHTTP::Tiny", "-MIO::Socket::SSL", "-e1"],
    packages: "perl, libio-socket-ssl-perl",
  },
  {
    name: "Python",
    command: ["python3", file("token.py")],
    canLogIn: true,
    probe: ["python3", "-c", "import imaplib, ssl, urllib.request"],
    packages: "python3",
  },
  {
    name: "getmail's helper",
    command: ["getmail-gmail-xoauth-tokens"],
    canLogIn: false,
    probe: ["getmail-gmail-xoauth-tokens", "--help"],
    packages: "getmail6",
  },
];

/** Whether what the peer needs is installed where `env` looks. */
export function isInstalled({ probe }: Peer, env: NodeJS.ProcessEnv): boolean {
  const [command, ...args] = probe;
  try {
    execFileSync(command, args, { env, stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}
