import { MxtokenError } from "../errors.ts";
import { harmless, Secret } from "../secret.ts";
import type { TokenNotes, TokenRecord } from "../token.ts";
import { isoSeconds } from "../token.ts";
import { sha256 } from "../world/builtins.ts";
import { type FileKind, judgeLines, readComment } from "./token-file-kind.ts";

/** What tells the tokens of a file from others, as digests: nobody has to keep a token for that. */
export interface TokenIdentity {
  readonly tokens: string;
  /** of the access token alone */
  readonly accessToken: string;
}

export function identityOf({ accessToken, refreshToken }: TokenRecord): TokenIdentity {
  const first = accessToken?.reveal() ?? "";
  return {
    tokens: sha256(`${first}\n${refreshToken?.reveal() ?? ""}`),
    accessToken: sha256(first),
  };
}

const noteLimit = 4000;

const explanation =
  "# Line 1 is the access token, line 2 the refresh token. The rest is for people.";

const titles = [
  ["account", "Account"],
  ["login", "Login"],
  ["provider", "Provider"],
  ["flow", "Flow"],
  ["app", "App"],
  ["client", "Client"],
  ["tenant", "Tenant"],
  ["tokenEndpoint", "Token endpoint"],
  ["scope", "Scope"],
  ["signedInAt", "Signed in"],
  ["issuedAt", "Issued"],
  ["expiresAt", "Expires"],
  ["verified", "Verified"],
] as const satisfies readonly (readonly [keyof TokenNotes, string])[];

/**
 * Reads the text of a token file: ours, oauth2_imap's, or only the two lines; with LF or CRLF,
 * blanks around the tokens, or a byte-order mark.
 *
 * @param path only named in errors
 * @throws MxtokenError `unreadable` for a file that is none, or one whose tokens cannot be read
 */
export function parseTokenFile(text: string, path: string): TokenRecord {
  const found = readTokenText(text);
  if ("record" in found) return found.record;
  throw notATokenFile(path, found);
}

/** What a text holds, as far as it is a token file's. */
type TokenText =
  | { readonly is: "tokenFile"; readonly record: TokenRecord }
  | Exclude<FileKind, { is: "tokenFile" }>;

/** As {@link parseTokenFile}; what is none is told, and not thrown. */
export function readTokenText(text: string): TokenText {
  const lines = text.replace(/^\uFEFF/, "").split(/\r\n|\n|\r/);
  const kind = judgeLines(lines);
  if (kind.is !== "tokenFile") return kind;
  const [accessToken, refreshToken] = lines.slice(0, 2).map((line) => {
    const word = line.trim();
    return word === "" ? undefined : new Secret(word);
  });
  return {
    is: "tokenFile",
    record: { accessToken, refreshToken, notes: parseNotes(lines.slice(2)) },
  };
}

/** What a person is told of a file that cannot be used as a token file. */
export function notATokenFile(path: string, { is, why }: Exclude<FileKind, { is: "tokenFile" }>) {
  return is === "other"
    ? new MxtokenError("unreadable", `${path} is no token file: ${why}`, {
        facts: { path },
        hint: "nothing of it was sent, and it is left as it is; name another --token-file",
      })
    : new MxtokenError("unreadable", `${path}: ${why}`, {
        facts: { path },
        hint: "move the file away, or sign in and replace it: mxtoken with --startover",
      });
}

function parseNotes(lines: readonly string[]): TokenNotes {
  const found = new Map<string, string>();
  for (const line of lines) {
    const comment = readComment(line);
    // Notes are shown to people, and anybody may have written them.
    if (comment !== undefined) found.set(comment.title, harmless(comment.value, noteLimit));
  }
  const text = (title: string) => found.get(title);
  return {
    account: text("Account"),
    login: text("Login"),
    flow: text("Flow"),
    provider: text("Provider"),
    app: text("App"),
    client: text("Client"),
    tenant: text("Tenant"),
    tokenEndpoint: text("Token endpoint"),
    scope: text("Scope"),
    signedInAt: moment(text("Signed in")),
    issuedAt: moment(text("Issued")),
    expiresAt: moment(text("Expires")),
    verified: text("Verified"),
  };
}

function moment(text: string | undefined): number | undefined {
  const ms = text === undefined ? Number.NaN : Date.parse(text);
  return Number.isNaN(ms) ? undefined : ms;
}

/**
 * The text of a token file.
 *
 * @param seal says which tokens these are and which ones they follow (`restore.ts`)
 * @throws MxtokenError `defect` without an access token: consumers read line 1 at any moment
 */
export function formatTokenFile(record: TokenRecord, seal?: string): string {
  if (record.accessToken === undefined) {
    throw new MxtokenError("defect", "a token file must not have an empty first line");
  }
  const comments = titles.flatMap(([key, title]) => {
    const value = record.notes[key];
    if (value === undefined) return [];
    return [
      `# ${title}: ${typeof value === "number" ? isoSeconds(value) : harmless(value, noteLimit)}`,
    ];
  });
  const sealed = seal === undefined ? [] : [seal];
  return `${[record.accessToken.reveal(), record.refreshToken?.reveal() ?? "", explanation, ...sealed, ...comments].join("\n")}\n`;
}
