import type { Remembered } from "../config/settings.ts";
import { MxtokenError } from "../errors.ts";
import { harmless, Secret } from "../secret.ts";
import { isTokenText } from "../token.ts";
import { sha256 } from "../world/builtins.ts";

/** What a token file says. The two lines are the file; the notes are comments and may be missing. */
export interface TokenRecord {
  readonly accessToken: Secret | undefined;
  readonly refreshToken: Secret | undefined;
  readonly notes: TokenNotes;
}

/** The comments of a token file. */
export interface TokenNotes extends Remembered {
  readonly account?: string | undefined;
  readonly scope?: string | undefined;
  /** milliseconds since 1970 */
  readonly signedInAt?: number | undefined;
  /** milliseconds since 1970; when the server has issued line 1 */
  readonly issuedAt?: number | undefined;
  /** milliseconds since 1970; when line 1 ends */
  readonly expiresAt?: number | undefined;
  /** how and when line 1 was proven, or that it was not */
  readonly verified?: string | undefined;
}

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
 * @throws MxtokenError `unreadable` when line 1 or 2 cannot be a token
 */
export function parseTokenFile(text: string, path: string): TokenRecord {
  const lines = text.replace(/^\uFEFF/, "").split(/\r\n|\n|\r/);
  const [accessToken, refreshToken] = [0, 1].map((index) => {
    const line = (lines[index] ?? "").trim();
    if (line === "") return undefined;
    if (isTokenText(line)) return new Secret(line);
    throw new MxtokenError("unreadable", `${path}: line ${index + 1} is not a token`, {
      hint: "move the file away, or sign in and replace it: mxtoken with --startover",
    });
  });
  return { accessToken, refreshToken, notes: parseNotes(lines.slice(2)) };
}

function parseNotes(lines: readonly string[]): TokenNotes {
  const found = new Map<string, string>();
  for (const line of lines) {
    const match = /^#\s*([A-Za-z][A-Za-z ]*):\s+(.*\S)\s*$/.exec(line);
    // Notes are shown to people, and anybody may have written them.
    const [, title, value] = match ?? [];
    if (title !== undefined && value !== undefined) found.set(title, harmless(value, noteLimit));
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
 * @throws MxtokenError `defect` without an access token: consumers read line 1 at any moment
 */
export function formatTokenFile(record: TokenRecord): string {
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
  return `${[record.accessToken.reveal(), record.refreshToken?.reveal() ?? "", explanation, ...comments].join("\n")}\n`;
}

/**
 * What a process that died had written of a token file of ours, without the blank lines that had kept
 * the place for it; undefined where that is not all of it.
 */
export function wholeTokenFile(text: string): string | undefined {
  const whole = text.replace(/\n+$/, "\n");
  // Where there are blank lines still, what stands behind the tokens tells that these are whole.
  const isWhole = whole === text || /^[^\n]+\n[^\n]*\n#/.test(whole);
  if (!isWhole || !whole.endsWith("\n")) return undefined;
  try {
    return parseTokenFile(whole, "").accessToken === undefined ? undefined : whole;
  } catch {
    return undefined;
  }
}

/** ISO 8601 in UTC with whole seconds, rounded down: an expiry must not be shown later than it is. */
export function isoSeconds(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, "Z");
}
