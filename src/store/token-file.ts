import type { Facts } from "../causes/cause.ts";
import { MxtokenError } from "../errors.ts";
import { harmless, Secret } from "../secret.ts";
import { isoSeconds, type RefusedGrant, type TokenNotes, type TokenRecord } from "../token.ts";
import { sha256 } from "../world/builtins.ts";
import { jsonObject } from "../world/http-answers.ts";
import { judgeLines, type NoTokenFile, noteTitles, readComment } from "./token-file-kind.ts";

/** What tells the tokens of a file from others, as digests: nobody has to keep a token for that. */
export interface TokenIdentity {
  readonly tokens: string;
  /** of the access token alone */
  readonly accessToken: string;
}

export function identityOf({ accessToken, refreshToken }: TokenRecord): TokenIdentity {
  const first = accessToken?.reveal() ?? "";
  return { tokens: tokensDigest({ accessToken, refreshToken }), accessToken: sha256(first) };
}

/** The `tokens` of {@link TokenIdentity}. */
export function tokensDigest(record: Pick<TokenRecord, "accessToken" | "refreshToken">): string {
  const [first, second] = [record.accessToken, record.refreshToken];
  return sha256(`${first?.reveal() ?? ""}\n${second?.reveal() ?? ""}`);
}

const noteLimit = 4000;

const explanation =
  "# Line 1 is the access token, line 2 the refresh token. The rest is for people.";

const moments: readonly string[] = ["signedInAt", "issuedAt", "expiresAt"];

/**
 * Reads the text of a token file: ours, oauth2_imap's, or only the two lines; with LF or CRLF,
 * blanks around the tokens, or a byte-order mark.
 *
 * @returns what is none, or has no tokens that can be read, is told, and not thrown
 */
export function readTokenText(text: string): { readonly record: TokenRecord } | NoTokenFile {
  const lines = text.replace(/^\uFEFF/, "").split(/\r\n|\n|\r/);
  const kind = judgeLines(lines);
  if (kind.is !== "tokenFile") return kind;
  const [accessToken, refreshToken] = lines.slice(0, 2).map((line) => {
    const word = line.trim();
    return word === "" ? undefined : new Secret(word);
  });
  const comments = lines.slice(2).map(readComment);
  const refusal = refusalIn(comments);
  const record = { accessToken, refreshToken, notes: parseNotes(comments) };
  return { record: refusal === undefined ? record : { ...record, refusal } };
}

/** What a person is told of a file that cannot be used as a token file. */
export function notATokenFile(path: string, { is, why }: NoTokenFile): MxtokenError {
  const message = `${path}${is === "other" ? " is no token file" : ""}: ${why}`;
  return new MxtokenError("unreadable", message, { facts: { path }, hint: whatToDo[is] });
}

const whatToDo = {
  other: "nothing of it was sent, and it is left as it is; name another --token-file",
  damaged: "move the file away, or sign in and replace it: mxtoken with --startover",
} as const;

type Comments = readonly ReturnType<typeof readComment>[];

function parseNotes(comments: Comments): TokenNotes {
  const notes: Record<string, string | number | undefined> = {};
  for (const comment of comments) {
    const key = comment && keysByTitle.get(comment.title);
    if (key === undefined) continue;
    // Notes are shown to people, and anybody may have written them.
    const text = harmless(comment?.value ?? "", noteLimit);
    notes[key] = moments.includes(key) ? moment(text) : text;
  }
  return notes;
}

const keysByTitle = new Map(
  Object.entries(noteTitles).map(([key, title]) => [title as string, key]),
);

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
  const comments = Object.entries(noteTitles).flatMap(([key, title]) => {
    const value = record.notes[key as keyof TokenNotes];
    if (value === undefined) return [];
    const text = typeof value === "number" ? isoSeconds(value) : harmless(value, noteLimit);
    return [`# ${title}: ${text}`];
  });
  const tokens = [record.accessToken.reveal(), record.refreshToken?.reveal() ?? ""];
  const sealed = seal === undefined ? [] : [seal];
  return `${[...tokens, explanation, ...sealed, ...comments].join("\n")}\n`;
}

// A refusal is remembered in a comment of the token file, `# Refused: TIME DIGEST {"host":…}`: whatever
// reads the two lines passes it over, and whatever writes new ones leaves it out.

const refusalTitle = "Refused";

/** Of a server's words. */
const wordLimit = 600;

/** What is remembered of the facts. */
const refusalTexts = ["host", "endpoint", "oauthError", "said"] as const;

/** The comment that says it. */
function formatRefusal({ at, request, facts }: RefusedGrant): string {
  const { host, endpoint, status, oauthError, said } = facts;
  const known = JSON.stringify({ host, endpoint, status, oauthError, said });
  return `# ${refusalTitle}: ${isoSeconds(at)} ${request} ${known}`;
}

/**
 * The refusal that the comments of a token file remember.
 *
 * @returns undefined where there is none that can be understood
 */
function refusalIn(comments: Comments): RefusedGrant | undefined {
  const comment = comments.findLast((each) => each?.title === refusalTitle);
  if (comment === undefined) return undefined;
  const [, time = "", request = "", known = ""] =
    /^(\S+) ([\da-f]{16}) (\{.*\})$/.exec(comment.value) ?? [];
  const at = Date.parse(time);
  const members = jsonObject(known);
  if (Number.isNaN(at) || members === undefined) return undefined;
  const said = refusalTexts.flatMap((name) => {
    const text = members[name];
    return typeof text === "string" ? [[name, harmless(text, wordLimit)] as const] : [];
  });
  const { status } = members;
  const facts: Facts = {
    ...Object.fromEntries(said),
    status: typeof status === "number" ? status : undefined,
  };
  return facts.host === undefined ? undefined : { at, request, facts };
}

/** The text of a token file, everything in it as it stands, with this refusal instead of another. */
export function withRefusal(text: string, refusal: RefusedGrant): string {
  const lines = text.split("\n").filter((line) => readComment(line)?.title !== refusalTitle);
  while (lines.at(-1)?.trim() === "" && lines.length > 2) lines.pop();
  return `${[...lines, formatRefusal(refusal)].join("\n")}\n`;
}
