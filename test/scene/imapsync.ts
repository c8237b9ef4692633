// A stand-in for imapsync, as a command: takes the options by which imapsync opens mailboxes with
// OAuth 2.0, reads line 1 of each token file as imapsync does, and logs in. With IMAP_PORT, it goes to
// the IMAP server of the test whatever host is named; else to host and port. `--volume FROM:TO` before
// them is Docker's. A side without a token file has a password, and is only told. With
// IMAPSYNC_KNOWS_REFRESH it is one that asks a command for a fresh token.
import { execSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { ImapFlow } from "imapflow";

const knowsRefresh = process.env["IMAPSYNC_KNOWS_REFRESH"] !== undefined;

if (process.argv.includes("--help")) {
  process.stdout.write("usage: imapsync [options]\n --oauthaccesstoken1 str\n");
  if (knowsRefresh) process.stdout.write(" --oauthrefreshcmd1 str\n --oauthrefreshcmd2 str\n");
  process.exit(0);
}

const sides = ["1", "2"] as const;
const text = { type: "string" } as const;
const flag = { type: "boolean" } as const;
const { values }: { values: Record<string, unknown> } = parseArgs({
  options: {
    volume: text,
    automap: flag,
    ...Object.fromEntries(
      sides.flatMap((side) => [
        ...[
          ...["host", "port", "user", "password", "oauthaccesstoken"],
          ...(knowsRefresh ? ["oauthrefreshcmd"] : []),
        ].map((name) => [`${name}${side}`, text]),
        [`sslargs${side}`, { ...text, multiple: true }],
        [`ssl${side}`, flag],
        [`tls${side}`, flag],
      ]),
    ),
  },
});

for (const side of sides) {
  const optional = (name: string) => {
    const given = values[`${name}${side}`];
    return typeof given === "string" ? given : undefined;
  };
  const value = (name: string) => {
    const given = optional(name);
    if (given === undefined) throw new Error(`--${name}${side} is missing`);
    return given;
  };
  value("password");
  const tokenFile = optional("oauthaccesstoken");
  if (tokenFile === undefined) {
    process.stdout.write(`${value("host")} ${value("user")}: by password\n`);
    continue;
  }
  const isImplicit = values[`ssl${side}`] === true;
  if (!isImplicit && values[`tls${side}`] !== true) throw new Error(`--ssl${side} is missing`);
  const [...sslargs] = Object(values[`sslargs${side}`] ?? []) as string[];
  if (!sslargs.includes("SSL_verify_mode=1")) throw new Error("certificates are not verified");
  const caFile = sslargs.flatMap((word) => /^SSL_ca_file=(.*)$/.exec(word)?.[1] ?? [])[0];
  const [line = ""] = readFileSync(inside(tokenFile), "utf8").split("\n");
  const command = optional("oauthrefreshcmd");
  const accessToken =
    command === undefined ? line : execSync(command, { encoding: "utf8" }).trimEnd();
  const port = process.env["IMAP_PORT"] ?? optional("port") ?? (isImplicit ? "993" : "143");
  const client = new ImapFlow({
    host: process.env["IMAP_PORT"] === undefined ? value("host") : "localhost",
    port: Number(port),
    secure: isImplicit,
    ...(isImplicit ? {} : { doSTARTTLS: true }),
    tls: { ca: readFileSync(process.env["CA_FILE"] ?? caFile ?? "") },
    auth: { user: value("user"), accessToken },
    logger: false,
  });
  // As imapsync does: the first side refused, and the second.
  await client.connect().catch((error: { authenticationFailed?: boolean }) => {
    if (error.authenticationFailed === true) process.exit(side === "1" ? 161 : 162);
    throw error;
  });
  const inbox = await client.mailboxOpen("INBOX", { readOnly: true });
  process.stdout.write(`${value("host")} ${value("user")}: ${inbox.exists} messages\n`);
  await client.logout();
}

/** The file that a container would see under this path. */
function inside(path: string): string {
  const { volume } = values;
  if (typeof volume !== "string") return path;
  const [from = "", to = ""] = volume.split(":");
  if (!path.startsWith(`${to}/`)) throw new Error(`${path} is not in the container`);
  return from + path.slice(to.length);
}
