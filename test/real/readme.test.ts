import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { temporaryDirectory } from "../scene/certificates.ts";
import { type Organisation, startOrganisation } from "../scene/organisation.ts";
import { programPath, type Run, runCommand } from "../scene/program.ts";
import { type ReadersMachine, startReadersMachine } from "../scene/readers-machine.ts";
import { type Block, blocksOf } from "../scene/shell-blocks.ts";

const readme = textOf("README.md");
const blocks = blocksOf(readme);
const session = blocks.find(({ language }) => language === "console")?.text ?? "";

let machine: ReadersMachine;
before(async () => {
  machine = await startReadersMachine([
    ...["foo@example.com", "old@example.com", "moving@example.com", "foo@contoso.com"],
    ...["foo@example.org", "new@example.org", "bar@example.org", "bar@contoso.com"],
  ]);
});
after(() => machine?.close());

function textOf(path: string): string {
  return readFileSync(fileURLToPath(new URL(`../../${path}`, import.meta.url)), "utf8");
}

/** The status of a block; what goes on for ever is ended by Ctrl-C when both tokens are fresh. */
async function statusOf(block: Block, run: Run): Promise<number | null> {
  if (!/oauth2_example_loop|^mxtoken keep /m.test(block.text)) return (await run.ended).status;
  await run.shown(/(^mxtoken: \S+@\S+: .*good until .*proven by IMAP.*){2}/ms);
  process.kill(-Number(run.child.pid), "SIGINT");
  const { status, signal } = await run.ended;
  assert.ok(status === 130 || signal === "SIGINT");
  return 0;
}

describe("every shell block of the README does what it says", () => {
  test("and no block is of another kind", () => {
    const languages = blocks.map(({ language }) => language);
    assert.deepEqual([...new Set(languages)].sort(), ["console", "sh", "text"]);
    assert.equal(languages.filter((language) => language === "console").length, 1);
    const prose = readme.replace(/^```.*?^```$/gms, "");
    assert.doesNotMatch(prose, /^ {4}\S/m, "no indented block");
  });

  test("the session at the top is what the program says", async () => {
    const [command = "", ...expected] = session.replace(/^\$ /, "").split("\n");
    const elsewhere = join(machine.home, "elsewhere");
    mkdirSync(elsewhere);
    const typed = command.replace(/^mxtoken/, `${process.execPath} ${programPath}`);
    const run = machine.type(`script -qefc 'stty cols 1000; ${typed}' /dev/null`, elsewhere);
    assert.equal((await run.ended).status, 0, run.written.stdout);
    const shown = run.written.stdout.replaceAll("\r", "").trimEnd().split("\n");
    assert.deepEqual(shown.map(comparable), expected.map(comparable));
    assert.match(machine.typed("xdg-open"), /^https:\S+$/m);
    const tokens = join(machine.home, ".local/share/mxtoken/tokens");
    assert.ok(readdirSync(tokens).includes("oauth2_tokens_foo@example.com.txt"));
  });

  for (const block of blocks.filter(({ language }) => language === "sh")) {
    const [command = ""] = block.text.split("\n");
    test(`line ${block.line}, ${block.heading}: ${command}`, async () => {
      // Everybody who reads begins without a token.
      const [, address] = /^mxtoken (\S+@\S+) (?:--flow|--remotebrowser)/m.exec(block.text) ?? [];
      if (address !== undefined) machine.forget(address);
      // It is of an application whose secret must be given.
      if (block.text.includes("revoke --all")) machine.forget("foo@contoso.com");
      const run = machine.type(block.text);
      const status = await statusOf(block, run);
      assert.equal(status, 0, `${run.written.stdout}\n${run.written.stderr}`);
      await effects[block.heading]?.(run);
    });
  }

  test("imapsync is given the options that the session shows", () => {
    const options = (text: string) => [...new Set(text.match(/--[a-z]+[12](?= )/g))].sort();
    const commands = blocks.filter(({ text }) => /^imapsync |gilleslamiral/m.test(text));
    assert.equal(commands.length, 2);
    for (const { text } of commands) assert.deepEqual(options(text), options(session));
  });
});

describe("every shell block of docs/own-application.md does what it says", () => {
  const [google, microsoft, ...others] = blocksOf(textOf("docs/own-application.md"));
  assert.deepEqual([google?.language, microsoft?.language, others], ["sh", "sh", []]);

  test("the sign-in at Google", async () => {
    const run = machine.type(`${google?.text}`);
    run.child.stdin?.write("the client secret\n");
    assert.equal((await run.ended).status, 0, run.written.stderr);
    assertTokenFile("bar@example.org", "google");
    assertTokenFile("bar@example.org", /^# Client: 000000000000-example\.apps/m);
  });

  test("the sign-in at Microsoft", async () => {
    const run = machine.type(`${microsoft?.text}`);
    assert.equal((await run.ended).status, 0, run.written.stderr);
    assertTokenFile("bar@contoso.com", "office365");
    assertTokenFile("bar@contoso.com", /^# Client: 00000000-0000-0000-0000-000000000001$/m);
    assertTokenFile("bar@contoso.com", /^# Tenant: contoso\.com$/m);
  });
});

describe("every shell block of docs/app-only.md does what it says", () => {
  const texts = blocksOf(textOf("docs/app-only.md"))
    .filter(({ language }) => language === "sh")
    .map(({ text }) => text);
  const [byServiceAccount = "", byCertificate = "", bySecret = "", many = "", ...others] = texts;
  const [makesKey = "", getsToken = ""] = byCertificate.split(/(?<=app\.crt)\n/);
  assert.deepEqual(others, []);
  let organisation: Organisation;
  before(async () => {
    assert.equal((await machine.type(makesKey).ended).status, 0);
    organisation = await startOrganisation(machine.project);
  });
  after(() => organisation?.close());

  async function typed(text: string, address: string, env: Record<string, string>): Promise<void> {
    machine.forget(address);
    const run = machine.type(text, machine.project, env);
    assert.equal((await run.ended).status, 0, run.written.stderr);
  }

  test("a service account", async () => {
    await typed(byServiceAccount, "bar@example.org", organisation.google);
    assertTokenFile("bar@example.org", /^# Flow: service-account$/m);
  });

  for (const [what, text, client] of [
    ["client credentials with a certificate", getsToken, "00000000-0000-0000-0000-000000000002"],
    ["client credentials with a secret", bySecret, "00000000-0000-0000-0000-000000000003"],
    ["many mailboxes at once", many, "00000000-0000-0000-0000-000000000002"],
  ] as const) {
    test(what, async () => {
      await typed(text, "bar@contoso.com", organisation.microsoft);
      assertTokenFile("bar@contoso.com", /^# Flow: client-credentials$/m);
      assertTokenFile("bar@contoso.com", new RegExp(`^# Client: ${client}$`, "m"));
      assert.equal(existsSync(join(machine.project, "failed.txt")), false);
    });
  }
});

describe("a loop over a list of addresses", () => {
  const loops = ["README.md", "docs/app-only.md"].flatMap((path) => {
    const texts = blocksOf(textOf(path)).map(({ text }) => text);
    return texts.flatMap((text) => /^while .*?^done 3< \S+$/ms.exec(text)?.[0] ?? []);
  });

  const shells = ["dash", "bash", "bash --posix"];

  test("is in both documents, and the same", () => {
    const [one, other] = loops.map((loop) => loop.replace(/ --home \.|\S+$/g, ""));
    assert.equal(loops.length, 2);
    assert.equal(one, other);
  });

  for (const [what, list, expected] of [
    ["the last line has no end", "a@b.c\nd@e.f", ["a@b.c", "d@e.f"]],
    ["there is only one line, without an end", "a@b.c", ["a@b.c"]],
    ["it was saved on Windows", "a@b.c\r\nd@e.f\r\n", ["a@b.c", "d@e.f"]],
    ["it was saved on Windows, and the last line has no end", "a@b.c\r\nd@e.f", ["a@b.c", "d@e.f"]],
    ["a carriage return is all that ends it", "a@b.c\r", ["a@b.c"]],
    ["lines are empty, or blank", "\n \n\t\na@b.c\n\n\r\n \r\nd@e.f\n\n \t", ["a@b.c", "d@e.f"]],
    ["there are blanks around", "  a@b.c \n\td@e.f\t \r\n", ["a@b.c", "d@e.f"]],
    ["there are comments", "# both\na@b.c # old\n #new\r\nd@e.f\n#end", ["a@b.c", "d@e.f"]],
    [
      "there are letters that the shell knows",
      "a\\b@c.d\n*@b.c\n$x@b.c\n",
      ["a\\b@c.d", "*@b.c", "$x@b.c"],
    ],
    ["it is empty", "", []],
  ] as const) {
    test(`asks for each, where ${what}`, async () => {
      const cwd = temporaryDirectory();
      // Whoever asks reads standard input, which is not the list.
      const asked = 'mxtoken() { printf "%s\\n" "$1"; cat > answer.txt; }';
      writeFileSync(join(cwd, "addresses.txt"), list);
      for (const loop of loops.map((text) => text.replace(/\S+$/, "addresses.txt"))) {
        for (const shell of shells) {
          const [file = "", ...args] = [...shell.split(" "), "-euc", `${asked}\n${loop}`];
          const run = runCommand(file, args, { cwd, input: "" });
          assert.equal((await run.ended).status, 0, run.written.stderr);
          assert.deepEqual(run.written.stdout.split("\n").slice(0, -1), expected, shell);
        }
      }
    });
  }
});

test("every file that the README links to is there", () => {
  const links = [...readme.matchAll(/\]\(([^)#:]+)\)/g)].map(([, path = ""]) => path);
  assert.ok(links.length > 0);
  for (const path of links) {
    assert.ok(existsSync(new URL(`../../${path}`, import.meta.url)), path);
  }
});

/** What a block must have done beside ending well. */
const effects: Record<string, (run: Run) => void | Promise<void>> = {
  "Try it without an account": ({ written }) => {
    assert.match(written.stdout, /^# Provider: office365$.*^the tests$/ms);
  },
  Install: () => assert.ok(existsSync(join(machine.home, "prefix/bin/oauth2_imap"))),
  "Get a token": () => assertTokenFile("foo@example.com", "office365"),
  "Where the browser is on another machine": () => {
    assert.match(machine.typed("ssh"), /^-L (\d+):localhost:\1 you@server$/m);
  },
  "Move a mailbox": ({ written }) => {
    if (written.stdout.includes("messages")) assertBothSides(written.stdout);
    else assertTokenFile("old@example.com", "office365");
  },
  "imapsync by hand": ({ written }) => assertBothSides(written.stdout),
  "Fresh tokens for everything else": () => {
    if (!existsSync(join(machine.project, "status.json"))) return;
    const status = JSON.parse(readFileSync(join(machine.project, "status.json"), "utf8"));
    assert.deepEqual(
      { ...status, updated: "", accounts: [] },
      {
        updated: "",
        isRunning: false,
        counts: { waiting: 0, fresh: 2, retrying: 0, expired: 0, refused: 0 },
        accounts: [],
      },
    );
    assert.match(machine.typed("logger"), /^-t mxtoken keeping 2 accounts fresh$/m);
  },
  "Many mailboxes": ({ written }) => {
    assert.match(written.stdout, /old@example\.com.*new@example\.org/s);
    assert.equal(existsSync(join(machine.project, "failed.txt")), false);
  },
  "With a code on another device": ({ written }) => {
    assert.match(written.stderr, /proven by IMAP login/);
    assertTokenFile("foo@example.com", /^# Flow: device$/m);
  },
  "For mail programs": ({ written }) => {
    assert.equal(written.stdout, `${machine.tokenFile("foo@example.com").split("\n")[0]}\n`);
  },
  "Sending, and POP": ({ written }) => {
    for (const protocol of ["IMAP", "SMTP", "POP"]) {
      assert.match(written.stderr, new RegExp(`proven by ${protocol} login`));
    }
  },
  "What must be repeated": assertCronLine,
  "After the move": ({ written }) => {
    assert.match(written.stderr, /new@example\.org: revoked, and \S+ is removed$/m);
    const left = readdirSync(join(machine.project, "tokens")).filter(isTokenFile);
    assert.ok(left.length > 0);
    for (const name of left) {
      const text = readFileSync(join(machine.project, "tokens", name), "utf8");
      assert.doesNotMatch(text, /^# Provider: office365$/m);
    }
  },
  "imapsync in a container": ({ written }) => assertBothSides(written.stdout),
  "The same address on both sides": ({ written }) => {
    if (written.stdout.includes("messages")) {
      const shown = withHosts(written.stdout, "imap.gmail.com", "outlook.office365.com");
      assert.match(shown, /^imap\.gmail\.com .*\noutlook\.office365\.com .*\n$/);
    }
    assertTokenFile("moving@example.com", "google");
    assertTokenFile("moving@example.com_office365", "office365");
  },
};

/** The line for cron does its turn with the little that cron gives. */
async function assertCronLine(): Promise<void> {
  const [, command = ""] = /^\*\/30 \* \* \* \* (.*)$/m.exec(readme) ?? [];
  assert.match(command, /old@example\.com/);
  const here = command
    .replace("/path/to/mxtoken", machine.project)
    .replace("/usr/bin/node", process.execPath);
  assertTokenFile("old@example.com", "office365");
  const before = machine.tokenFile("old@example.com");
  const run = machine.type(`PATH=/usr/bin:/bin; ${here}`, machine.home);
  assert.deepEqual(await run.ended, { status: 0, signal: null });
  assert.deepEqual(run.written, { stdout: "", stderr: "" }, "no mail");
  assert.notEqual(machine.tokenFile("old@example.com"), before);
}

function assertBothSides(stdout: string): void {
  assert.equal(
    withHosts(stdout, "outlook.office365.com", "imap.gmail.com"),
    "outlook.office365.com old@example.com: 2 messages\nimap.gmail.com new@example.org: 2 messages\n",
  );
}

/** `mxtoken run` names the IMAP server that the test has put in the place of the providers'. */
function withHosts(stdout: string, ...hosts: readonly string[]): string {
  let index = 0;
  return stdout.replace(/^localhost(?= )/gm, () => hosts[index++] ?? "");
}

function isTokenFile(name: string): boolean {
  return /^oauth2_tokens_/.test(name);
}

function assertTokenFile(name: string, what: string | RegExp): void {
  const pattern = typeof what === "string" ? new RegExp(`^# Provider: ${what}$`, "m") : what;
  assert.match(machine.tokenFile(name), pattern);
}

/** A line without what differs from machine to machine and from run to run. */
function comparable(line: string): string {
  return line
    .replaceAll(machine.home, "/home/you")
    .replace(/https:\/\/(login\.microsoftonline\.com|localhost:\d+)\S*\/auth\S*/, "SIGN-IN")
    .replace(/\blocalhost:\d+(?=$| as)/, "outlook.office365.com:993")
    .replace(/(?<=--host[12] )localhost --port[12] \d+/, "outlook.office365.com")
    .replace(/ --sslargs[12] SSL_ca_file=\S+/, "")
    .replace(/(?<=https:\/\/localhost:)\d+/, "PORT")
    .replace(/is [0-9A-F:…]+(?= \()/, "is FINGERPRINT")
    .replace(/\d+ folders?, \d+ messages/, "COUNTS")
    .replace(/expires at \S+ in \d+ minutes/, "EXPIRES");
}
