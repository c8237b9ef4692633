import {
  accountTable,
  type CommandName,
  commandNames,
  mailboxCommands,
  type OptionGroup,
  type OptionKind,
  type OptionRow,
  type OptionTable,
  rowOf,
  wordRow,
} from "./account-options.ts";

// Every option of the program is one row: here, and in account-options.ts. From the rows come the
// command line and its help, `MXTOKEN_*`, the settings, what a line of a list and a side of
// `mxtoken run` may say, and the command that a person is shown to sign in with.

const [flag, text, path] = [rowOf("flag"), rowOf("text"), rowOf("path")];
const [number, duration, protocols] = [rowOf("number"), rowOf("duration"), rowOf("protocols")];

const reportTable = {
  json: flag("report as JSON on standard output"),
  quiet: flag("only errors"),
  verbose: flag("protocol steps, secrets blacked out", { alias: "debug" }),
} as const satisfies OptionTable;

const certTable = {
  renew: flag("make a new one"),
} as const satisfies OptionTable;

const tokenTable = {
  format: wordRow(
    ["raw", "xoauth2", "oauthbearer", "xoauth2-plain", "header", "json", "imapsync"],
    "how to print it: raw, xoauth2, oauthbearer, xoauth2-plain, header, json, imapsync (default raw)",
    { of: ["show"] },
  ),
  protocol: protocols(
    "what it is for: imap (default), smtp or pop; tells the user name and the server",
    { of: ["show"] },
  ),
  "min-life": duration("how long it must still be good for, like 90s, 5m (default) or 1h", {
    of: ["show"],
  }),
  nocache: flag("get a new one in any case, and do not store it", { of: ["show"] }),
  startover: flag("ignore the stored tokens and sign in anew", { of: ["get"] }),
  "access-token-stdin": flag("prove a token from standard input instead of the stored one", {
    of: ["check", "show"],
    helpOf: { show: "print a token from standard input in another form" },
  }),
  "refresh-token-stdin": flag(
    "take the refresh token from standard input instead of the stored one",
    { of: ["get", "show"] },
  ),
} as const satisfies OptionTable;

const commandTable = {
  imapsync: flag("add imapsync's options for the mailboxes, but for those that are given"),
  restart: flag("start the command again when it ended because its token had died"),
  "max-restarts": number("how often at most (default 500)"),
  "restart-status": text(
    "exit statuses that a dead token may be the reason of (default 115,161,162)",
  ),
} as const satisfies OptionTable;

const keepTable = {
  list: path("file with one address a line, options of its own behind it; SIGHUP reads it again"),
  every: duration(
    "refresh at least this often, like 30m; without it, only as the tokens' lives want it",
    { of: ["keep", "run"] },
  ),
  "refresh-at": text("the share of a token's life after which it is refreshed (default 50%)", {
    of: ["keep", "run"],
  }),
  "prove-every": duration("how often a login proves the token, like 30m (default 6h)", {
    of: ["keep", "run"],
  }),
  concurrency: number("how many accounts at once at one provider (default 64)", { largest: 1000 }),
  "status-file": path("file that always holds the current picture (JSON)"),
  "on-event": text("command to run for every event, with MXTOKEN_EVENT, _ACCOUNT and _MESSAGE"),
} as const satisfies OptionTable;

const signInTable = {
  remotebrowser: flag(
    "no browser on this machine: paste the address or the code; with --port, or by a tunnel",
  ),
  "no-browser": flag("open no browser; the sign-in still comes back by itself, or by paste"),
  port: number("port of the listener that the sign-in comes back to (default: any free one)", {
    largest: 65_535,
  }),
  local: flag("come back by http, whatever the redirect URI says"),
  localssl: flag("come back by https, whatever the redirect URI says"),
  "select-account": flag("let the provider ask which account, whoever is signed in there"),
  qr: flag("with --flow device: show a QR code, however narrow it is here"),
  timeout: number(
    "seconds to sign in (default 300; with --flow device as long as codes are given)",
  ),
} as const satisfies OptionTable;

const revokeTable = {
  "local-only": flag("only remove the file; ask nobody"),
  all: flag("every account here; with --provider, those of that one"),
} as const satisfies OptionTable;

type Tabled = typeof reportTable &
  typeof certTable &
  typeof accountTable &
  typeof tokenTable &
  typeof commandTable &
  typeof keepTable &
  typeof signInTable &
  typeof revokeTable;

export type OptionName = keyof Tabled;
export type AccountOptionName = keyof typeof accountTable;
/** The names of the options that are of one of these kinds. */
export type NameOf<K extends OptionKind> = {
  [N in OptionName]: Tabled[N]["kind"] extends K ? N : never;
}[OptionName];
/** What `--format` and the like may be. */
export type WordOf<N extends NameOf<"word">> = Tabled[N]["words"][number];

function rowsIn(table: OptionTable, group: OptionGroup, of: readonly CommandName[]): OptionRow[] {
  const isOwn = table === accountTable;
  return Object.entries(table).map(([name, row]) => ({ of, group, ...row, name, isOwn }));
}

/** In the order of the help texts. */
export const optionRows: readonly OptionRow[] = [
  ...rowsIn(reportTable, "report", commandNames),
  ...rowsIn(certTable, "sign-in", ["cert"]),
  ...rowsIn(accountTable, "account", mailboxCommands),
  ...rowsIn(tokenTable, "token", []),
  ...rowsIn(commandTable, "command", ["run"]),
  ...rowsIn(keepTable, "schedule", ["keep"]),
  ...rowsIn(signInTable, "sign-in", ["get", "run"]),
  ...rowsIn(revokeTable, "end", ["revoke"]),
];

/** What can be said of one account alone. */
export const accountRows = optionRows.filter(({ isOwn }) => isOwn);

/** A side of `mxtoken run`, or of a move: the first address, or the second. */
export type Side = 1 | 2;
export const sides = [1, 2] as const satisfies readonly Side[];

/** An account's options once more, for one side alone: `--provider1`. */
export function sideRows(side: Side): OptionRow[] {
  const which = side === 1 ? "first" : "second";
  return accountRows.map(({ alias, ...row }) => ({
    ...row,
    ...(alias === undefined ? {} : { alias: `${alias}${side}` }),
    name: `${row.name}${side}`,
    of: ["run"],
    help: `--${row.name} for the ${which} address alone; as --login${side}, --tenant${side} …`,
    isHidden: row.isShownForSides !== true,
  }));
}

/** The options of a command in the order of its help text. */
export function rowsOf(command: CommandName): readonly OptionRow[] {
  const rows = optionRows.filter(({ of }) => of.includes(command));
  if (command !== "run") return rows;
  const afterAccount = rows.findLastIndex(({ isOwn }) => isOwn) + 1;
  return rows.toSpliced(afterAccount, 0, ...sides.flatMap(sideRows));
}
