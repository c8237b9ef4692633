// A stand-in for imapsync, as a command: takes the options by which imapsync opens mailboxes with
// OAuth 2.0, reads line 1 of each token file as imapsync does, and logs in. Whatever host is named,
// it goes to the IMAP server of the test. `--volume FROM:TO` before them is Docker's.
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { ImapFlow } from "imapflow";

const sides = ["1", "2"] as const;
const text = { type: "string" } as const;
if (process.argv.includes("--help")) {
  process.stdout.write("--oauthaccesstoken1 --oauthaccesstoken2\n");
  process.exit();
}
const { values }: { values: Record<string, unknown> } = parseArgs({
  options: {
    volume: text,
    automap: { type: "boolean" },
    ...Object.fromEntries(
      sides.flatMap((side) => [
        ...["host", "port", "user", "password", "oauthaccesstoken"].map((name) => [
          `${name}${side}`,
          text,
        ]),
        [`sslargs${side}`, { ...text, multiple: true }],
        [`ssl${side}`, { type: "boolean" as const }],
      ]),
    ),
  },
});

for (const side of sides) {
  const value = (name: string) => {
    const given = values[`${name}${side}`];
    if (typeof given !== "string") throw new Error(`--${name}${side} is missing`);
    return given;
  };
  if (!values[`ssl${side}`]) throw new Error(`--ssl${side} is missing`);
  const sslArguments: unknown = values[`sslargs${side}`];
  if (!Array.isArray(sslArguments) || !sslArguments.includes("SSL_verify_mode=1")) {
    throw new Error("certificates are not verified");
  }
  value("password");
  const [accessToken = ""] = readFileSync(inside(value("oauthaccesstoken")), "utf8").split("\n");
  const client = new ImapFlow({
    host: "localhost",
    port: Number(process.env["IMAP_PORT"]),
    secure: true,
    tls: { ca: readFileSync(process.env["CA_FILE"] ?? "") },
    auth: { user: value("user"), accessToken },
    logger: false,
  });
  await client.connect();
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
