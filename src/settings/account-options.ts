import type { Flow } from "../catalog/provider-row.ts";

/** The commands; `get` is the one that has no name on the command line. */
export const commandNames = [
  "get",
  "show",
  "keep",
  "run",
  "check",
  "provider",
  "revoke",
  "cert",
] as const;
export type CommandName = (typeof commandNames)[number];

/** Those that are about mailboxes and their tokens. */
export const mailboxCommands = ["get", "show", "keep", "run", "check", "revoke"] as const;

/** What options are about, in the order in which the command for a sign-in names them. */
export const optionGroups = [
  "account",
  "access",
  "files",
  "authorization server",
  "client",
  "mail servers",
  "network",
  "sign-in",
  "token",
  "schedule",
  "command",
  "end",
  "report",
] as const;
export type OptionGroup = (typeof optionGroups)[number];

/**
 * What is given with an option: nothing (`flag`), any text, a path, a whole number of at least 1, a
 * length of time, one of its `words`, or protocols with commas between them.
 */
export type OptionKind = "flag" | "text" | "path" | "number" | "duration" | "word" | "protocols";

/** One option of the program. */
export interface OptionRow {
  /** as on the command line, without dashes; in snake case it is the key of a configuration */
  readonly name: string;
  readonly alias?: string;
  readonly kind: OptionKind;
  /** for `word`: what it may be */
  readonly words?: readonly string[];
  /** for `number`: the largest */
  readonly largest?: number;
  readonly group: OptionGroup;
  /** the commands that know it */
  readonly of: readonly CommandName[];
  readonly help: string;
  /** its help at a command that means something of its own by it */
  readonly helpOf?: Partial<Record<CommandName, string>>;
  readonly isHidden?: boolean;
  /** one account's own: a line of a list may say it, and each side of `run` and of a move */
  readonly isOwn: boolean;
  /** `run` shows it for its sides; all others are there as well, and have no line in its help */
  readonly isShownForSides?: true;
  /** whether a person who signs in for somebody else's command has to give it again */
  readonly isForSignIn?: true;
  /** whether the value is a secret, and is shown nowhere */
  readonly isSecret?: true;
  /** options of one choice are ways to say one thing: a nearer one replaces all of them */
  readonly choice?: "application" | "credentials" | "flow";
}

/** A row in its table, which names it and says what is the same for most of its rows. */
type TabledRow = Omit<OptionRow, "name" | "isOwn" | "of" | "group"> &
  Partial<Pick<OptionRow, "of" | "group">>;
export type OptionTable = Readonly<Record<string, TabledRow>>;

type More = Omit<TabledRow, "kind" | "help" | "words">;

/** Makes rows of one kind, each from its help and whatever else is to be said. */
export function rowOf<K extends OptionKind>(kind: K) {
  return (help: string, more: More = {}) => ({ ...more, kind, help });
}

/** As {@link rowOf}, for one of the words that are named. */
export function wordRow<const W extends string>(
  words: readonly W[],
  help: string,
  more: More = {},
) {
  return { ...rowOf("word")(help, more), words };
}

const [flag, text, path] = [rowOf("flag"), rowOf("text"), rowOf("path")];
const protocols = rowOf("protocols");

const forSignIn = { isForSignIn: true } as const;
const account = { ...forSignIn, group: "account" } as const;
const access = { ...forSignIn, group: "access" } as const;
const files = { ...forSignIn, group: "files" } as const;
const server = { ...forSignIn, group: "authorization server" } as const;
const client = { ...forSignIn, group: "client" } as const;
const mail = { ...forSignIn, group: "mail servers" } as const;
const network = { ...forSignIn, group: "network" } as const;
const credentials = { ...client, choice: "credentials" } as const;

/**
 * What can be said of one account alone: on the command line, in a line of a list, for a side of `run`.
 * In the order of the help texts.
 */
export const accountTable = {
  provider: text("provider's name, instead of what the MX records say; see mxtoken provider", {
    ...account,
    isShownForSides: true,
  }),
  "imap-server": text("HOST[:PORT], or starttls://HOST:PORT", mail),
  "smtp-server": text("the same for SMTP", mail),
  "pop-server": text("the same for POP3", mail),
  "token-file": path("default: <home>/tokens/oauth2_tokens_<address>.txt", {
    ...files,
    isShownForSides: true,
  }),
  home: path("directory that holds tokens/ and certs/", {
    ...files,
    of: [...mailboxCommands, "cert"],
  }),
  "dns-server": text("resolver to ask, IP[:PORT] (default: the system's)", {
    ...network,
    of: [...mailboxCommands, "provider"],
  }),
  "ca-file": path("one more certificate authority (PEM) for every TLS connection", network),
  login: text("address of the person who signs in, when the mailbox is somebody else's", account),
  proxy: text(
    "HTTP CONNECT or SOCKS proxy for IMAP, SMTP and POP; HTTPS requests follow HTTPS_PROXY",
    { group: "network" },
  ),
  verify: protocols(
    "protocols that prove the token: imap (default), smtp, pop, with commas; or none",
    { group: "access", of: ["get", "keep", "run", "check"] },
  ),
  app: text("registered application to act as: thunderbird (default), imapsync", {
    ...access,
    alias: "application",
    choice: "application",
  }),
  thunderbird: flag("the same as --app thunderbird", { ...access, choice: "application" }),
  tenant: text("Microsoft tenant: an id, a domain, common, organizations or consumers", access),
  flow: wordRow(
    ["code", "device", "client-credentials", "service-account"] satisfies readonly Flow[],
    "how to get the first token: code (default), device, client-credentials, service-account",
    { ...access, choice: "flow" },
  ),
  access: protocols("what the token shall open: imap (default), smtp, pop, with commas", access),
  "authorize-uri": text("authorization endpoint", server),
  "token-uri": text("token endpoint", server),
  "device-uri": text("device authorization endpoint", server),
  "revoke-uri": text("revocation endpoint", { group: "authorization server" }),
  issuer: text(
    "authorization server that tells its own endpoints; or what iss must be (RFC 9207)",
    server,
  ),
  "redirect-uri": text("redirect URI, exactly as registered", server),
  scope: text("scopes, with blanks between them", { ...server, alias: "scope-string" }),
  "client-id": text("client id of your own application", client),
  "client-secret": text("its secret, for everybody on this machine to see; better:", {
    group: "client",
    choice: "credentials",
    isSecret: true,
  }),
  "client-secret-file": path(
    "file with the secret (or MXTOKEN_CLIENT_SECRET in the environment)",
    credentials,
  ),
  "client-secret-command": text("command that prints the secret", credentials),
  "client-certificate": path(
    "certificate of your own application, instead of a secret (PEM)",
    credentials,
  ),
  "client-key": path("its private key, where that is in another file (PEM)", credentials),
  "service-account-key": path("key file of a Google service account (JSON)", {
    ...client,
    choice: "flow",
  }),
  group: text("group that may read the token file", files),
} as const satisfies OptionTable;
