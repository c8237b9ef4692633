import {
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import type { Account, Grant } from "./account.ts";
import type { Random } from "./random.ts";
import type { RequestFault } from "./request-fault.ts";

type Edit = readonly [
  name: string,
  edit: (account: Account, grant: Grant) => void,
  more?: Pick<RequestFault, "restore" | "violation" | "isSpentPlanted">,
];

/** As an editor or a restored backup does it. */
function replace({ tokenFile }: Account, text: string | Buffer): void {
  const path = `${tokenFile}.new`;
  writeFileSync(path, text, { mode: 0o600 });
  renameSync(path, tokenFile);
}

function changeText(account: Account, change: (text: string) => string): void {
  const text = account.read();
  if (text !== undefined) replace(account, change(text));
}

function touch({ tokenFile }: Account, seconds: number): void {
  const time = Date.now() / 1000 + seconds;
  if (existsSync(tokenFile)) utimesSync(tokenFile, time, time);
}

const elsewhere = ({ tokenFile }: Account) => join(dirname(tokenFile), "..", basename(tokenFile));
const beside = (account: Account, kind: string) =>
  join(dirname(account.tokenFile), `.${basename(account.tokenFile)}.${kind}`);
/** Unless something has taken its place. */
const putBack = (account: Account) => {
  const isFree = !lstatSync(account.tokenFile, { throwIfNoEntry: false })?.isFile();
  if (!isFree || !existsSync(elsewhere(account))) return;
  rmSync(account.tokenFile, { recursive: true, force: true });
  renameSync(elsewhere(account), account.tokenFile);
};
const cameBack = (account: Account) =>
  account.read() === undefined ? undefined : "a file that somebody has removed came back";

/** What is nothing of ours stays, and is taken away by whom it belongs to. */
const theirs: Pick<RequestFault, "restore" | "violation"> = {
  restore: (account) => {
    if (!holdsTokens(account)) rmSync(account.tokenFile, { recursive: true, force: true });
  },
  violation: (account) =>
    holdsTokens(account) ? "a file that is no token file was overwritten" : undefined,
};

/** The tokens stay what they were. */
const harmless: readonly Edit[] = [
  ["touched", (account) => touch(account, 0)],
  ["touched, in an hour", (account) => touch(account, 3600)],
  ["touched, a year ago", (account) => touch(account, -31_536_000)],
  ["copied over itself", (account) => changeText(account, (text) => text)],
  ["a comment more", (account) => changeText(account, (text) => `${text}# Note: mine\n`)],
  ["comments removed", (account) => changeText(account, (text) => text.replace(/^#.*\n/gm, ""))],
  ["CRLF", (account) => changeText(account, (text) => text.replaceAll("\n", "\r\n"))],
  ["read-only", ({ tokenFile }) => existsSync(tokenFile) && chmodSync(tokenFile, 0o400)],
  ["lock file removed", (account) => rmSync(beside(account, "lock"), { force: true })],
  ["temporary file removed", (account) => rmSync(beside(account, "tmp"), { force: true })],
];

/** Other tokens, or none, or something that is no token file. */
const changing: readonly Edit[] = [
  ["a new sign-in's tokens", (account) => replace(account, account.signIn().text(true))],
  [
    "a new sign-in's tokens of an old date",
    (account) => {
      replace(account, account.signIn().text(true));
      touch(account, -86_400);
    },
  ],
  [
    "an older backup",
    (account, { spent }) => changeText(account, (text) => text.replace(/\n.*/, `\n${spent}`)),
    { isSpentPlanted: true },
  ],
  ["removed", ({ tokenFile }) => rmSync(tokenFile, { force: true }), { violation: cameBack }],
  ["moved away", (account) => moveAway(account), { restore: putBack, violation: cameBack }],
  [
    "made a link",
    (account) => {
      moveAway(account);
      symlinkSync(elsewhere(account), account.tokenFile);
    },
    {
      restore: putBack,
      violation: ({ tokenFile }) =>
        lstatSync(tokenFile, { throwIfNoEntry: false })?.isFile()
          ? "a link was replaced"
          : undefined,
    },
  ],
  ["a second name", (account) => linkSync(account.tokenFile, elsewhere(account))],
  ["emptied", (account) => writeFileSync(account.tokenFile, "")],
  ["a list of addresses", (account) => replace(account, "a@b.example\nc@d.example\n"), theirs],
  ["a binary file", (account) => replace(account, Buffer.from([0, 255, 10, 13])), theirs],
  ["a private key", (account) => replace(account, "-----BEGIN PRIVATE KEY-----\nMC4C\n"), theirs],
  [
    "a directory",
    ({ tokenFile }) => {
      unlinkSync(tokenFile);
      mkdirSync(tokenFile);
    },
    theirs,
  ],
];

function holdsTokens(account: Account): boolean {
  const text = account.read();
  return text !== undefined && account.secrets().some((secret) => text.includes(secret));
}

function moveAway(account: Account): void {
  if (lstatSync(account.tokenFile).isFile()) renameSync(account.tokenFile, elsewhere(account));
}

/** What somebody else does to the token file while a request is out. */
export function editFault(random: Random): RequestFault {
  const all = random.chance(0.5) ? harmless : changing;
  const [name, edit, more] = all[random.below(all.length)] ?? harmless[0] ?? neverEmpty();
  const isLate = random.chance(0.5);
  return { name: `edit: ${name}`, [isLate ? "between" : "before"]: edit, ...more };
}

function neverEmpty(): never {
  throw new Error("there is always one");
}
